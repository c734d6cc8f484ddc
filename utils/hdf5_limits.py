"""Which datasets of an HDF5 file are read: those that hold about what their file has.

A file of a few kilobytes can declare petabytes, name other files of the computer as the place of
its content, and refer to itself. All of this is seen before anything is read. So are damaged
lengths of texts, which the HDF5 library would follow for ever.
"""

import math
import os
import struct
from typing import Any

import h5py

from utils.hdf5 import SIGNATURE

LARGE = 1 << 26  # bytes that any dataset, and any chunk, may have
# of the bytes of a larger dataset to those in the file; that of empty images in shards is 229
RATIO = 250
HEAP = b"GCOL\x01\0\0\0"  # at the beginning of a heap of texts
SEARCHED = 1 << 20  # bytes at either end of a file; texts of attributes are written first

# what h5py raises for damaged files, and what comes of parts that are of another kind
DAMAGED = (AttributeError, KeyError, OSError, RuntimeError, TypeError, ValueError)


class RefusedError(OSError):
    """A dataset is not read: it asks for too much, or lies elsewhere."""


def opened(path: str | os.PathLike[str], **options: Any) -> h5py.File:
    """h5py.File(path, "r", **options) of a file whose heaps of texts, as far as seen, are whole.

    Raises:
        RefusedError: a heap is damaged.
        OSError: the file cannot be opened.
    """
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        for start in sorted({0, max(0, size - SEARCHED)}):
            file.seek(start)
            part = file.read(SEARCHED)
            if not start and not _has_long_lengths(part):
                break
            _check_heaps(part)
    return h5py.File(path, "r", **options)


def _has_long_lengths(head: bytes) -> bool:
    """Whether lengths in a file take 8 bytes, as in all that h5py writes."""
    start = head.find(SIGNATURE)
    version = head[start + 8 : start + 9]
    place = start + (14 if version in (b"\0", b"\1") else 10)
    return start >= 0 and head[place : place + 1] == b"\x08"


def _check_heaps(part: bytes) -> None:
    """RefusedError where an object of a heap in a part of a file has no length or leaves its heap.

    A heap is its signature, its length, and objects, each with its number, a count of references,
    four bytes, its length (that of free space, number 0, includes this head) and its content.
    """
    start = part.find(HEAP)
    while 0 <= start <= len(part) - 16:
        (length,) = struct.unpack_from("<Q", part, start + 8)
        place = start + 16
        while place + 16 <= min(start + length, len(part)):
            number, size = struct.unpack_from("<H6xQ", part, place)
            place += 16 + -(-size // 8) * 8 if number else size
            if (not number and size < 16) or place > start + length:
                raise RefusedError("its heap of texts is damaged")
        start = part.find(HEAP, start + 1)


def dataset(group: h5py.Group, name: str) -> h5py.Dataset:
    """The dataset `name`, a path below `group`, after `check`.

    Raises:
        KeyError: there is no dataset of this name.
        RefusedError: as of `check`, or it lies in another file.
    """
    item = group
    for part in name.split("/"):
        link = item.get(part, getlink=True) if isinstance(item, h5py.Group) else None
        if not isinstance(link, (h5py.HardLink, h5py.SoftLink, type(None))):
            raise RefusedError(f"{name} is a link to another file, which is not followed")
        if link is None or (item := item.get(part)) is None:
            raise KeyError(f"it has no dataset {name}")
    if not isinstance(item, h5py.Dataset):
        raise KeyError(f"{name} is not a dataset")
    return check(item)


def check(item: h5py.Dataset) -> h5py.Dataset:
    """The dataset, if it holds numbers or texts and has no more bytes than its file can hold.

    Raises:
        RefusedError: says what is wrong with it.
    """
    name = item.name
    if item.is_virtual or item.external:
        raise RefusedError(f"{name} lies in another file, which is not read")
    if item.shape is None or item.dtype.kind not in "fiubS" and h5py.check_string_dtype(item.dtype) is None:
        raise RefusedError(f"{name} holds neither numbers nor texts")
    needed, stored = math.prod(item.shape) * item.dtype.itemsize, item.id.get_storage_size()
    if needed > max(LARGE, RATIO * stored):
        size = " x ".join(map(str, item.shape))
        raise RefusedError(f"{name} is declared as {size}, {needed / 1e9:.3g} GB, of which the file has {stored} bytes")
    if item.chunks and (chunk := math.prod(item.chunks) * item.dtype.itemsize) > max(LARGE, needed):
        raise RefusedError(f"{name} is stored in chunks of {chunk / 1e9:.3g} GB")
    return item
