"""The parts of glTF that trimesh leaves out in silence: what a file needs, what it lacks, colours without a material."""

import io
import json
import struct
import warnings

from utils.errors import UserError

# Extensions that change geometry or the storage of textures and that are read here; any other one that a file requires
# would give a wrong mesh. Those of materials only change the gloss.
READ = {"EXT_texture_webp", "KHR_texture_transform"}
JSON_CHUNK = 0x4E4F534A


def prepare(path):
    """The bytes of a .glb or .gltf file (io.BytesIO) for trimesh; warns of what will be missing from the picture.

    Primitives without a material get the default one, because trimesh reads their 16-bit vertex colours wrongly.
    UserError where the file is broken or requires an extension that cannot be read.
    """
    raw = path.read_bytes()
    binary = path.suffix.lower() == ".glb"
    try:
        if binary:
            length, kind = struct.unpack("<II", raw[12:20])
            if raw[:4] != b"glTF" or kind != JSON_CHUNK:
                raise ValueError("it is no binary glTF 2.0")
            header, rest = json.loads(raw[20 : 20 + length]), raw[20 + length :]
        else:
            header, rest = json.loads(raw), b""
        _check(header, path)
    except (ValueError, struct.error, AttributeError, TypeError, KeyError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    materials = header.setdefault("materials", [])
    bare = [p for mesh in header.get("meshes", []) for p in mesh.get("primitives", []) if "material" not in p]
    for primitive in bare:
        primitive["material"] = len(materials)
    if bare:
        materials.append({})
    text = json.dumps(header).encode()
    if not binary:
        return io.BytesIO(text)
    text += b" " * (-len(text) % 4)
    return io.BytesIO(
        struct.pack("<4sIIII", b"glTF", 2, 20 + len(text) + len(rest), len(text), JSON_CHUNK) + text + rest
    )


def _check(header, path):
    """UserError or warnings about what the header names."""
    foreign = [
        name
        for name in header.get("extensionsRequired", [])
        if name not in READ and not name.startswith("KHR_materials_")
    ]
    if foreign:
        raise UserError(f"{path} needs {', '.join(foreign)}, which cannot be read: export it without")
    for image in header.get("images", []):
        uri = image.get("uri", "data:")
        if not uri.startswith("data:") and not (path.parent / uri.replace("%20", " ")).is_file():
            warnings.warn(f"{path}: {uri} is missing, plain colours are used instead", stacklevel=4)
    if "KHR_texture_transform" in header.get("extensionsUsed", []):
        warnings.warn(f"{path}: texture transforms (KHR_texture_transform) are not applied", stacklevel=4)
