"""Text files from anywhere: their encoding, packed ones, tables of numbers."""

import bz2
import codecs
import gzip
import itertools
import lzma
import pathlib
import warnings
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from utils.files import Path

# byte order marks of text files -> their encodings, which leave the mark out; the longest first
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# compressed text files that numpy.loadtxt reads too, by their endings
OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open, ".lzma": lzma.open}


def marked_encoding(path: Path) -> str | None:
    """The encoding of a text file by its byte order mark, as Windows programs write it; else None.

    OSError if it cannot be read.
    """
    with _opener(path)(path, "rb") as file:
        start = file.read(max(map(len, MARKS)))
    return next((name for mark, name in MARKS.items() if start.startswith(mark)), None)


def _opener(path: Path) -> Callable[..., Any]:
    return OPENERS.get(pathlib.Path(path).suffix, open)


def numbered_lines(path: Path, encoding: str | None = None, comments: str | None = None) -> Iterator[tuple[int, str]]:
    """The lines that read_numbers takes for rows, with their numbers in the file, from 1.

    These are the lines that are not blank. What is not text in the encoding is replaced. The
    arguments are those of read_numbers; the errors too, and those of damaged packed files.
    """
    encoding = marked_encoding(path) or encoding
    with _opener(path)(path, "rt", encoding=encoding, errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if (content := line.split(comments)[0] if comments else line).strip():
                yield number, content


def line_of_row(path: Path, row: int, encoding: str | None = None, comments: str | None = None) -> str:
    """'<path>, line N' of a row that read_numbers has read, for messages."""
    number, _ = next(itertools.islice(numbered_lines(path, encoding, comments), row, None), (row + 1, ""))
    return f"{path}, line {number}"


def read_numbers(path: Path, encoding: str | None = None, **how: Any) -> np.ndarray:
    """A text file of numbers -> (rows, columns) float64, no rows of an empty file.

    Args:
        path: the file.
        encoding: of a file without a byte order mark; None: that of the system.
        how: further arguments of numpy.loadtxt.

    Raises:
        ValueError: it holds something else, or rows of several lengths, or is packed and damaged.
        OSError: it cannot be read.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about an empty file, which its shape tells
        try:
            return np.loadtxt(path, ndmin=2, encoding=marked_encoding(path) or encoding, **how)
        except (EOFError, zlib.error, lzma.LZMAError) as error:
            raise ValueError(f"it cannot be unpacked: {error}") from None
