"""What was loaded from a file of another program, and what was left out."""

import os
from collections.abc import Sequence
from typing import NamedTuple


class Skipped(NamedTuple):
    """A variable of the file, or of the network, that was not loaded."""

    name: str
    shape: tuple[int, ...]
    reason: str


def print_report(source: str | os.PathLike[str], loaded: int, skipped: Sequence[Skipped]) -> None:
    """Print the number of loaded variables and a line for every skipped one."""
    print(f"{source}: {loaded} variables loaded, {len(skipped)} not")
    for name, shape, reason in skipped:
        print(f"  not loaded: {name} {list(shape)}: {reason}")
