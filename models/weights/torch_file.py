"""Reading the tensors of a .pth file as NumPy arrays, without PyTorch.

The file is what torch.save() wrote before version 1.6: a magic number, a protocol version and a
description of the machine, each pickled; the pickled object, in which tensors refer to storages by
key; the keys in the order of the storages; and every storage as its length and its bytes.
"""

import collections
import io
import math
import os
import pathlib
import pickle
import pickletools
from typing import Any, BinaryIO

import numpy as np

from utils.errors import UserError

MOST_OBJECTS = 1_000_000  # that a pickle may number: a network has some thousands
MAGIC = 0x1950A86A20F9469CFC6C
STORAGES = {"FloatStorage": np.float32, "HalfStorage": np.float16, "LongStorage": np.int64}


class _Storage:
    """A storage whose bytes come at the end of the file."""

    def __init__(self, dtype: type, length: int) -> None:
        self.dtype, self.length = dtype, length
        self.values: np.ndarray | None = None


class _Tensor:
    """A tensor as it is pickled: a view of a storage."""

    def __init__(self, storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    def array(self) -> np.ndarray:
        values = self.storage.values
        if values is None:
            raise pickle.UnpicklingError("a storage is missing")
        if len(self.shape) != len(self.strides) or min((self.offset, *self.shape, *self.strides)) < 0:
            raise pickle.UnpicklingError(f"a tensor has shape {self.shape}, strides {self.strides}")
        last = self.offset + sum((n - 1) * stride for n, stride in zip(self.shape, self.strides, strict=True))
        count = math.prod(self.shape)
        if count and (last >= len(values) or count > len(values)):
            raise pickle.UnpicklingError(f"a tensor of shape {self.shape} is larger than its storage")
        if not count:
            return np.zeros(self.shape, values.dtype)
        strides = [values.itemsize * stride for stride in self.strides]
        return np.lib.stride_tricks.as_strided(values[self.offset :], self.shape, strides).copy()


def _rebuild(storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any) -> _Tensor:
    return _Tensor(storage, offset, shape, strides)


class _Unpickler(pickle.Unpickler):
    """Finds the few names that such a file may hold; anything else is refused."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        raise pickle.UnpicklingError(f"it holds {module}.{name}")

    def persistent_load(self, reference: Any) -> _Storage:
        kind, dtype, key, _, length, *_ = reference
        if kind != "storage":
            raise pickle.UnpicklingError(f"it refers to a {kind}")
        return self.storages.setdefault(key, _Storage(dtype, length))


def read_torch_file(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """The tensors of a file that holds a dictionary of them ({name: array}).

    Raises:
        UserError: the file is missing, of another format, or damaged.
    """
    try:
        with open(path, "rb") as file:
            return _read(io.BytesIO(file.read()))
    except Exception as error:  # what damaged pickles raise has no common type
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise UserError(f"{pathlib.Path(path)} cannot be read as the weights of a torch network: {reason}") from None


def _unpickled(file: io.BytesIO, unpickler: _Unpickler | None = None) -> Any:
    """The next pickled object of a file, after a look at what it would take memory for."""
    start = file.tell()
    for opcode, value, _ in pickletools.genops(file):
        index = int(value or 0) if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") else 0
        if opcode.name == "BYTEARRAY8" or index > MOST_OBJECTS:
            raise pickle.UnpicklingError(f"it has a {opcode.name} of {value}")
    file.seek(start)
    return (unpickler or _Unpickler(file)).load()


def _read(file: io.BytesIO) -> dict[str, np.ndarray]:
    """The tensors of a file; any error where it is damaged."""
    if file.getbuffer()[:2] == b"PK":
        raise pickle.UnpicklingError("it is a zip archive, as PyTorch writes since 1.6; this reads the format before")
    if _unpickled(file) != MAGIC:
        raise pickle.UnpicklingError("it does not begin like one of torch.save()")
    for _ in ("protocol", "machine"):
        _unpickled(file)
    unpickler = _Unpickler(file)
    tensors = _unpickled(file, unpickler)
    for key in _unpickled(file):
        storage = unpickler.storages[key]
        length = int.from_bytes(file.read(8), "little")
        if length != storage.length:
            raise pickle.UnpicklingError(f"storage {key} has {length} numbers, not {storage.length}")
        if storage.dtype not in STORAGES.values():
            raise pickle.UnpicklingError(f"storage {key} is of an unknown type")
        data = file.read(length * np.dtype(storage.dtype).itemsize)
        storage.values = np.frombuffer(data, storage.dtype)
        if len(storage.values) != length:
            raise pickle.UnpicklingError("it is cut off")
    return {name: tensor.array() for name, tensor in tensors.items()}
