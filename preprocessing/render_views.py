"""Turn textured meshes into training data: views with cameras, colour and flow volumes, distances near the surface.

    python preprocessing/render_views.py --meshes MESHES --out RAW
    python preprocessing/render_views.py --meshes MESHES --out RAW --azimuth random --elevation 5 50 --distance auto 1 1.6 --jobs 4

MESHES holds <category>/<object>.glb (or gltf, obj, ply, off) or ShapeNet's <category>/<object>/models/*.obj; the
meshes need not be watertight. Every object becomes RAW/<category>/<object>/ in the layout of data/raw_layout.py. Meshes are
taken as y up; view 0 looks from azimuth 90 degrees (+x), the next from 120, and so on.
Prints a progress bar, one line for every mesh or texture that cannot be used, and where the result is. About 1 to 2
seconds an object and core. Started again it goes on where it stopped. Exit code 3: some meshes were left out.
"""

import dataclasses
import os
import pathlib
import shutil

from tqdm import tqdm

from data.categories import name as category_name
from data.categories import spellings
from data.raw_layout import RawObject
from preprocessing.meshes.find import find_meshes
from preprocessing.rendering.raw_writer import UNFINISHED, Settings, Task, write_object
from utils.cli import parser, run
from utils.errors import PartialFailure, UserError
from utils.files import check_out, read_json, write_json
from utils.processes import in_processes

AUTO = "auto (all in the picture), auto MIN MAX to draw a factor of that from, D, or MIN MAX to draw from"


def check_settings(out, settings):
    """Keep the settings in out/render.json; UserError if `out` was made with others or by something else."""
    path, given = out / "render.json", dataclasses.asdict(settings)
    if path.exists():
        kept = read_json(path)
        other = [key for key in sorted({*kept, *given}) if kept.get(key) != given.get(key)]
        differing = [f"--{key} {kept.get(key)} (now {given.get(key)})" for key in other]
        if differing:
            raise UserError(f"{out} was made with {', '.join(differing)}: use the same settings or another --out")
        return
    if out.is_dir() and any(out.glob("*/*/views")):
        raise UserError(f"{out} holds objects, but no render.json: it was not made by this command, use another --out")
    write_json(path, given)


def _numbers(values, flag, low, high):
    """The one or two numbers of a flag as a list of float, low < value < high."""
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        raise UserError(f"{flag} {' '.join(values)}: give a number or two") from None
    if len(numbers) > 2 or numbers != sorted(numbers) or not all(low < value < high for value in numbers):
        raise UserError(f"{flag} {' '.join(values)}: give one number or MIN MAX, between {low:g} and {high:g}")
    return numbers


def parse(argv):
    """The command's arguments and its Settings, checked."""
    flags = parser(__doc__)
    flags.add_argument("--meshes", type=pathlib.Path, required=True, help="folder of <category>/<object> meshes")
    flags.add_argument("--out", type=pathlib.Path, required=True, help="raw folder to write")
    flags.add_argument("--views", type=int, default=12, help="views of every object")
    flags.add_argument("--image_size", type=int, default=138, help="side of the views in pixels")
    flags.add_argument(
        "--elevation", nargs="+", default=["25"], metavar="DEGREES", help="elevation, or MIN MAX to draw from"
    )
    flags.add_argument("--azimuth", choices=("even", "random"), default="even", help="even: 90 + 360 i / views degrees")
    flags.add_argument("--distance", nargs="+", default=["auto"], metavar="D", help=AUTO)
    flags.add_argument("--sdf_points", type=int, default=32768, help="points with a signed distance, of every object")
    flags.add_argument("--surface_points", type=int, default=16384, help="coloured surface points of every object")
    flags.add_argument("--seed", type=int, default=0, help="of everything that is drawn")
    flags.add_argument("--jobs", type=int, default=1, help="objects at once")
    flags.add_argument("--categories", nargs="+", help="only these category folders")
    args = flags.parse_args(argv)
    for flag, least in (
        ("views", 1),
        ("image_size", 8),
        ("sdf_points", 1),
        ("surface_points", 1),
        ("seed", 0),
        ("jobs", 1),
    ):
        if getattr(args, flag) < least:
            raise UserError(f"--{flag} {getattr(args, flag)}: it must be at least {least}")
    auto = args.distance[:1] if args.distance[0] == "auto" else []
    numbers = args.distance[len(auto) :]
    distance = [*auto, *(_numbers(numbers, "--distance", 0, 100) if numbers else [])]
    elevation = _numbers(args.elevation, "--elevation", -90, 90)
    counts = args.sdf_points, args.surface_points, args.seed
    return args, Settings(args.views, args.image_size, elevation, args.azimuth, distance, *counts)


def main(argv=None):
    args, settings = parse(argv)
    check_out(args.out)
    meshes = find_meshes(args.meshes)
    if args.categories:
        known = sorted({category for category, _, _ in meshes})
        for category in args.categories:
            if not set(spellings(category)) & set(known):
                raise UserError(f"--categories {category}: {args.meshes} has {' '.join(known)}")
        wanted = {category_name(category) for category in args.categories}
        meshes = [each for each in meshes if category_name(each[0]) in wanted]
    check_settings(args.out, settings)
    tasks = [Task(mesh, RawObject(args.out, category, object_id), settings) for category, object_id, mesh in meshes]
    todo = [task for task in tasks if not task.target.folder.exists()]
    there = len(tasks) - len(todo)
    print(
        f"{len(tasks)} meshes in {args.meshes}: {there} are done already, {len(todo)} to render, {settings.views} views each"
    )
    # before the libraries start in the workers: N jobs with all cores each would fight
    threads = str(max(1, (os.cpu_count() or 1) // args.jobs))
    os.environ.setdefault("OMP_NUM_THREADS", threads)
    os.environ.setdefault("IGL_NUM_THREADS", os.environ["OMP_NUM_THREADS"])
    failed = 0
    with tqdm(total=len(todo), unit="object") as bar:
        for _, (notes, reason) in in_processes(write_object, todo, args.jobs):
            for note in notes:
                bar.write(f"warning: {note}")
            if reason:
                bar.write(f"left out: {reason}")
                failed += 1
            bar.update()
    shutil.rmtree(args.out / UNFINISHED, ignore_errors=True)
    print(f"{len(todo) - failed} objects written, {there} were there already: {args.out}")
    if failed:
        raise PartialFailure(f"{failed} of {len(tasks)} meshes were left out, the reasons are above")


if __name__ == "__main__":
    run(main)
