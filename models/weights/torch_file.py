"""Reading the tensors of a .pth file as NumPy arrays, without PyTorch.

The file is what torch.save() wrote before version 1.6: a magic number, a protocol version and a
description of the machine, each pickled; the pickled object, in which tensors refer to storages by
key; the keys in the order of the storages; and every storage as its length and its bytes.
"""

import collections
import os
import pathlib
import pickle
from typing import Any, BinaryIO

import numpy as np

from utils.errors import UserError

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
        assert values is not None
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
            if pickle.load(file) != MAGIC:
                raise pickle.UnpicklingError("it does not begin like one of torch.save()")
            pickle.load(file), pickle.load(file)
            unpickler = _Unpickler(file)
            tensors = unpickler.load()
            for key in pickle.load(file):
                storage = unpickler.storages[key]
                length = int.from_bytes(file.read(8), "little")
                if length != storage.length:
                    raise pickle.UnpicklingError(f"storage {key} has {length} numbers, not {storage.length}")
                storage.values = np.fromfile(file, storage.dtype, length)
                if len(storage.values) != length:
                    raise pickle.UnpicklingError("it is cut off")
        return {name: tensor.array() for name, tensor in tensors.items()}
    except (OSError, EOFError, ValueError, KeyError, AttributeError, TypeError, pickle.UnpicklingError) as error:
        raise UserError(f"{pathlib.Path(path)} cannot be read as the weights of a torch network: {error}") from None
