"""HDF5 files with digests: equal content is equal bytes, and no flipped bit goes unseen."""

import subprocess
import sys
import time

import h5py
import numpy as np
import pytest

from tests.helpers.flipped import flip
from utils import hdf5


def write(path, values):
    with hdf5.create(path) as file:
        file.attrs["text"] = "attribute"
        hdf5.put(file, "a/b/values", values)
        hdf5.put(file, "a/chunked", values, checksums=True)
        hdf5.put(file, "none", values[:0], checksums=True)


def test_equal_content_is_equal_bytes_whenever_it_is_written(tmp_path):
    values = np.arange(3000.0).reshape(-1, 3)
    one, other, changed = (tmp_path / name for name in ("one.h5", "other.h5", "changed.h5"))
    write(one, values)
    time.sleep(1.1)  # HDF5 stores times in seconds
    write(other, values)
    write(changed, values + 1)
    assert one.read_bytes() == other.read_bytes() and hdf5.check(one)
    assert hdf5.content_digest(one) == hdf5.content_digest(other) != hdf5.content_digest(changed)
    with h5py.File(one) as file:
        np.testing.assert_array_equal(file["a/b/values"], values)
        np.testing.assert_array_equal(file["a/chunked"], values)
        assert file["a/chunked"].fletcher32 and file["none"].shape == (0, 3)


def test_every_flipped_bit_is_found(tmp_path):
    path = tmp_path / "x.h5"
    write(path, np.arange(30.0).reshape(-1, 3))
    whole = path.read_bytes()
    positions = np.random.default_rng(0).choice(8 * len(whole), 300, replace=False)
    for position in (0, 8 * hdf5.BLOCK - 1, 8 * hdf5.BLOCK, *positions.tolist()):
        flip(path, position)
        with pytest.raises(OSError, match="its content does not fit its checksum|its first bytes are damaged"):
            hdf5.check(path)
        flip(path, position)
    assert path.read_bytes() == whole and hdf5.check(path)


def test_files_of_other_programs_have_no_digest(tmp_path):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file["a"] = [1]
    assert hdf5.stored_digest(path) is None and not hdf5.check(path)
    path.write_bytes(b"text")
    with pytest.raises(OSError, match="first bytes"):
        hdf5.check(path)


FULL = """
import resource, numpy as np
import pathlib, sys
from tests.utils.test_hdf5 import write
from utils.errors import StorageError
resource.setrlimit(resource.RLIMIT_FSIZE, (%d, %d))
try:
    write(pathlib.Path(sys.argv[1]), np.arange(30000.0).reshape(-1, 3))
except StorageError as error:
    print(error)
"""


@pytest.mark.parametrize("limit", [100, 5000, 300_000])
def test_a_full_disk_leaves_the_old_file_and_ends_in_one_line(tmp_path, limit):
    path = tmp_path / "x.h5"
    write(path, np.zeros((2, 3)))
    before = path.read_bytes()
    words = [sys.executable, "-c", FULL % (limit, limit), str(path)]
    result = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, ""), result.stderr
    assert result.stdout == f"{path} cannot be written: File too large\n"
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
