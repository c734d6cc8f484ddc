"""Write textured 3D objects of the four categories: something to train on without downloading a data set.

    python preprocessing/make_shapes.py --out MESHES --per_category 150 --seed 0

writes MESHES/<category>/<category>_<number>.glb (y up, front towards +z, textures inside), 150 each of car, chair, guitar
and table, in about a minute. Object number i of a category depends on the seed, the category and i alone, so a larger
--per_category adds objects and changes none. Files that are there are kept: a run that was stopped goes on. The seed is
noted in MESHES/shapes.json, and a folder holds the objects of one seed.
Prints a progress bar and how many files were written; preprocessing/render_views.py turns the folder into training data.
"""

import concurrent.futures
import contextlib
import functools
import multiprocessing
import pathlib
import zlib
from concurrent.futures.process import BrokenProcessPool

from tqdm import tqdm

from utils import cli, errors, files
from utils.files import check_out
from utils.processes import start_worker

CATEGORIES = ("car", "table", "chair", "guitar")


def scene(category, seed, number):
    """Object `number` of a category as a trimesh scene."""
    import numpy as np

    from preprocessing.shapes import car, chair, guitar, parts, table

    make = {"car": car.make, "table": table.make, "chair": chair.make, "guitar": guitar.make}[category]
    return parts.to_scene(make(np.random.default_rng([seed, zlib.crc32(category.encode()), number])))


def path_of(out, category, number):
    """Where an object is written."""
    return pathlib.Path(out) / category / f"{category}_{number:04d}.glb"


def write(out, seed, job):
    """Write one (category, number) as GLB, whole or not at all."""
    category, number = job
    data = scene(category, seed, number).export(file_type="glb", include_normals=True)
    with files.replacing(path_of(out, category, number)) as temporary:
        temporary.write_bytes(data)


def write_all(jobs, out, seed, processes):
    """Write the (category, number) jobs; yields once for each that is done."""
    one = functools.partial(write, out, seed)
    if min(processes, len(jobs)) <= 1:
        yield from map(one, jobs)
        return
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(min(processes, len(jobs)), context, start_worker) as pool:
        try:
            yield from pool.map(one, jobs, chunksize=4)
        except BrokenProcessPool:
            raise errors.UserError(
                "a process that wrote objects died (out of memory?): lower --jobs and start again"
            ) from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def arguments(argv):
    """Parsed and checked arguments."""
    parser = cli.parser(__doc__)
    parser.add_argument("--out", required=True, help="folder to write to")
    parser.add_argument("--per_category", type=int, default=150, help="objects in each category")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives other objects")
    parser.add_argument("--categories", default=",".join(CATEGORIES), help="which categories, separated by commas")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    args = parser.parse_args(argv)
    args.categories = list(dict.fromkeys(name.strip() for name in args.categories.split(",")))
    for name in args.categories:
        if name not in CATEGORIES:
            raise errors.UserError(f"--categories: unknown category {name!r}; known: {', '.join(CATEGORIES)}")
    for flag, low in (("per_category", 1), ("seed", 0), ("jobs", 1)):
        if getattr(args, flag) < low:
            raise errors.UserError(f"--{flag} must be at least {low}, not {getattr(args, flag)}")
    return args


def main(argv):
    args = arguments(argv)
    out = pathlib.Path(args.out)
    check_out(out)
    note = out / "shapes.json"
    if note.exists() and (there := files.read_json(note)) != {"seed": args.seed}:
        raise errors.UserError(f"--out {out} holds objects of {there}, not of seed {args.seed}: choose another folder")
    files.write_json(note, {"seed": args.seed})
    for stale in out.glob("*/.*.tmp.glb"):  # of a run that was killed
        stale.unlink()
    jobs = [(category, number) for category in args.categories for number in range(args.per_category)]
    missing = [job for job in jobs if not path_of(out, *job).exists()]
    print(f"{len(jobs)} objects in {out}: {len(jobs) - len(missing)} are there, writing {len(missing)}")
    # closed on an interrupt, wherever it comes: else Python would write all that is queued before it ends
    with contextlib.closing(write_all(missing, out, args.seed, args.jobs)) as written:
        for _ in tqdm(written, total=len(missing), unit="object", disable=not missing):
            pass
    print(f"done: {out}/{{{','.join(args.categories)}}}/*.glb, {len(jobs)} objects")


if __name__ == "__main__":
    cli.run(main)
