"""Changes of HDF5 files through HDF5: what a valid file can declare that nobody should read."""

import contextlib
import pathlib
from typing import Any

import h5py
import numpy as np
from hypothesis import strategies as st

from tests.fuzz.mutations import with_digest

SHAPES = (
    (), (0,), (1,), (3,), (64,), (1, 1), (2, 3), (0, 3), (4, 3), (4, 4), (64, 64, 64, 3), (10**10,), (10**6, 10**6),
    (2**20, 2**20, 2**20), (50_000, 50_000), (20_000, 20_000, 3), (2**31, 3),
)  # fmt: skip
TYPES = ("f8", "f4", "f2", "u1", "i8", "u8", "i4", "?", "S3", "S70000", "text", "c16", "vector", "pair")


def edits(names: list[str], attributes: list[str]) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    """One or two edits of the datasets `names` and the attributes of the root."""
    name, shape, kind = st.sampled_from(names), st.sampled_from(SHAPES), st.sampled_from(TYPES)
    options = [
        st.tuples(st.just("declare"), name, shape, kind, st.booleans()),
        st.tuples(st.just("fill"), name, st.sampled_from([float("nan"), float("inf"), -1, 0, 2**31, 1e300])),
        st.tuples(st.just("cell"), name, st.floats(0, 1), st.sampled_from([float("nan"), -1, 1e9, 2**40])),
        st.tuples(st.just("rows"), name, st.sampled_from([0, 1, 2, -1])),
        st.tuples(st.just("as"), name, kind),
        st.tuples(st.just("bomb"), name),
        st.tuples(st.just("chunk"), name),
        st.tuples(st.sampled_from(["drop", "group", "loop", "dangling", "elsewhere", "outside", "virtual"]), name),
    ]
    if attributes:
        values = st.sampled_from([0, -1, float("nan"), "", "x", "{}", "[]", "null", '{"a": []}', b"\xff", [1, 2], "é"])
        options.append(st.tuples(st.just("attribute"), st.sampled_from(attributes), values))
        options.append(st.tuples(st.just("without"), st.sampled_from(attributes)))
    return st.lists(st.one_of(options), min_size=1, max_size=2)


def apply(path: pathlib.Path, changes: list[tuple[Any, ...]]) -> None:
    """Make the edits; those that a former one has made impossible are left out."""
    with h5py.File(path, "r+") as file:
        for kind, name, *values in changes:
            if kind == "attribute":
                file.attrs[name] = values[0]
            elif kind == "without":
                file.attrs.pop(name, None)
            elif _is_dataset(file, name):
                _apply(file, kind, name, values, path)
    path.write_bytes(with_digest(path.read_bytes()))


def _is_dataset(file: h5py.File, name: str) -> bool:
    try:
        return isinstance(file.get(name), h5py.Dataset)
    except (OSError, RuntimeError):  # a former edit made it a link to nowhere
        return False


def _dtype(kind: str) -> Any:
    special = {"text": h5py.string_dtype(), "vector": h5py.vlen_dtype(np.float32), "pair": [("a", "f4"), ("b", "u1")]}
    return special.get(kind, kind)


def _apply(file: h5py.File, kind: str, name: str, values: list[Any], path: pathlib.Path) -> None:
    data = file[name]
    if kind == "fill" or kind == "cell":
        if data.dtype.kind in "fiu" and data.size and data.nbytes < 1 << 26:
            array = data[()].astype(np.float64)
            if kind == "fill":
                array = np.full(data.shape, values[0])
            else:
                array.reshape(-1)[int(values[0] * (data.size - 1))] = values[1]
            with np.errstate(all="ignore"):
                _replace(file, name, data=np.asarray(array).astype(data.dtype))
        return
    if kind == "rows":
        if data.ndim and data.size and data.nbytes < 1 << 26:
            array = data[()]
            _replace(file, name, data=np.concatenate([array] * 2) if values[0] == 2 else array[: values[0]])
        return
    if kind == "as":
        if data.dtype.kind in "fiu" and data.nbytes < 1 << 26 and values[0] in ("f8", "f2", "i8", "u1", "?", "c16"):
            with np.errstate(all="ignore"):
                _replace(file, name, data=data[()].astype(values[0]))
        return
    if kind == "declare":
        shape, dtype, chunked = values
        options = {"chunks": True} if chunked and shape and min(shape) else {}
        with contextlib.suppress(ValueError):  # more bytes than HDF5 can count: the dataset is missing then
            _replace(file, name, shape=shape, dtype=_dtype(dtype), **options)
    elif kind == "bomb":  # a gigabyte and more of zeros, of which a chunk is stored
        rest = data.shape[1:] if data.ndim and 0 not in data.shape else ()
        rows = (1 << 31) // max(1, int(np.prod(rest)) * data.dtype.itemsize)
        step = max(1, rows // 2000)
        _replace(file, name, shape=(rows, *rest), dtype=data.dtype, chunks=(step, *rest), compression="gzip")
        file[name][:step] = np.zeros((step, *rest), data.dtype)
    elif kind == "chunk":  # small, in a chunk of two gigabytes
        if data.ndim and data.dtype.kind in "fiu":
            shape = data.shape
            rows = (1 << 31) // max(1, int(np.prod(shape[1:])) * data.dtype.itemsize)
            _replace(
                file, name, shape=shape, dtype=data.dtype, maxshape=(None, *shape[1:]), chunks=(rows, *shape[1:]),
                compression="gzip",
            )  # fmt: skip
    elif kind == "outside":
        shape, dtype = data.shape, data.dtype
        if shape and data.dtype.kind in "fiu":
            _replace(file, name, shape=shape, dtype=dtype, external=[("/proc/self/maps", 0, data.nbytes or 1)])
    elif kind == "virtual":
        shape, dtype = data.shape, data.dtype
        if shape:
            layout = h5py.VirtualLayout(shape, dtype)
            layout[...] = h5py.VirtualSource(str(path.with_name("none.h5")), "data", shape=shape)
            del file[name]
            file.create_virtual_dataset(name, layout)
    else:
        del file[name]
        if kind == "group":
            file.create_group(name)
        elif kind == "loop":
            file[name] = h5py.SoftLink(f"/{name}")
        elif kind == "dangling":
            file[name] = h5py.SoftLink("/none")
        elif kind == "elsewhere":
            file[name] = h5py.ExternalLink("/dev/stdin", "/data")


def _replace(file: h5py.File, name: str, **creation: Any) -> None:
    """A new dataset in place of another one, with its attributes."""
    attributes = dict(file[name].attrs)
    del file[name]
    file.create_dataset(name, **creation).attrs.update(attributes)
