"""Accessors: the arrays of a glTF file."""

import numpy as np

from preprocessing.meshes.gltf import schema
from preprocessing.meshes.gltf.buffers import Buffers

DTYPES: dict[int, np.dtype] = {
    5120: np.dtype("<i1"),
    5121: np.dtype("<u1"),
    5122: np.dtype("<i2"),
    5123: np.dtype("<u2"),
    5125: np.dtype("<u4"),
    5126: np.dtype("<f4"),
}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
MAX_ZEROS = 10_000_000  # elements of an array that no bytes are stored for


class Accessors:
    """The arrays of one file, each read once."""

    def __init__(self, header: schema.Header, buffers: Buffers) -> None:
        self._header, self._buffers = header, buffers
        self._known: dict[int, np.ndarray] = {}

    def read(self, index: int, *types: str) -> np.ndarray:
        """(count, width) values of an accessor: floats, or integers that are not normalised.

        Raises:
            ValueError: it does not exist, has none of the `types`, or reaches outside its buffer.
        """
        accessor = schema.element(self._header.accessors, index, "accessor")
        if accessor.type not in types:
            raise ValueError(f"accessor {index} is {accessor.type} instead of {' or '.join(types)}")
        if index not in self._known:
            values = self._stored(accessor, index)
            if accessor.normalized:
                values = normalised(values)
            values.flags.writeable = False
            self._known[index] = values
        return self._known[index]

    def describe(self, index: int) -> schema.Accessor:
        """The accessor itself, for arrays that are stored elsewhere."""
        return schema.element(self._header.accessors, index, "accessor")

    def _stored(self, accessor: schema.Accessor, index: int) -> np.ndarray:
        """(count, width) values as they are stored, with those of its sparse part."""
        dtype, width, count = DTYPES[accessor.component_type], WIDTHS[accessor.type], accessor.count
        if accessor.buffer_view is None:
            if count > MAX_ZEROS:
                raise ValueError(f"accessor {index} has {count} elements without data")
            values = np.zeros((count, width), dtype)
        else:
            values = self._elements(accessor.buffer_view, accessor.byte_offset, dtype, width, count, index)
        if accessor.sparse is None:
            return values.view()
        sparse = accessor.sparse
        places = self._elements(
            sparse.indices.buffer_view,
            sparse.indices.byte_offset,
            DTYPES[sparse.indices.component_type],
            1,
            sparse.count,
            index,
        )[:, 0]
        if len(places) and places.max() >= count:
            raise ValueError(f"accessor {index} replaces elements that it does not have")
        values = values.copy()
        values[places] = self._elements(
            sparse.values.buffer_view, sparse.values.byte_offset, dtype, width, sparse.count, index
        )
        return values

    def _elements(self, view: int, offset: int, dtype: np.dtype, width: int, count: int, index: int) -> np.ndarray:
        """(count, width) values in a buffer view, without a copy."""
        data = self._buffers.view(view)
        size = width * dtype.itemsize
        stride = self._header.buffer_views[view].byte_stride or size
        if stride < size:
            raise ValueError(f"buffer view {view} has a stride of {stride} bytes for elements of {size}")
        if count and offset + (count - 1) * stride + size > len(data):
            raise ValueError(f"accessor {index} reaches outside its buffer view")
        if not count:
            return np.zeros((0, width), dtype)
        return np.ndarray((count, width), dtype, data, offset, (stride, dtype.itemsize))


def normalised(values: np.ndarray) -> np.ndarray:
    """Integers of any size as floats: the largest becomes 1, and nothing is below -1."""
    if values.dtype.kind not in "ui":
        return values
    return np.maximum(values / np.iinfo(values.dtype).max, -1)
