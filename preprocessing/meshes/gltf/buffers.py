"""Buffers and buffer views: the bytes that accessors and images refer to."""

import pathlib

from preprocessing.meshes.gltf import schema
from preprocessing.meshes.gltf.uris import read_uri
from utils.errors import UserError

MAX_BYTES = 2_000_000_000  # of all buffers


class Buffers:
    """The buffers of one file, each read when it is first used."""

    def __init__(self, header: schema.Header, binary: memoryview, path: pathlib.Path) -> None:
        """`binary`: the binary chunk; `path`: the file, for messages and relative URIs."""
        self._header, self._binary, self._path = header, binary, path
        self._known: dict[int, memoryview] = {}

    def view(self, index: int) -> memoryview:
        """The bytes of a buffer view.

        Raises:
            ValueError: it does not exist or reaches outside its buffer.
            UserError: its buffer cannot be read, or it is compressed by meshoptimizer.
        """
        view = schema.element(self._header.buffer_views, index, "buffer view")
        buffer = schema.element(self._header.buffers, view.buffer, "buffer")
        reserved = any(extension and extension.fallback for extension in _meshopt(buffer))
        if any(_meshopt(view)) and (reserved or (buffer.uri is None and not len(self._binary))):
            raise UserError(
                f"{self._path} is compressed with meshoptimizer (EXT_meshopt_compression), "
                "which cannot be read: export it without"
            )
        data = self._buffer(view.buffer)
        if view.byte_offset + view.byte_length > len(data):
            raise ValueError(f"buffer view {index} reaches outside its buffer")
        return data[view.byte_offset : view.byte_offset + view.byte_length]

    def _buffer(self, index: int) -> memoryview:
        if index not in self._known:
            buffer = self._header.buffers[index]
            data = self._binary
            if buffer.uri is not None:
                limit = MAX_BYTES - sum(map(len, self._known.values()))
                try:
                    data = memoryview(read_uri(buffer.uri, self._path, limit))
                except UserError as error:
                    raise UserError(f"{self._path} cannot be read: {error}") from None
            if len(data) < buffer.byte_length:
                raise ValueError(f"buffer {index} is cut off: {len(data)} of {buffer.byte_length} bytes")
            self._known[index] = data[: buffer.byte_length]
        return self._known[index]


def _meshopt(owner: schema.Buffer | schema.BufferView) -> tuple[schema.MeshoptCompression | None, ...]:
    return owner.extensions.ext, owner.extensions.khr
