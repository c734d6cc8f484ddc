"""The flags that say where work on many objects runs."""

import argparse

from utils.cli import whole_number
from utils.engines import BACKENDS, Engine
from utils.errors import UserError


def add_flags(p: argparse.ArgumentParser, help: str = "objects at once") -> None:
    """Add --jobs, --backend and --scheduler."""
    p.add_argument("--jobs", type=whole_number(1), default=1, help=help)
    add_backend(p)


def add_backend(p: argparse.ArgumentParser) -> None:
    """Add --backend and --scheduler."""
    p.add_argument(
        "--backend",
        choices=BACKENDS,
        default="processes",
        help="where they run: " + "; ".join(f"{name} = {meaning}" for name, meaning in BACKENDS.items()),
    )
    p.add_argument(
        "--scheduler", default="", metavar="ADDRESS", help="backend dask: a running scheduler, such as tcp://host:8786"
    )


def of_flags(args: argparse.Namespace) -> Engine:
    """The Engine of parsed flags; UserError for a scheduler without its backend."""
    if args.scheduler and args.backend != "dask":
        raise UserError(f"scheduler {args.scheduler} needs backend dask")
    return Engine(args.jobs, args.backend, args.scheduler)
