"""What was loaded from a file of another program, what was left out, and what is refused."""

import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from utils.errors import UserError, first_of


class Skipped(NamedTuple):
    """A variable of the file, or of the network, that was not loaded."""

    name: str
    shape: tuple[int, ...]
    reason: str


def check_finite(source: str | os.PathLike[str], values: Iterable[tuple[str, np.ndarray]]) -> None:
    """UserError naming the arrays, (name, values), that hold values which are not finite."""
    broken = [name for name, value in values if not np.isfinite(value).all()]
    if broken:
        raise UserError(f"{source} cannot be used, values are not finite: {first_of(broken)}")


def print_report(source: str | os.PathLike[str], loaded: int, skipped: Sequence[Skipped]) -> None:
    """Print the number of loaded variables and a line for every skipped one."""
    print(f"{source}: {loaded} variables loaded, {len(skipped)} not")
    for name, shape, reason in skipped:
        print(f"  not loaded: {name} {list(shape)}: {reason}")
