"""The flags of gen_db.py: defaults from info.json, and which of them a format has a use for."""

import argparse
import os
import pathlib
from typing import Any

from data.shard_format import SPLITS
from preprocessing.meshes.distances import DEFAULT_SIGN, SIGN_HELP, SIGNS
from preprocessing.readers.registry import READERS
from preprocessing.rendering.like import HELP, view_settings
from utils import engine_flags
from utils.cli import Parser, parser, real_number, whole_number
from utils.errors import UserError
from utils.files import read_json

INFO = pathlib.Path(__file__).parents[1] / "info.json"
AUTO = "auto"  # the format is inferred from the files
MESHES = "meshes"  # not a layout: meshes are rendered first, into the layout registry.DEFAULT
MESHES_DESCRIPTION = """\
render_views.py with its defaults or --like, --meshes into --raw, then as im2avatar."""
FORMATS = (AUTO, MESHES, *READERS)
OPTIONAL = ("images", "meshes", "like", "sdf_offset", "sign")  # flags that have a use for some formats alone
TYPES = {
    "image_size": int,
    "objects_per_shard": int,
    "sdf_points": int,
    "surface_points": int,
    "jobs": int,
    "sdf_offset": float,
    "split": dict,
}  # of the settings of info.json that are not text


def _purposes(name: str) -> dict[str, str]:
    """{format: what it uses an optional flag for}."""
    rendered = {"meshes": {MESHES: "the meshes to render"}, "like": {MESHES: HELP}, "sign": {MESHES: SIGN_HELP}}
    return rendered.get(name, {}) | {
        reader.name: reader.uses[name] for reader in READERS.values() if name in reader.uses
    }


def _needs(name: str) -> list[str]:
    """The formats that need an optional flag."""
    return [MESHES] * (name == "meshes") + [reader.name for reader in READERS.values() if name in reader.needs]


def _help_of(name: str) -> str:
    """The help of an optional flag: formats and what they use it for."""
    purposes = _purposes(name)
    formats = {text: ", ".join(name for name in purposes if purposes[name] == text) for text in purposes.values()}
    return "; ".join(f"{names}: {text}" for text, names in formats.items())


def _format_help() -> str:
    """The formats and their descriptions, for the end of the help."""
    descriptions = {MESHES: MESHES_DESCRIPTION} | {reader.name: reader.description for reader in READERS.values()}
    lines = ["formats:"]
    for name, description in descriptions.items():
        first, *rest = description.splitlines()
        lines += [f"  {name:<11}{first}", *(f"{'':13}{line}" for line in rest)]
    return "\n".join(lines)


def _defaults(path: pathlib.Path) -> dict[str, Any]:
    """The settings of info.json, replaced by those of the file `path`, checked."""
    defaults, overrides = read_json(INFO), read_json(path)
    if not isinstance(overrides, dict) or set(overrides) - set(defaults):
        unknown = ", ".join(sorted(set(overrides) - set(defaults))) if isinstance(overrides, dict) else "not an object"
        raise UserError(f"{path}: unknown settings: {unknown}; known: {', '.join(defaults)}")
    optional = [key for key, value in defaults.items() if value is None]
    defaults |= overrides
    for key, value in defaults.items():
        kind = TYPES.get(key, str)
        if not (type(value) is kind or (value is None and key in optional) or (kind is float and type(value) is int)):
            raise UserError(f"{path}: {key} is {value!r}, it should be of type {kind.__name__}")
    shares = defaults["split"]
    numbers = all(type(share) in (int, float) and 0 <= share <= 1 for share in shares.values())
    if set(shares) != set(SPLITS) or not numbers or abs(sum(shares.values()) - 1) > 1e-6:
        raise UserError(f"{path}: split must give train, val and test shares that add up to 1")
    if defaults["format"] not in FORMATS:
        raise UserError(f"{path}: format is {defaults['format']!r}; known: {', '.join(FORMATS)}")
    return defaults


def parse(argv: list[str], doc: str | None) -> argparse.Namespace:
    """The arguments of the command, and `shares` {split: share} from the settings file.

    Args:
        argv: the words of the command line.
        doc: the text that the help begins with.
    """
    early = Parser(add_help=False, allow_abbrev=False)
    early.add_argument("--info", type=pathlib.Path, default=INFO)
    early.add_argument("--like", type=pathlib.Path)
    known, _ = early.parse_known_args(argv)
    defaults = _defaults(known.info)
    if like := known.like or defaults["like"]:
        defaults |= {name: value for name, value in view_settings(pathlib.Path(like)).items() if name == "image_size"}
    flags = parser(doc)
    flags.epilog = _format_help()
    flags.add_argument(
        "--info", type=pathlib.Path, default=INFO, help="JSON file with other defaults of the flags, and split shares"
    )

    def add(name: str, kind: Any, text: str, **more: Any) -> None:
        default = defaults[name]  # as text, so that `kind` checks it as it checks the flag
        flags.add_argument(f"--{name}", type=kind, default=None if default is None else str(default), help=text, **more)

    path = pathlib.Path
    add("raw", path, "folder of <category>/<object>/ in one of the formats; --format meshes writes the views there")
    add("out", path, "folder of the database")
    add("format", str, "layout of --raw; auto: inferred from its files", choices=FORMATS)
    add("images", path, _help_of("images"))
    add("meshes", path, f"folder of meshes. {_help_of('meshes')}")
    add("like", path, _help_of("like"), metavar="FOLDER")
    add("sdf_offset", real_number(), _help_of("sdf_offset"))
    add("sign", str, f"{_help_of('sign')} (default: {DEFAULT_SIGN})", choices=SIGNS)
    lists = "folder of {train,val,test}_list_<category>.txt or DISN's lists"
    add("lst_dir", path, f"{lists}; without it those in --raw, or a split by hash")
    add("category", str, "one category (name or synset id), or all")
    add("image_size", whole_number(8), "side of the stored views in pixels; the cameras follow")
    add("objects_per_shard", whole_number(1), "objects in a file")
    add("sdf_points", whole_number(1), "points of every object with a signed distance, at most")
    add("surface_points", whole_number(1), "coloured surface points of every object, at most")
    add("jobs", whole_number(0), "objects read at once; 0: one for each core")
    engine_flags.add_backend(flags)
    args = flags.parse_args(argv)
    args.jobs = args.jobs or os.cpu_count() or 1
    args.engine = engine_flags.of_flags(args)
    args.shares = defaults["split"]
    return args


def check_format(args: argparse.Namespace) -> None:
    """UserError for a flag that the format has no use for, or for a missing one that it needs."""
    for name in OPTIONAL:
        if getattr(args, name) and args.format not in _purposes(name):
            raise UserError(f"--{name} is for --format {' and '.join(_purposes(name))}, this is {args.format}")
        if args.format in _needs(name) and not getattr(args, name):
            raise UserError(f"--format {args.format} needs --{name}")
