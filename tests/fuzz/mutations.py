"""Hypothesis strategies: valid files, changed in bytes, words, chunks or structure."""

import copy
import hashlib
import json
import pathlib
import struct
import zlib
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from utils import hdf5

Draw = Callable[..., Any]
NUMBERS = (0, 1, 2, 3, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 86_000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
LARGE = (*NUMBERS, 1 << 40, 0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF)
_COMMON = """-1 0 1 2 -0.0 0.5 1e308 -1e308 1e999 1e-320 nan -inf inf 255 256 65536 2147483648 4294967295
    99999999999 9223372036854775808 999999999999999999999999999999 0x10 1_000 x , ; # /"""
WORDS = (
    *_COMMON.split(),
    *("٣", "é", "\0", "\ufeff", '"', "'", "", "\n", "\r", "\t", "\v", "\x85"),
)
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 0.5, -0.5, 1e308, -1e308, 1e-320, float("nan"), float("inf"), -float("inf"),
    2**31, 2**63, 2**64, -(2**63), 10**30, "", "x", "1", "é\0", "../..", "a" * 3000, [], {}, [[]], [None], [0], [-1],
    [1, 2, 3], [2**31] * 5, [1e300], ["x"], {"a": 1}, {"": {}},
)  # fmt: skip


@st.composite
def changed_bytes(draw: Draw, data: bytes) -> bytes:
    """A file in which one to three stretches were flipped, set, cut out, doubled or moved."""
    for _ in range(draw(st.integers(1, 3))):
        if not data:
            return data
        head = draw(st.booleans())  # where most of what decides sizes is
        at = draw(st.integers(0, min(len(data), 400) - 1 if head else len(data) - 1))
        kind = draw(st.sampled_from(["flip", "set", "number", "cut", "double", "end", "zero"]))
        if kind == "flip":
            data = data[:at] + bytes([data[at] ^ 1 << draw(st.integers(0, 7))]) + data[at + 1 :]
        elif kind == "set":
            data = data[:at] + draw(st.binary(min_size=1, max_size=4)) + data[at + 1 :]
        elif kind == "number":
            size = draw(st.sampled_from([1, 2, 4, 8]))
            order = draw(st.sampled_from(["little", "big"]))
            value = draw(st.sampled_from(LARGE)) & ((1 << 8 * size) - 1)
            data = data[:at] + value.to_bytes(size, order) + data[at + size :]
        elif kind == "cut":
            data = data[:at] + data[at + draw(st.integers(1, 64)) :]
        elif kind == "double":
            data = data[: at + draw(st.integers(1, 64))] + data[at:]
        elif kind == "zero":
            count = draw(st.integers(1, 64))
            data = data[:at] + bytes(len(data[at : at + count])) + data[at + count :]
        else:
            data = data[:at]
    return data


@st.composite
def changed_words(draw: Draw, data: bytes) -> bytes:
    """A text in which words or lines were replaced, removed, doubled or exchanged."""
    for _ in range(draw(st.integers(1, 3))):
        lines = data.split(b"\n")
        row = draw(st.integers(0, len(lines) - 1))
        kind = draw(st.sampled_from(["word", "word", "word", "drop", "double", "swap", "join"]))
        if kind == "word":
            words = lines[row].split(b" ")
            word = draw(st.sampled_from(WORDS)).encode()
            words[draw(st.integers(0, len(words) - 1))] = word
            lines[row] = b" ".join(words)
        elif kind == "drop":
            del lines[row : row + draw(st.integers(1, 5))]
        elif kind == "double":
            lines[row:row] = lines[row : row + draw(st.integers(1, 5))]
        elif kind == "swap":
            other = draw(st.integers(0, len(lines) - 1))
            lines[row], lines[other] = lines[other], lines[row]
        else:
            lines[row : row + 2] = [b" ".join(lines[row : row + 2])]
        data = b"\n".join(lines)
    return data


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all items within a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    places = []
    for key, item in items:
        places += [(*path, key), *_places(item, (*path, key))]
    return places


