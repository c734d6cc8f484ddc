"""Damage to files: one bit flipped; a change by HDF5 whose digest is made anew."""

import contextlib
import hashlib

import h5py

from utils import hdf5


def flip(path, position):
    """Flip bit `position` of a file, counted from its first byte."""
    with open(path, "r+b") as file:
        file.seek(position // 8)
        byte = file.read(1)[0] ^ (1 << position % 8)
        file.seek(position // 8)
        file.write(bytes([byte]))


@contextlib.contextmanager
def edited(path):
    """An open HDF5 file to change; its digest fits again afterwards."""
    with h5py.File(path, "r+") as file:
        yield file
    data = path.read_bytes()
    line = f"texdisn sha256 {hashlib.sha256(data[hdf5.BLOCK :]).hexdigest()}\n".encode()
    path.write_bytes(line.ljust(hdf5.BLOCK, b"\0") + data[hdf5.BLOCK :])
