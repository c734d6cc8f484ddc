"""Build the database that training and evaluation read, from a data set in one of several formats.

    python preprocessing/gen_db.py --raw RAW --out DB
    python preprocessing/gen_db.py --raw RAW --out DB --lst_dir LISTS --category chair \\
        --image_size 138 --jobs 4
    python preprocessing/gen_db.py --format meshes --meshes MESHES --raw RAW --out DB \\
        --like models/pretrained/field
    python preprocessing/gen_db.py --format original --raw OBJECTS --out DB
    python preprocessing/gen_db.py --format disn --raw SDF_v1 --images ShapeNetRenderingh5_v1 \\
        --out DB --image_size 137
    python preprocessing/gen_db.py --format r2n2 --raw ShapeNetRendering --meshes ShapeNetCore.v1 \\
        --out DB --image_size 137

DB becomes a folder of shards as described in data/shard_format.py, whatever the format of RAW.
The split comes from the lists of --lst_dir, from lists in RAW, or from a hash of the ids.
Defaults are read from preprocessing/info.json.
Prints the plan, a progress bar, a line for every object that is left out or whose cameras are
recovered (with their reprojection error), and the counts of every category and split. A
stopped run resumes when it is started again. Exit code 3: something was left out.
"""

import argparse

from data.raw_layout import hand_on_render_settings
from preprocessing.database import flags, unfinished
from preprocessing.database.build import Job, build, make_plan, report
from preprocessing.meshes.distances import DEFAULT_SIGN
from preprocessing.readers.majority import decide
from preprocessing.readers.reader import DataFolders, Options
from preprocessing.readers.registry import DEFAULT, READERS, guess
from preprocessing.rendering.like import view_settings
from preprocessing.rendering.raw_folder import render_folder
from preprocessing.rendering.raw_writer import Settings
from utils.cli import run
from utils.errors import PartialFailure, UserError
from utils.out_folder import check_apart, working_in


def render(args: argparse.Namespace) -> str | None:
    """Render --meshes into --raw; returns how many meshes were left out, as a message, or None."""
    views = view_settings(args.like) if args.like else {}
    settings = Settings(
        **{**views, "image_size": args.image_size},
        sdf_points=args.sdf_points,
        surface_points=args.surface_points,
        sign=args.sign or DEFAULT_SIGN,
    )
    categories = None if args.category == "all" else [args.category]
    try:
        render_folder(args.meshes, args.raw, settings, engine=args.engine, categories=categories)
    except PartialFailure as error:
        return str(error)
    return None


def main(argv: list[str]) -> None:
    args = flags.parse(argv, __doc__)
    if args.format == flags.AUTO:
        args.format = guess(args.raw) or DEFAULT
    flags.check_format(args)
    check_apart(args.out, args.raw, args.images, args.meshes)
    with working_in(args.out, depth=0):
        build_database(args)


def build_database(args: argparse.Namespace) -> None:
    """Render meshes if that is wanted, then write the shards that are missing."""
    unrendered = None
    if args.format == flags.MESHES:
        unrendered, args.format, args.meshes = render(args), DEFAULT, None
    job = Job(
        layout=args.format,
        folders=DataFolders(args.raw, args.images, args.meshes),
        out=args.out,
        category=args.category,
        lst_dir=args.lst_dir,
        shares=args.shares,
        objects_per_shard=args.objects_per_shard,
        engine=args.engine,
    )
    plans, absent = make_plan(job)
    objects = [source for plan in plans for source in plan.objects]
    conventions = READERS[job.layout].conventions
    decided = {convention.option: decide(convention, objects) for convention in conventions}
    options = Options(
        args.image_size,
        args.sdf_points,
        args.surface_points,
        sdf_offset=args.sdf_offset,
        sign=args.sign or DEFAULT_SIGN,
        **decided,
    )
    left_out = build(plans, job, options)
    if len(left_out) == len(objects):
        first = next(iter(left_out.values()))
        raise UserError(f"none of the {len(objects)} objects could be read; the first: {first}")
    # and with it to weights that are trained on it; a database that the build refused keeps its own
    hand_on_render_settings(args.raw, args.out)
    built = {plan.category for plan in plans}
    left = unfinished.finish(job.out, unfinished.begun(job.out) if job.category == "all" else built)
    report(plans, job.out)
    if left:
        advice = "build them too, or run without --category"
        print(f"not finished: an earlier run that was stopped began {', '.join(left)} as well; {advice}")
    if left_out or absent:
        raise PartialFailure(
            f"{len(left_out)} objects could not be read and {absent} listed ones are not there; see above"
        )
    if unrendered:
        raise PartialFailure(unrendered)


if __name__ == "__main__":
    run(main)
