"""Whether the datasets of a shard are those of the format (data/shard_format.py), by their headers.

A reader that has checked them can take any row of any object: the offsets count upwards within the
arrays, whose types and shapes are right, and no array asks for more than the file holds.
"""

import h5py
import numpy as np

from data.shard_format import GROUPS, PER_OBJECT, RAGGED, Column
from utils import hdf5_limits

COLUMNS = {"object_id": Column(None, None, (), "")} | PER_OBJECT | RAGGED


def defects(file: h5py.File) -> list[str]:
    """What is wrong with the datasets of an open shard, a phrase each.

    Raises:
        OSError, RuntimeError: the file is damaged.
    """
    problems, data = [], {}
    for name in (*(f"{group}_offset" for group in sorted(GROUPS)), *COLUMNS):
        try:
            data[name] = hdf5_limits.dataset(file, name)
        except KeyError:
            problems.append(f"has no dataset {name}")
        except hdf5_limits.RefusedError as error:
            problems.append(str(error))
    if problems:
        return problems
    if data["object_id"].ndim != 1:
        return ["object_id is not a list"]
    objects = len(data["object_id"])
    problems = [] if objects else ["holds no object"]
    rows: dict[str | None, int] = {None: objects}
    for group in sorted(GROUPS):
        offset = data[f"{group}_offset"]
        counts = offset[()] if offset.shape == (objects + 1,) and offset.dtype.kind in "iu" else None
        # differences of unsigned numbers are never below 0
        if counts is None or counts[0] != 0 or (counts[1:] <= counts[:-1]).any():
            problems.append(f"{group}_offset does not count the rows of {objects} objects upwards from 0")
        else:
            rows[group] = int(counts[-1])
    for name, column in COLUMNS.items():
        if column.group in rows:
            problems += _of_column(name, data[name], column, rows[column.group])
    return problems


def _of_column(name: str, data: h5py.Dataset, column: Column, rows: int) -> list[str]:
    """What is wrong with one dataset, which should have so many rows."""
    problems = []
    size = " x ".join(map(str, data.shape)) or "a single value"
    if column.dtype is None:
        if h5py.check_string_dtype(data.dtype) is None:
            problems.append(f"{name} is of type {data.dtype}, it should be text")
    elif data.dtype != column.dtype:
        problems.append(f"{name} is of type {data.dtype}, it should be {np.dtype(column.dtype)}")
    if column.shape is None:  # views, of any size
        if data.ndim != 4 or data.shape[3] != 4 or 0 in data.shape[1:3]:
            problems.append(f"{name} is {size}, it should be N x H x W x 4")
    elif not data.ndim or data.shape[1:] != column.shape:
        problems.append(f"{name} is {size}, it should be {' x '.join(map(str, ('N', *column.shape)))}")
    if data.ndim and len(data) != rows:
        problems.append(f"{name} has {len(data)} rows, there should be {rows}")
    return problems
