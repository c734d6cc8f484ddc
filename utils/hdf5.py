"""HDF5 files in which damage is noticed, and which are equal byte for byte if their content is.

The first BLOCK bytes are a user block, which HDF5 skips: one line with the SHA-256 of all bytes
after it, then zeros. Times are not stored and the version of the file format is fixed, so that the
digest also tells whether two files hold the same. Files without the line, of earlier versions or
of other programs, begin with SIGNATURE.
"""

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np
from h5py import h5f, h5fd, h5g, h5p

from utils.files import file_digest, replacing

BLOCK = 512  # bytes of the user block, the smallest that HDF5 allows
SIGNATURE = b"\x89HDF\r\n\x1a\n"  # the first bytes of an HDF5 file without a user block
CHUNK = 1 << 14  # bytes of a chunk, at most, where a dataset gets checksums: what a short read costs
_LINE = re.compile(rb"texdisn sha256 ([0-9a-f]{64})\n\0*")


class DamagedError(OSError):
    """A file does not have the content that its digest tells."""


class _Sink:
    """A file for HDF5 to write to, which keeps an error of the disk, or an interrupt, to itself.

    HDF5 cannot close a file that it cannot write: it crashes when the program ends. After an error
    everything seems to be written; the error is raised when the file is closed.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._at, self._size = descriptor, 0, 0
        self.error: OSError | KeyboardInterrupt | None = None

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        data = os.pread(self._descriptor, min(len(view), max(self._size - self._at, 0)), self._at)
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def read(self, size: int = -1) -> bytes:
        buffer = bytearray(self._size - self._at if size < 0 else size)
        return bytes(buffer[: self.readinto(buffer)])

    def write(self, data: Any) -> int:
        view, done = memoryview(data).cast("B"), 0
        try:
            while self.error is None and done < len(view):  # the system may write a part: 2 GB at once, or what fits
                done += os.pwrite(self._descriptor, view[done:], self._at + done)
        except (OSError, KeyboardInterrupt) as error:
            self.error = error
        self._at += len(view)
        self._size = max(self._size, self._at)
        return len(view)

    def truncate(self, size: int) -> int:
        try:
            if self.error is None:
                os.ftruncate(self._descriptor, size)
        except (OSError, KeyboardInterrupt) as error:
            self.error = error
        self._size = size
        return size

    def flush(self) -> None:
        """Nothing is buffered."""


@contextlib.contextmanager
def create(path: str | os.PathLike[str]) -> Iterator[h5py.File]:
    """Write an HDF5 file with its digest, whole or not at all; fill it with `put`.

    Raises:
        OSError: the disk is full, or the folder cannot be written to.
    """
    with replacing(path) as temporary, open(temporary, "w+b", buffering=0) as raw:
        sink = _Sink(raw.fileno())
        try:
            with _open(sink) as file:
                yield file
        finally:
            error, sink.error = sink.error, None
            if error is not None:
                raise error
        raw.seek(BLOCK)
        digest = hashlib.file_digest(raw, "sha256").hexdigest()
        raw.seek(0)
        raw.write(f"texdisn sha256 {digest}\n".encode().ljust(BLOCK, b"\0"))


def _open(sink: _Sink) -> h5py.File:
    """A new HDF5 file in `sink`.

    The property lists must not outlive this function: one that is still there when Python ends,
    since an error refers to it, crashes.
    """
    layout, access = h5p.create(h5p.FILE_CREATE), h5p.create(h5p.FILE_ACCESS)
    layout.set_userblock(BLOCK)
    layout.set_obj_track_times(False)
    access.set_libver_bounds(h5f.LIBVER_V110, h5f.LIBVER_V110)
    access.set_fclose_degree(h5f.CLOSE_STRONG)
    access.set_fileobj_driver(h5fd.fileobj_driver, sink)
    return h5py.File(h5f.create(b"sink", h5f.ACC_TRUNC, layout, access))


def put(file: h5py.File, name: str, values: np.ndarray, checksums: bool = False, **storage: Any) -> h5py.Dataset:
    """Write an array as the dataset `name`, a path from the root of the file.

    Args:
        file: of `create`.
        name: groups in it are made.
        values: the array.
        checksums: store it in chunks with a checksum (Fletcher's) each, which HDF5 checks when
            it reads them: for files of which only parts are read.
        storage: further arguments of h5py's create_dataset.
    """
    missing, group = [], name.rpartition("/")[0].encode()
    while group and group not in file.id:  # file.id answers in a tenth of the time of file
        missing.append(group)
        group = group.rpartition(b"/")[0]
    for group in reversed(missing):  # h5py would make it with the time
        properties = h5p.create(h5p.GROUP_CREATE)
        properties.set_obj_track_times(False)
        h5g.create(file.id, group, None, properties)
    if checksums and values.size:
        rows = max(1, min(len(values), CHUNK // max(1, values[0].nbytes)))
        storage = {"chunks": (rows, *values.shape[1:]), **storage, "fletcher32": True}
    return file.create_dataset(name, data=values, track_times=False, **storage)


def stored_digest(path: str | os.PathLike[str]) -> str | None:
    """The SHA-256, in hex, that a file of `create` has of its content; None for other HDF5 files.

    Raises:
        OSError: the file cannot be read, or begins with neither a digest nor HDF5's signature.
    """
    with open(path, "rb") as file:
        block = file.read(BLOCK)
    if block.startswith(SIGNATURE):
        return None
    match = _LINE.fullmatch(block)
    if not match or len(block) < BLOCK:
        raise OSError("its first bytes are damaged, or those of another kind of file")
    return match[1].decode()


def check(path: str | os.PathLike[str]) -> bool:
    """Check a whole file against its digest; False where it has none.

    Raises:
        DamagedError: the content does not fit the digest.
        OSError: the file cannot be read.
    """
    expected = stored_digest(path)
    if expected is None:
        return False
    with open(path, "rb") as file:
        file.seek(BLOCK)
        if hashlib.file_digest(file, "sha256").hexdigest() != expected:
            raise DamagedError("its content does not fit its checksum")
    return True


def content_digest(path: str | os.PathLike[str]) -> str:
    """What tells two files apart by their content: the stored digest, or that of all bytes."""
    return stored_digest(path) or file_digest(path)
