"""Look at a folder of meshes before a night of rendering: what is in it, what cannot be used.

    python preprocessing/check_meshes.py MESHES
    python preprocessing/check_meshes.py MESHES --out REPORT --jobs 4

MESHES is a folder as render_views.py reads it. Prints a table with one line for every mesh:
  faces      triangles that have an area
  parts      connected components
  textures   pictures that its faces use
  missing    textures that it names and that cannot be found or used
  closed     whether it is watertight
  inside     share of its bounding box's volume that is inside it; 0 means that only a surface
             will be learned
  longest    longest side, in the units of the file
  warnings   number of warnings, which follow the table
and the totals of each category. With --out, the folder REPORT receives the table (meshes.csv,
meshes.json) and a contact sheet of every category (sheet_<category>.png).
Exit code 3: some meshes cannot be used; each is named with its reason.
"""

import collections
import contextlib
import pathlib

import numpy as np
from PIL import Image
from tqdm import tqdm

from data.spread import spread_by_category
from preprocessing.meshes.find import find_meshes
from preprocessing.survey.measure import Findings, Task, measure, process_died
from preprocessing.survey.sheet import contact_sheet
from preprocessing.survey.table import HEADING, line, totals, write_table
from utils import engine_flags
from utils.cli import parser, real_number, run, whole_number
from utils.engines import Engine
from utils.errors import PartialFailure, UserError
from utils.files import check_out, replacing
from utils.out_folder import working_in

# Of the contact sheets: {setting: default}.
SHEET: dict[str, float] = {"pictures": 120, "azimuth": 30, "elevation": 20}

Pictures = dict[str, list[tuple[str, np.ndarray]]]  # {category: [(name, picture)]}


def survey(tasks: list[Task], engine: Engine) -> tuple[list[Findings], Pictures]:
    """Look at all meshes, by the engine; prints the table as it grows."""
    rows: list[Findings] = []
    pictures: Pictures = collections.defaultdict(list)
    results = engine.run(measure, tasks, died=process_died, ordered=True, ahead=4, isolate=True)
    print(HEADING)
    with contextlib.closing(results), tqdm(total=len(tasks), unit="mesh") as bar:
        for _, (findings, picture) in results:
            bar.write(line(findings))
            rows.append(findings)
            if picture is not None:
                pictures[findings.category].append((findings.object_id, picture))
            bar.update()
    return rows, pictures


def write_report(out: pathlib.Path, rows: list[Findings], pictures: Pictures) -> None:
    """Write the table and the contact sheets."""
    write_table(out, rows)
    for category, named in pictures.items():
        with replacing(out / f"sheet_{category}.png") as temporary:
            Image.fromarray(contact_sheet(named)).save(temporary)
    print(f"written: {out}/meshes.csv, meshes.json, {len(pictures)} contact sheets sheet_<category>.png")


def main(argv: list[str]) -> None:
    flags = parser(__doc__)
    flags.add_argument("meshes", type=pathlib.Path, help="folder of <category>/<object> meshes")
    flags.add_argument("--out", type=pathlib.Path, help="folder for the table and the contact sheets; none: not kept")
    kinds = {"pictures": whole_number(0), "azimuth": real_number(), "elevation": real_number(above=-90, below=90)}
    texts = {
        "pictures": "meshes on the sheet of a category",
        "azimuth": "degrees, of the pictures; 0: from the front",
        "elevation": "degrees",
    }
    for name, default in SHEET.items():
        flags.add_argument(f"--{name}", type=kinds[name], help=f"{texts[name]} (default: {default})")
    engine_flags.add_flags(flags, "meshes at once")
    args = flags.parse_args(argv)
    for name, default in SHEET.items():
        if getattr(args, name) is None:
            setattr(args, name, default)
        elif not args.out:
            raise UserError(f"--{name} would do nothing: the pictures need --out")
    files = find_meshes(args.meshes)
    if args.out:
        check_out(args.out)
    pictured = set(spread_by_category(files, args.pictures) if args.out else [])
    tasks = [Task(file, file in pictured, args.azimuth, args.elevation) for file in files]
    engine = engine_flags.of_flags(args)
    engine.share_cores()
    rows, pictures = survey(tasks, engine)
    for row in rows:
        for warning in row.warnings:
            print(f"warning: {row.file}: {warning}")
    print("\n".join(totals(rows)))
    if args.out:
        with working_in(args.out):
            write_report(args.out, rows, pictures)
    unusable = [row for row in rows if row.error]
    for row in unusable:
        print(f"cannot be used: {row.error}")
    if unusable:
        raise PartialFailure(f"{len(unusable)} of {len(rows)} meshes cannot be used, the reasons are above")


if __name__ == "__main__":
    run(main, resumes=False)
