"""glTF and GLB files: the header is checked and completed before trimesh reads it."""

import io
import json
import pathlib
import struct
import warnings
from typing import Any

import trimesh

from utils.errors import UserError

# Extensions that change geometry or the storage of textures and that can be read. A file that
# requires any other one would give a wrong mesh; extensions of materials only change the gloss.
SUPPORTED = {"EXT_texture_webp", "KHR_texture_transform"}
MATERIAL_PREFIX = "KHR_materials_"
JSON_CHUNK = 0x4E4F534A  # "JSON", type of the first chunk of a GLB file
PREFIX = 20  # bytes before the JSON text of a GLB file: the file's header and the chunk's


def read_scene(path: pathlib.Path) -> trimesh.Scene:
    """Read a .glb or .gltf file.

    Warns of missing textures and of texture transforms, which are ignored. UserError if the file
    is broken or requires an extension that cannot be read.
    """
    binary = path.suffix.lower() == ".glb"
    try:
        header, chunks = _parse(path.read_bytes(), binary)
        _check(header, path)
    except (ValueError, struct.error, AttributeError, TypeError, KeyError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    _add_default_material(header)
    return trimesh.load_scene(
        io.BytesIO(_serialise(header, chunks, binary)),
        file_type=path.suffix.lower()[1:],
        resolver=trimesh.resolvers.FilePathResolver(path),
        process=False,
    )


def _parse(raw: bytes, binary: bool) -> tuple[dict[str, Any], bytes]:
    """The JSON header of a file, and the chunks that follow it in a GLB file."""
    if not binary:
        return json.loads(raw), b""
    length, kind = struct.unpack("<II", raw[12:PREFIX])
    if raw[:4] != b"glTF" or kind != JSON_CHUNK:
        raise ValueError("it is not a binary glTF 2.0 file")
    return json.loads(raw[PREFIX : PREFIX + length]), raw[PREFIX + length :]


def _serialise(header: dict[str, Any], chunks: bytes, binary: bool) -> bytes:
    """The inverse of _parse."""
    text = json.dumps(header).encode()
    if not binary:
        return text
    text += b" " * (-len(text) % 4)
    size = PREFIX + len(text) + len(chunks)
    return struct.pack("<4sIIII", b"glTF", 2, size, len(text), JSON_CHUNK) + text + chunks


def _check(header: dict[str, Any], path: pathlib.Path) -> None:
    """UserError or warnings about parts of the file that cannot be used."""
    unsupported = [
        name
        for name in header.get("extensionsRequired", [])
        if name not in SUPPORTED and not name.startswith(MATERIAL_PREFIX)
    ]
    if unsupported:
        raise UserError(f"{path} needs {', '.join(unsupported)}, which cannot be read: export it without")
    for image in header.get("images", []):
        uri = image.get("uri", "data:")
        if not uri.startswith("data:") and not (path.parent / uri.replace("%20", " ")).is_file():
            warnings.warn(f"{path}: {uri} is missing, plain colours are used instead", stacklevel=4)
    if "KHR_texture_transform" in header.get("extensionsUsed", []):
        warnings.warn(f"{path}: texture transforms (KHR_texture_transform) are not applied", stacklevel=4)


def _add_default_material(header: dict[str, Any]) -> None:
    """Give primitives without a material the default one.

    Otherwise trimesh misreads their 16-bit vertex colours.
    """
    materials = header.setdefault("materials", [])
    bare = [p for mesh in header.get("meshes", []) for p in mesh.get("primitives", []) if "material" not in p]
    for primitive in bare:
        primitive["material"] = len(materials)
    if bare:
        materials.append({})
