"""The elements of a PLY file as arrays; what they mean is the topic of read.py.

Numbers in ASCII are read as 64-bit floats, which are then laid out like a binary file. Rows whose
lists have the same lengths are read at once; other elements are walked through once to find where
each list begins. (plyfile reads list by list.)
"""

import array
import dataclasses
import pathlib
import re
import struct
import warnings
from typing import NamedTuple

import numpy as np

from preprocessing.meshes.no_numbers import as_nan
from utils.errors import UserError

TYPES = {
    **{"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4"},
    **{"int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4"},
    **{"int64": "i8", "uint64": "u8", "long": "i8", "ulong": "u8"},
    **{"float": "f4", "double": "f8", "float32": "f4", "float64": "f8"},
}
STRUCT_CODES = {"i1": "b", "u1": "B", "i2": "h", "u2": "H", "i4": "i", "u4": "I", "i8": "q", "u8": "Q", "f8": "d"}
ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
PADDING = b"\0\t\n\r "  # what programs leave behind binary data
NUMBER = "<f8"  # how numbers of ASCII files are laid out


class Lists(NamedTuple):
    """A list per row."""

    values: np.ndarray  # all lists, one after another
    sizes: np.ndarray  # (rows,) their lengths


@dataclasses.dataclass
class Element:
    """A table of a PLY file: its columns by their names in lower case."""

    count: int  # rows
    scalars: dict[str, np.ndarray]  # (rows,), in the type that the header declares
    lists: dict[str, Lists]


@dataclasses.dataclass
class PlyFile:
    """All that a PLY file holds."""

    elements: dict[str, Element]  # by name in lower case
    comments: list[str]  # with those of obj_info


class _Property(NamedTuple):
    name: str
    kind: str  # numpy's type of the values, without byte order
    length_kind: str | None  # of the length, if the property is a list


class _Header(NamedTuple):
    order: str  # one of ORDERS's values
    elements: list[tuple[str, int, list[_Property]]]
    comments: list[str]


def read_ply(path: pathlib.Path) -> PlyFile:
    """Read a PLY file, ASCII or binary; UserError if it breaks the format or is cut off.

    Warns of data behind those that the header declares.
    """
    raw = path.read_bytes()
    header, position = _split_header(raw, path)
    if header.order:
        body, order, replaced = memoryview(raw)[position:], header.order, None
    else:
        body, order, replaced = memoryview(_numbers(raw[position:], path)), "<", NUMBER[1:]
    elements: dict[str, Element] = {}
    position = 0
    for name, count, properties in header.elements:
        try:
            elements[name], position = _read_element(body, position, count, properties, order, replaced)
        except (ValueError, struct.error):
            raise UserError(f"{path} cannot be read: it is damaged, or too short for {count} x {name}") from None
    if replaced and position < len(body):
        raise UserError(f"{path} cannot be read: it holds more numbers than its header declares")
    if bytes(body[position:]).strip(PADDING):
        text = f"{path} has {len(body) - position} bytes more than its header declares: they are left out"
        warnings.warn(text, stacklevel=3)
    return PlyFile(elements, header.comments)


def _split_header(raw: bytes, path: pathlib.Path) -> tuple[_Header, int]:
    """The header of a PLY file and the position of its data."""
    match = re.match(rb"(?:\xef\xbb\xbf)?\s*ply[ \t]*(\r\n|\n|\r)", raw, re.IGNORECASE)
    # where lines end with \r alone, a \n that follows is data
    end = match and re.search(
        rb"[\r\n]end_header[ \t]*(\Z|" + (rb"\r" if match[1] == b"\r" else rb"\r?\n") + rb")", raw
    )
    if not match or not end:
        raise UserError(f"{path} cannot be read: it is no PLY file, or its header is cut off")
    header = _Header("", [], [])
    lines = [words for words in (line.split(None, 1) for line in _decode(raw[match.end() : end.start()])) if words]
    for keyword, *rest in lines:
        text = rest[0].strip() if rest else ""
        words = text.split()
        try:
            if keyword == "format":
                header = header._replace(order=ORDERS[words[0]])
            elif keyword in ("comment", "obj_info"):
                header.comments.append(text)
            elif keyword == "element":
                name, count = words
                header.elements.append((name.lower(), _natural(count), []))
            elif keyword == "property":
                header.elements[-1][2].append(_property(words))
            else:
                raise ValueError
        except (ValueError, KeyError, IndexError):
            raise UserError(f"{path} cannot be read: its header has the line {keyword} {text[:80]}") from None
    return header, end.end()


def _decode(header: bytes) -> list[str]:
    """The lines of a header, which may have been written under any code page."""
    try:
        return re.split("[\r\n]+", header.decode())
    except UnicodeDecodeError:
        return re.split("[\r\n]+", header.decode("latin-1"))


def _natural(word: str) -> int:
    number = int(word)
    if number < 0:
        raise ValueError
    return number


def _property(words: list[str]) -> _Property:
    """A line `property TYPE NAME` or `property list TYPE TYPE NAME`, without its first word."""
    if words[0] == "list":
        _, length, kind, name = words
        if TYPES[length][0] == "f":
            raise ValueError
        return _Property(name.lower(), TYPES[kind], TYPES[length])
    kind, name = words
    return _Property(name.lower(), TYPES[kind], None)


