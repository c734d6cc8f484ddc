"""Write textured 3D objects of five categories: something to train on without a data set.

    python preprocessing/make_shapes.py --out MESHES --per_category 150 --seed 0

writes MESHES/<category>/<category>_<number>.glb (y up, front towards +z, textures inside), 150 each
of airplane, car, chair, guitar and table. Object number i of a category depends on the
seed, the category and i alone: a larger --per_category adds objects and changes none. Existing
files are kept, so that a stopped run resumes. MESHES/shapes.json holds the seed; all objects of a
folder have the same one.
Prints a progress bar and how many files were written. preprocessing/render_views.py turns the
folder into training data.
"""

import argparse
import contextlib
import functools
import os
import pathlib
import zlib
from typing import NoReturn

import numpy as np
import trimesh
from tqdm import tqdm

from preprocessing.shapes import airplane, car, chair, guitar, table
from preprocessing.shapes.scene import to_scene
from utils.cli import parser, run, whole_number
from utils.errors import UserError
from utils.files import read_json, replacing, write_json
from utils.out_folder import working_in
from utils.processes import run_in_processes

MAKERS = {"airplane": airplane.make, "car": car.make, "table": table.make, "chair": chair.make, "guitar": guitar.make}
AHEAD = 4  # objects per process that are queued: they take a tenth of a second each
Job = tuple[str, int]  # category and number of an object


def scene(category: str, seed: int, number: int) -> trimesh.Scene:
    """Object `number` of a category."""
    rng = np.random.default_rng([seed, zlib.crc32(category.encode()), number])
    return to_scene(MAKERS[category](rng))


def path_of(out: str | os.PathLike[str], category: str, number: int) -> pathlib.Path:
    """The file of an object."""
    return pathlib.Path(out) / category / f"{category}_{number:04d}.glb"


def write(out: pathlib.Path, seed: int, job: Job) -> None:
    """Write one object as GLB, whole or not at all."""
    category, number = job
    data = scene(category, seed, number).export(file_type="glb", include_normals=True)
    with replacing(path_of(out, category, number)) as temporary:
        temporary.write_bytes(data)


def process_died(job: Job) -> NoReturn:
    """End the run: an object needs little memory, so the next ones would fail as well."""
    raise UserError("a process that wrote objects died (out of memory?): lower --jobs and start again")


def category_list(text: str) -> list[str]:
    """A `type` for add_argument: names of categories, separated by commas, each once."""
    names = list(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in MAKERS:
            raise argparse.ArgumentTypeError(f"unknown category {name!r}; known: {', '.join(MAKERS)}")
    return names


def parse(argv: list[str]) -> argparse.Namespace:
    """The arguments of the command."""
    flags = parser(__doc__)
    flags.add_argument("--out", type=pathlib.Path, required=True, help="folder to write to")
    flags.add_argument("--per_category", type=whole_number(1), default=150, help="objects in each category")
    flags.add_argument("--seed", type=whole_number(0), default=0, help="another seed gives other objects")
    flags.add_argument(
        "--categories", type=category_list, default=",".join(MAKERS), help="which categories, separated by commas"
    )
    flags.add_argument("--jobs", type=whole_number(1), default=2, help="processes")
    return flags.parse_args(argv)


def main(argv: list[str]) -> None:
    args = parse(argv)
    with working_in(args.out):
        write_missing(args)


def write_missing(args: argparse.Namespace) -> None:
    """Write the objects that the folder does not hold yet."""
    note, settings = args.out / "shapes.json", {"seed": args.seed}
    if note.exists() and (stored := read_json(note)) != settings:
        raise UserError(f"--out {args.out} holds objects of {stored}, not of seed {args.seed}: choose another folder")
    write_json(note, settings)
    jobs = [(category, number) for category in args.categories for number in range(args.per_category)]
    missing = [job for job in jobs if not path_of(args.out, *job).exists()]
    print(f"{len(jobs)} objects in {args.out}: {len(jobs) - len(missing)} exist, writing {len(missing)}")
    make = functools.partial(write, args.out, args.seed)
    results = run_in_processes(make, missing, args.jobs, died=process_died, ahead=AHEAD)
    with contextlib.closing(results):
        for _ in tqdm(results, total=len(missing), unit="object", disable=not missing):
            pass
    print(f"done: {args.out}/{{{','.join(args.categories)}}}/*.glb, {len(jobs)} objects")


if __name__ == "__main__":
    run(main)
