"""What a kind of input is: valid files to change, and what reads them."""

import dataclasses
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

# what replaces files of the valid folder: bytes; None: the file is missing; edits of an HDF5 file
Changes = dict[str, bytes | None | list[tuple[Any, ...]]]


@dataclasses.dataclass(frozen=True)
class Target:
    """A reader and the files it reads.

    Attributes:
        name: of the target.
        group: the row of the table that its inputs are counted in.
        write: writes valid files into a folder; called once, in a process of its own.
        read: reads such a folder. It refuses it by a UserError and checks by assertions what it
            accepts.
        crafted: further changes, beside those of bytes, words and structure.
        fixed: names of files that stay as they are.
    """

    name: str
    group: str
    write: Callable[[pathlib.Path], object]
    read: Callable[[pathlib.Path], object]
    crafted: Sequence[st.SearchStrategy[Changes]] = ()
    fixed: tuple[str, ...] = ()
