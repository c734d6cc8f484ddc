"""Build the database that training and evaluation read: a data set in one of several layouts -> HDF5 shards.

    python preprocessing/gen_db.py --raw RAW --out DB
    python preprocessing/gen_db.py --raw RAW --out DB --lst_dir LISTS --category chair --image_size 138 --jobs 4
    python preprocessing/gen_db.py --format meshes --meshes MESHES --raw RAW --out DB
    python preprocessing/gen_db.py --format original --raw OBJECTS --out DB
    python preprocessing/gen_db.py --format disn --raw SDF_v1 --images ShapeNetRenderingh5_v1 --out DB --image_size 137
    python preprocessing/gen_db.py --format r2n2 --raw ShapeNetRendering --meshes ShapeNetCore.v1 --out DB --image_size 137

DB becomes the folder of shards described in data/shards.py, whatever the layout of RAW (data/raw_layout.py, data/external_layouts.py):
  im2avatar  Im2Avatar's data set, or what render_views.py writes. Cameras come from cameras.h5; where there is none they
             are recovered from the flow volumes and an error above 2 pixels is refused. Distances come from
             models/surface.h5; where there is none from the filled 64^3 volume.
  meshes     render_views.py with its defaults, MESHES into RAW, then as im2avatar.
  original   voxels and cameras of voxel.h5 and h5/*.h5; distances from the filled volume. Axes of the voxels and the order
             of the colour channels are found out and reported.
  disn       distances of ori_sample.h5, cameras and views of *.h5 (BGRA). The surface comes from the distances, its colours
             from the views that see it; with --meshes both come from the mesh.
  r2n2       3D-R2N2's renderings and cameras; surface, colours and distances come from --meshes.
Lists of objects: those of --lst_dir, else those in RAW, else a split by a hash of the ids. Defaults are read from
preprocessing/info.json. Prints the plan, a progress bar, a line for every object that had to be left out or whose cameras
were recovered (with their reprojection error), and the counts of every category and split. About half a second an
object and core, 4 for disn without meshes. Started again it goes on where it stopped. Exit code 3: something was left out.
"""

from preprocessing import render_views
from preprocessing.database import flags, unfinished
from preprocessing.database.build import build, make_plan, report
from preprocessing.readers.im2avatar import Options
from preprocessing.readers.majority import find_out
from preprocessing.readers.registry import guess
from preprocessing.recovery import dlt
from utils.cli import run
from utils.errors import PartialFailure, UserError
from utils.files import check_out


def render(args):
    """Render --meshes into --raw with the defaults of render_views.py; gives the note of what was left out, or None."""
    counts = ["--image_size", args.image_size, "--sdf_points", args.sdf_points, "--surface_points", args.surface_points]
    chosen = [] if args.category == "all" else ["--categories", args.category]
    try:
        render_views.main(
            [*map(str, ["--meshes", args.meshes, "--out", args.raw, "--jobs", args.jobs, *counts, *chosen])]
        )
    except PartialFailure as error:
        return str(error)
    return None


def main(argv=None):
    args = flags.parse(argv, __doc__)
    if args.format == "auto":
        args.format = guess(args.raw) or "im2avatar"
    flags.check_format(args)
    check_out(args.out)
    unrendered = None
    if args.format == "meshes":
        unrendered, args.format, args.meshes = render(args), "im2avatar", None
    plans, absent = make_plan(args)
    objects = [raw for plan in plans for raw in plan.objects]
    options = Options(
        args.image_size,
        args.sdf_points,
        args.surface_points,
        sdf_offset=args.sdf_offset,
        **find_out(args.format, objects),
    )
    settings = {
        "image_size": [args.image_size, args.image_size],
        "objects_per_shard": args.objects_per_shard,
        "sdf_points": args.sdf_points,
        "surface_points": args.surface_points,
        "axes": dlt.describe(options.axes),
    }
    if args.format != "im2avatar":
        settings["format"] = args.format
    if args.format == "original":
        settings["channels"] = options.channels
    if args.format == "disn":
        settings |= {"sdf_offset": args.sdf_offset, "surface": "meshes" if args.meshes else "distances and views"}
    left_out = build(plans, options, settings, args)
    if len(left_out) == len(objects):
        first = next(iter(left_out.values()))
        raise UserError(f"none of the {len(objects)} objects could be read, nothing was written; the first: {first}")
    built = {plan.category for plan in plans}
    left = unfinished.finish(args.out, unfinished.begun(args.out) if args.category == "all" else built)
    report(plans, args)
    if left:
        print(
            f"not finished: an earlier run that was stopped began {', '.join(left)} as well; build them too, or run without --category"
        )
    if left_out or absent:
        raise PartialFailure(
            f"{len(left_out)} objects could not be read and {absent} listed ones are not there; see above"
        )
    if unrendered:
        raise PartialFailure(unrendered)


if __name__ == "__main__":
    run(main)