def _numbers(text: bytes, path: pathlib.Path) -> bytes:
    """Numbers between white space -> an array of NUMBER, as bytes."""
    if not text.strip():  # numpy finds a -1 in white space
        return b""
    if b"1.#" in text:
        text = as_nan(text.decode("latin-1")).encode("latin-1")
    try:
        return np.fromstring(text, dtype=NUMBER, sep=" ").tobytes()
    except ValueError:
        raise UserError(f"{path} cannot be read: something after its header is not a number") from None


def _read_element(
    body: memoryview, position: int, count: int, properties: list[_Property], order: str, replaced: str | None
) -> tuple[Element, int]:
    """The element at a position of the data, and the position behind it.

    `replaced` is the type in which all numbers are stored, whatever the properties say. ValueError
    if the data do not suffice.
    """
    stored = [order + (replaced or p.kind) for p in properties]
    lengths = [p.length_kind and order + (replaced or p.length_kind) for p in properties]
    if not properties:
        return Element(count, {}, {}), position
    where = body, position, count, stored, lengths
    columns, sizes, end = _read_alike(*where) or _read_walking(*where)
    element = Element(count, {}, {})
    for prop, column, size in zip(properties, columns, sizes, strict=True):
        values = _as_declared(column, prop.kind)
        if size is None:
            element.scalars[prop.name] = values
        else:
            element.lists[prop.name] = Lists(values, size)
    return element, end


def _as_declared(column: np.ndarray, kind: str) -> np.ndarray:
    """Values in this machine's byte order and in the type of the property, if they fit it."""
    if column.dtype.kind == "f" and kind[0] in "iu":
        whole = np.nan_to_num(column)
        limits = np.iinfo(kind)
        if not len(whole) or (
            whole.min() >= limits.min and whole.max() <= limits.max and (whole == np.rint(whole)).all()
        ):
            return whole.astype(kind)
        return column.astype(np.float64)  # such as colours of 0..1 that are declared as uchar
    return column.astype(kind)


_Columns = tuple[list[np.ndarray], list[np.ndarray | None], int]  # values, sizes of lists, position behind


def _read_alike(
    body: memoryview, position: int, count: int, stored: list[str], lengths: list[str | None]
) -> _Columns | None:
    """The columns of an element whose lists are all as long as in its first row, else None."""
    first = _walk(body, position, min(count, 1), stored, lengths)[1]
    fields: list[tuple] = []
    for k, (kind, length) in enumerate(zip(stored, lengths, strict=True)):
        if length:
            fields.append((f"length {k}", length))
        fields.append((f"value {k}", kind, (int(first[0, k]),)) if length and count else (f"value {k}", kind))
    row = np.dtype(fields)
    if position + count * row.itemsize > len(body):
        return None
    table = np.frombuffer(body, row, count, position)
    columns, sizes = [], []
    for k, length in enumerate(lengths):
        if length and (table[f"length {k}"] != (first[0, k] if count else 0)).any():
            return None
        columns.append(table[f"value {k}"].reshape(-1))
        sizes.append(np.full(count, first[0, k] if count else 0) if length else None)
    return columns, sizes, position + count * row.itemsize


def _read_walking(
    body: memoryview, position: int, count: int, stored: list[str], lengths: list[str | None]
) -> _Columns:
    """The columns of an element whose lists differ in length."""
    starts, sizes, end = _walk(body, position, count, stored, lengths)
    content = np.frombuffer(body, np.uint8)
    columns = []
    for k, kind in enumerate(stored):
        width = np.dtype(kind).itemsize
        before = np.cumsum(sizes[:, k]) - sizes[:, k]
        places = np.repeat(starts[:, k] - before * width, sizes[:, k]) + np.arange(sizes[:, k].sum()) * width
        columns.append(content[places[:, None] + np.arange(width)].reshape(-1).view(kind))
    return columns, [sizes[:, k] if length else None for k, length in enumerate(lengths)], end


def _walk(
    body: memoryview, position: int, count: int, stored: list[str], lengths: list[str | None]
) -> tuple[np.ndarray, np.ndarray, int]:
    """Go through rows: position and number (1 of scalars) of the values of each property.

    Returns two arrays (count, properties) and the position behind the rows. ValueError or
    struct.error if the data do not suffice.
    """
    steps = []
    for kind, length in zip(stored, lengths, strict=True):
        reader = struct.Struct(length[0] + STRUCT_CODES[length[1:]]) if length else None
        steps.append((reader, np.dtype(kind).itemsize))
    starts, sizes = array.array("q"), array.array("q")
    for _ in range(count):
        for reader, width in steps:
            number = 1
            if reader:
                number = reader.unpack_from(body, position)[0]
                position += reader.size
                if not 0 <= number <= len(body) or number != int(number):
                    raise ValueError
                number = int(number)
            starts.append(position)
            sizes.append(number)
            position += number * width
        if position > len(body):
            raise ValueError
    shape = (count, len(stored))
    return np.array(starts, np.int64).reshape(shape), np.array(sizes, np.int64).reshape(shape), position


def as_indices(values: np.ndarray) -> np.ndarray:
    """Numbers of vertices as int64; fractions and numbers that are none become -1."""
    if values.dtype.kind != "f":
        return values.astype(np.int64)
    whole = np.isfinite(values) & (values == np.rint(values)) & (np.abs(values) < 2**53)
    return np.where(whole, values, -1).astype(np.int64)
