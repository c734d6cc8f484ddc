"""Turn textured meshes into training data: views with cameras, voxel volumes, signed distances.

    python preprocessing/render_views.py --meshes MESHES --out RAW
    python preprocessing/render_views.py --meshes MESHES --out RAW --azimuth random \\
        --elevation -10 60 --distance auto 1 1.6 --focal 0.7 2.5 --light random --jobs 4
    python preprocessing/render_views.py --meshes MESHES --out RAW --like models/pretrained/field

MESHES holds <category>/<object>.glb (or gltf, obj, ply, off, stl) or ShapeNet's
<category>/<object>/models/*.obj. The meshes need not be watertight; y is up. Every object becomes
RAW/<category>/<object>/ in the layout of data/raw_layout.py. View 0 looks from azimuth 90 degrees
(+x), the next one from 120, and so on.
Prints a progress bar, one line for every mesh or texture that cannot be used, and where the result
is. A stopped run resumes when it is started again. Exit code 3: some meshes were left out.
"""

import argparse
import dataclasses
import pathlib
from collections.abc import Callable

from preprocessing.meshes.distances import SIGN_HELP, SIGNS
from preprocessing.rendering.like import HELP, view_settings
from preprocessing.rendering.raw_folder import render_folder
from preprocessing.rendering.raw_writer import AUTO, AZIMUTHS, BOUNDS, STRETCH, Settings
from utils import engine_flags
from utils.cli import Parser, parser, real_number, run, whole_number
from utils.errors import UserError
from utils.rendering.lights import LIGHTS

DISTANCE = "auto (all in the image), auto MIN MAX to draw a factor of that from, D, or MIN MAX to draw from"


def _distance(text: str) -> float | str:
    """A `type` for add_argument: 'auto' or a distance."""
    return text if text == AUTO else _number("distance")(text)


def _number(setting: str) -> Callable[[str], float]:
    """A `type` for add_argument: a number within the bounds of a setting."""
    above, below = BOUNDS[setting]
    return real_number(above=above, below=below)


def _check_span(flag: str, values: list[float]) -> None:
    """UserError unless the values of a flag are one number or MIN MAX."""
    if len(values) not in (1, 2) or values != sorted(values):
        raise UserError(f"{flag} {' '.join(f'{value:g}' for value in values)}: give one number or MIN MAX")


def parse(argv: list[str]) -> tuple[argparse.Namespace, Settings]:
    """The arguments of the command and the settings in them, both checked."""
    early = Parser(add_help=False, allow_abbrev=False)
    early.add_argument("--like", type=pathlib.Path)
    like = early.parse_known_args(argv)[0].like
    flags = parser(__doc__)
    default = dataclasses.replace(Settings(), **(view_settings(like) if like else {}))
    flags.add_argument("--meshes", type=pathlib.Path, required=True, help="folder of <category>/<object> meshes")
    flags.add_argument("--out", type=pathlib.Path, required=True, help="raw folder to write")
    flags.add_argument("--views", type=whole_number(1), default=default.views, help="views of every object")
    flags.add_argument(
        "--image_size", type=whole_number(8), default=default.image_size, help="side of the views in pixels"
    )
    flags.add_argument(
        "--elevation",
        type=_number("elevation"),
        nargs="+",
        default=default.elevation,
        metavar="DEGREES",
        help="elevation, or MIN MAX to draw from",
    )
    flags.add_argument("--azimuth", choices=AZIMUTHS, default=default.azimuth, help="even: 90 + 360 i / views degrees")
    flags.add_argument("--distance", type=_distance, nargs="+", default=default.distance, metavar="D", help=DISTANCE)
    flags.add_argument(
        "--focal",
        type=_number("focal"),
        nargs="+",
        default=default.focal,
        metavar="F",
        help="focal length over the width of the image, or MIN MAX to draw from",
    )
    flags.add_argument(
        "--light",
        choices=LIGHTS,
        default=default.light,
        help="camera: the same from the camera in all views; random: drawn for every view",
    )
    flags.add_argument(
        "--sdf_points",
        type=whole_number(1),
        default=default.sdf_points,
        help="points of every object with a signed distance",
    )
    flags.add_argument(
        "--surface_points",
        type=whole_number(1),
        default=default.surface_points,
        help="coloured surface points of every object",
    )
    flags.add_argument("--sign", choices=SIGNS, default=default.sign, help=SIGN_HELP)
    flags.add_argument("--seed", type=whole_number(0), default=default.seed, help="seed of all random numbers")
    flags.add_argument(
        "--stretched",
        type=whole_number(0),
        default=0,
        help=f"also render so many copies of every object, stretched along x, y and z by "
        f"{STRETCH[0]:g} to {STRETCH[1]:g}; make_lists.py keeps them for training",
    )
    engine_flags.add_flags(flags)
    flags.add_argument("--categories", nargs="+", help="only these category folders")
    flags.add_argument(
        "--like",
        type=pathlib.Path,
        metavar="FOLDER",
        help=f"{HELP}, where they are not given",
    )
    args = flags.parse_args(argv)
    _check_span("--elevation", args.elevation)
    _check_span("--focal", args.focal)
    numbers = args.distance[1:] if args.distance[0] == AUTO else args.distance
    if AUTO in numbers:
        raise UserError(f"--distance {' '.join(map(str, args.distance))}: 'auto' comes first")
    if numbers:
        _check_span("--distance", numbers)
    return args, Settings(
        views=args.views,
        image_size=args.image_size,
        elevation=args.elevation,
        azimuth=args.azimuth,
        distance=args.distance,
        focal=args.focal,
        light=args.light,
        sdf_points=args.sdf_points,
        surface_points=args.surface_points,
        sign=args.sign,
        seed=args.seed,
    )


def main(argv: list[str]) -> None:
    args, settings = parse(argv)
    render_folder(
        args.meshes,
        args.out,
        settings,
        engine=engine_flags.of_flags(args),
        categories=args.categories,
        stretched=args.stretched,
    )


if __name__ == "__main__":
    run(main)