@st.composite
def changed_json(draw: Draw, data: bytes) -> bytes:
    """A JSON text in which items were replaced by any value, removed, renamed or doubled."""
    tree = json.loads(data)
    for _ in range(draw(st.integers(1, 3))):
        places = _places(tree)
        if not places or draw(st.integers(0, 30)) == 0:
            tree = copy.deepcopy(draw(st.sampled_from(VALUES)))
            continue
        *path, key = draw(st.sampled_from(places))
        parent = tree
        for step in path:
            parent = parent[step]
        kind = draw(st.sampled_from(["value", "value", "value", "drop", "rename", "wrap", "similar"]))
        if kind == "value":
            parent[key] = copy.deepcopy(draw(st.sampled_from(VALUES)))
        elif kind == "drop":
            del parent[key]
        elif kind == "rename" and isinstance(parent, dict):
            parent[draw(st.sampled_from(["x", "", "iso", "weights"]))] = parent.pop(key)
        elif kind == "wrap":
            parent[key] = [parent[key]]
        elif isinstance(parent[key], (int, float)) and not isinstance(parent[key], bool):
            parent[key] = parent[key] * draw(st.sampled_from([-1, 0, 2, 1000, 1e9, 2**31, 0.5]))
        elif isinstance(parent[key], list):
            parent[key] = copy.deepcopy(parent[key] * draw(st.sampled_from([0, 2, 500])))
        else:
            parent[key] = str(parent[key]) * 2
    return json.dumps(tree).encode()


@st.composite
def changed_png(draw: Draw, data: bytes) -> bytes:
    """A PNG in which the content of a chunk was changed, and its checksum with it."""
    chunks, at = [], 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        chunks.append([data[at + 4 : at + 8], data[at + 8 : at + 8 + length]])
        at += 12 + length
    for _ in range(draw(st.integers(1, 2))):
        kind = draw(st.sampled_from(["content", "content", "size", "drop", "double", "name"]))
        index = draw(st.integers(0, len(chunks) - 1))
        if kind == "content" and chunks[index][1]:
            chunks[index][1] = draw(changed_bytes(chunks[index][1]))
        elif kind == "size":
            width, height = (draw(st.sampled_from(NUMBERS)) for _ in range(2))
            chunks[0][1] = struct.pack(">II", width, height) + chunks[0][1][8:]
        elif kind == "drop" and len(chunks) > 1:
            del chunks[index]
        elif kind == "double":
            chunks.insert(index, list(chunks[index]))
        else:
            chunks[index][0] = draw(st.sampled_from([b"IDAT", b"PLTE", b"tRNS", b"iCCP", b"eXIf", b"zTXt", b"acTL"]))
    return data[:8] + b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )


def with_digest(data: bytes) -> bytes:
    """An HDF5 file of this project whose digest fits again."""
    if not data.startswith(b"texdisn sha256 "):
        return data
    content = data[hdf5.BLOCK :]
    return f"texdisn sha256 {hashlib.sha256(content).hexdigest()}\n".encode().ljust(hdf5.BLOCK, b"\0") + content


def changed_hdf5(data: bytes) -> st.SearchStrategy[bytes]:
    """An HDF5 file with changed bytes, with the digest of the former or of the present content."""
    if not data.startswith(b"texdisn sha256 "):
        return changed_bytes(data)
    head, content = data[: hdf5.BLOCK], data[hdf5.BLOCK :]
    refitted = changed_bytes(content).map(lambda changed: with_digest(head + changed))
    return st.one_of(changed_bytes(data), refitted, refitted)


def changed(name: str, data: bytes) -> st.SearchStrategy[bytes]:
    """Changes of a file, of the kinds that its name suggests."""
    suffix = pathlib.PurePath(name).suffix
    if suffix == ".json" or suffix == ".gltf":
        return st.one_of(changed_json(data), changed_json(data), changed_bytes(data))
    if suffix in (".txt", ".obj", ".mtl", ".off", ".jsonl", ".lst", ".properties") or name == "checkpoint":
        return st.one_of(changed_words(data), changed_words(data), changed_bytes(data))
    if suffix == ".png" and data.startswith(b"\x89PNG"):
        return st.one_of(changed_png(data), changed_png(data), changed_bytes(data))
    if suffix == ".h5":
        return changed_hdf5(data)
    if suffix in (".ply", ".stl"):
        return st.one_of(changed_words(data), changed_bytes(data))
    return changed_bytes(data)
