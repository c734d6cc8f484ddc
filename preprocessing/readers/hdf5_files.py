"""HDF5 files of data sets; errors name what is missing, damaged or of another shape."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from utils import hdf5, hdf5_limits
from utils.errors import UserError, first_of


def read_hdf5(path: str | os.PathLike[str], names: Sequence[str]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The named datasets of an HDF5 file and its attributes; UserError names the file and why.

    A file that this project wrote is checked against its digest.
    """
    try:
        hdf5.check(path)
        with hdf5_limits.opened(path) as file:
            missing = [name for name in names if file.get(name, getlink=True) is None]
            if missing:
                shown = " ".join(first_of(list(file)).split()) or "nothing"
                raise UserError(f"{path}: has no dataset {missing[0]!r}, only {shown}")
            return {name: hdf5_limits.dataset(file, name)[()] for name in names}, dict(file.attrs)
    except FileNotFoundError:
        raise UserError(f"{path}: is missing") from None
    except (hdf5.DamagedError, hdf5_limits.RefusedError) as error:
        raise UserError(f"{path}: is damaged, {error}") from None
    except hdf5_limits.DAMAGED as error:
        raise UserError(f"{path}: cannot be read, it is truncated or not an HDF5 file ({error})") from None


def checked(
    values: np.ndarray, shape: Sequence[int | None], path: str | os.PathLike[str], name: str = "data"
) -> np.ndarray:
    """`values`, if they are finite numbers of the right shape, or a UserError.

    Args:
        values: an array from a file.
        shape: the right shape; None stands for any length.
        path: the file, for the error.
        name: the name of the array in the file, for the error.
    """
    if values.ndim != len(shape) or any(
        size not in (None, length) for size, length in zip(shape, values.shape, strict=True)
    ):
        actual = " x ".join(map(str, values.shape)) or "a single value"
        expected = " x ".join("N" if size is None else str(size) for size in shape)
        raise UserError(f"{path}: {name} is {actual}, it should be {expected}")
    if values.dtype.kind not in "fiu":
        raise UserError(f"{path}: {name} does not hold numbers")
    if not np.isfinite(values).all():
        raise UserError(f"{path}: {name} has values that are not finite")
    return values
