"""The container: the header of a .gltf or .glb file, and the binary chunk of the latter."""

import json
import pathlib
import re
import struct
from typing import Any

from pydantic import ValidationError

from preprocessing.meshes.gltf import schema

MAGIC = b"glTF"
JSON_CHUNK, BINARY_CHUNK = 0x4E4F534A, 0x004E4942
MAX_BYTES = 2_000_000_000  # of the file
NULL = re.compile(r":\s*null\b")


def parse(path: pathlib.Path) -> tuple[schema.Header, memoryview]:
    """The header of a file, and its binary chunk, which is empty for a .gltf file.

    Which of the two a file is, is told by its first bytes.

    Raises:
        ValueError: it is not glTF 2.0, or the header breaks the schema.
    """
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"it is larger than {MAX_BYTES // 1_000_000} MB")
    data = path.read_bytes()
    head, binary = _split(memoryview(data)) if data.startswith(MAGIC) else (memoryview(data), memoryview(b""))
    # Names in other encodings do not matter. Windows programs begin a text with a byte order mark.
    text = bytes(head).decode("utf-8-sig", "replace").strip("\0 \t\r\n")
    if not text.startswith("{"):
        raise ValueError("it is not a glTF file")
    if NULL.search(text):
        text = json.dumps(json.loads(text, object_hook=_without_nulls))
    try:
        header = schema.Header.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{place}: {first['msg']}" if place else first["msg"]) from None
    newest = header.asset.min_version or header.asset.version
    if newest.split(".")[0] != "2" or (header.asset.min_version or "2.0") != "2.0":
        raise ValueError(f"it is glTF {newest}, not 2.0: export it as glTF 2.0")
    return header, binary


def _without_nulls(item: dict[str, Any]) -> dict[str, Any]:
    """An object of the header without what is null: some serialisers write so what is absent."""
    return {name: value for name, value in item.items() if value is not None}


def _split(data: memoryview) -> tuple[memoryview, memoryview]:
    """The JSON and the binary chunk of a .glb file."""
    if len(data) < 20:
        raise ValueError("it is cut off")
    version, length = struct.unpack_from("<II", data, 4)
    if version != 2:
        raise ValueError(f"it is binary glTF {version}, not 2: export it as glTF 2.0")
    if length > len(data):
        raise ValueError(f"it is cut off: {len(data)} of {length} bytes")
    chunks: dict[int, memoryview] = {}
    start = 12
    while start + 8 <= len(data):
        size, kind = struct.unpack_from("<II", data, start)
        if start + 8 + size > len(data):
            raise ValueError("a chunk is cut off")
        chunks.setdefault(kind, data[start + 8 : start + 8 + size])
        start += 8 + size
        if BINARY_CHUNK in chunks:  # some writers add bytes at the end
            break
    if JSON_CHUNK not in chunks:
        raise ValueError("it has no JSON chunk")
    return chunks[JSON_CHUNK], chunks.get(BINARY_CHUNK, memoryview(b""))
