"""HDF5 files of other programs: what is missing, damaged or of another shape is named."""

import h5py
import numpy as np

from utils.errors import UserError


def read_hdf5(path, names):
    """The named datasets of an HDF5 file and its attributes; UserError names the file and what is wrong with it."""
    try:
        with h5py.File(path, "r") as file:
            missing = [name for name in names if not isinstance(file.get(name), h5py.Dataset)]
            if missing:
                raise UserError(f"{path}: has no dataset {missing[0]!r}, only {', '.join(file) or 'nothing'}")
            return {name: file[name][()] for name in names}, dict(file.attrs)
    except FileNotFoundError:
        raise UserError(f"{path}: is missing") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read, it is truncated or no HDF5 file ({error})") from None


def checked(values, shape, path, name="data"):
    """`values` if they are numbers of the wanted shape (None = any length) without NaN or infinity, or a UserError."""
    wanted = " x ".join("N" if size is None else str(size) for size in shape)
    if values.ndim != len(shape) or any(size not in (None, got) for size, got in zip(shape, values.shape, strict=True)):
        raise UserError(
            f"{path}: {name} is {' x '.join(map(str, values.shape)) or 'a single value'}, it should be {wanted}"
        )
    if values.dtype.kind not in "fiu":
        raise UserError(f"{path}: {name} holds no numbers")
    if not np.isfinite(values).all():
        raise UserError(f"{path}: {name} has values that are not finite")
    return values
