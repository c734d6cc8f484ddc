"""Which datasets of an HDF5 file are read: those that hold about what their file has.

A file of a few kilobytes can declare petabytes, name other files of the computer as the place of
its content, and refer to itself. All of this is seen before anything is read.
"""

import math

import h5py

LARGE = 1 << 26  # bytes that any dataset, and any chunk, may have
RATIO = 200  # of the bytes of a larger dataset to those in the file: images of one colour have less

# what h5py raises for damaged files, and what comes of parts that are of another kind
DAMAGED = (AttributeError, KeyError, OSError, RuntimeError, TypeError, ValueError)


class RefusedError(OSError):
    """A dataset is not read: it asks for too much, or lies elsewhere."""


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
