"""The flags of gen_db.py: their defaults in info.json, and which of them a layout has a use for."""

import argparse
import os
import pathlib

from data.shards import SPLITS
from utils.cli import parser
from utils.errors import UserError
from utils.files import read_json

INFO = pathlib.Path(__file__).parents[1] / "info.json"
FORMATS = ("auto", "im2avatar", "meshes", "original", "disn", "r2n2")
OWN = {
    "images": ("original", "disn"),
    "meshes": ("meshes", "disn", "r2n2"),
    "sdf_offset": ("disn",),
}  # flags of some formats alone
NEEDED = {"meshes": ("meshes", "r2n2")}
NUMBERS = dict.fromkeys(("image_size", "objects_per_shard", "sdf_points", "surface_points", "jobs"), int) | {
    "sdf_offset": float
}


def _defaults(path):
    """The settings of info.json, over them those of the file `path`, checked."""
    defaults, given = read_json(INFO), read_json(path)
    if not isinstance(given, dict) or set(given) - set(defaults):
        unknown = ", ".join(sorted(set(given) - set(defaults))) if isinstance(given, dict) else "not an object"
        raise UserError(f"{path}: unknown settings: {unknown}; known: {', '.join(defaults)}")
    optional = [key for key, value in defaults.items() if value is None]
    defaults |= given
    kinds = {**NUMBERS, "split": dict}
    for key, value in defaults.items():
        kind = kinds.get(key, str)
        if not (type(value) is kind or (value is None and key in optional) or (kind is float and type(value) is int)):
            raise UserError(f"{path}: {key} is {value!r}, it should be of type {kind.__name__}")
    shares = defaults["split"]
    numbers = all(type(share) in (int, float) and 0 <= share <= 1 for share in shares.values())
    if set(shares) != set(SPLITS) or not numbers or abs(sum(shares.values()) - 1) > 1e-6:
        raise UserError(f"{path}: split must give train, val and test shares that add up to 1")
    return defaults


def parse(argv, doc):
    """The command's arguments; defaults come from preprocessing/info.json, over them the file of --info."""
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    early.add_argument("--info", type=pathlib.Path, default=INFO)
    info = early.parse_known_args(argv)[0].info
    defaults = _defaults(info)
    flags = parser(doc)
    flags.add_argument(
        "--info",
        type=pathlib.Path,
        default=INFO,
        help="JSON file with other defaults for the flags, and the split shares",
    )

    def add(name, kind, text, **more):
        flags.add_argument(f"--{name}", type=kind, default=defaults[name], help=text, **more)

    add(
        "raw",
        pathlib.Path,
        "folder of <category>/<object>/ in one of the layouts; with --format meshes the views go there",
    )
    add("out", pathlib.Path, "folder of the database")
    add("format", str, "layout of --raw; auto: told from its files", choices=FORMATS)
    add("images", pathlib.Path, "original, disn: folder of the views' HDF5 files; none: --raw")
    add(
        "meshes",
        pathlib.Path,
        "folder of meshes. meshes: to render; r2n2: those rendered; disn: surface and colours from them",
    )
    add("sdf_offset", float, "disn: subtracted from its distances, in its units (DISN trains with 0.003)")
    add(
        "lst_dir",
        pathlib.Path,
        "folder of {train,val,test}_list_<category>.txt or DISN's lists; none: --raw's, else a split by hash",
    )
    add("category", str, "one category (name or synset id), or all")
    add("image_size", int, "side of the stored views in pixels; the cameras move along")
    add("objects_per_shard", int, "objects in a file")
    add("sdf_points", int, "points with a signed distance of every object, at most")
    add("surface_points", int, "coloured surface points of every object, at most")
    add("jobs", int, "objects read at once; 0: one for each core")
    args = flags.parse_args(argv)
    for name, least in (
        ("image_size", 8),
        ("objects_per_shard", 1),
        ("sdf_points", 1),
        ("surface_points", 1),
        ("jobs", 0),
    ):
        if getattr(args, name) < least:
            raise UserError(f"--{name} {getattr(args, name)}: it must be at least {least}")
    if args.format not in FORMATS:  # --info's
        raise UserError(f"{info}: format is {args.format!r}; known: {', '.join(FORMATS)}")
    args.jobs = args.jobs or os.cpu_count() or 1
    args.shares = defaults["split"]
    return args


def check_format(args):
    """UserError if a flag is given that the layout has no use for, or one is missing that it needs."""
    for name, formats in OWN.items():
        if getattr(args, name) and args.format not in formats:
            raise UserError(f"--{name} is for --format {' and '.join(formats)}, this is {args.format}")
    for name, formats in NEEDED.items():
        if args.format in formats and not getattr(args, name):
            raise UserError(f"--format {args.format} needs --{name}")
