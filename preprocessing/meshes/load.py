"""Mesh files of all kinds -> one Mesh, scenes flattened."""

import dataclasses
import pathlib
import re
import warnings

import numpy as np

from preprocessing.meshes import gltf
from utils.errors import UserError
from utils.mesh.mesh import ABSENT, Material, Mesh, face_areas

SUFFIXES = (".glb", ".gltf", ".obj", ".ply", ".off")


LARGEST_TEXTURE = 1024  # texels a side: a view of 138 pixels, supersampled, shows half of that


UNCOLOURED = 0.8  # grey of a surface whose file says nothing of its colour


def load_mesh(path):
    """Read a GLB, glTF, OBJ, PLY or OFF file; scenes are flattened. UserError (file and reason) where it cannot be used.

    Missing textures are warned of (UserWarning) and replaced by the material's factor.
    """
    import trimesh

    path = pathlib.Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"{path} is not a mesh that can be read: use one of {' '.join(SUFFIXES)}")
    if not path.is_file():
        raise UserError(f"{path} is missing")
    linear = path.suffix.lower() in (".glb", ".gltf")  # glTF's factors and vertex colours are linear light
    if path.suffix.lower() == ".obj":
        _warn_of_missing(path)
    try:
        if linear:
            resolver = trimesh.resolvers.FilePathResolver(path)
            scene = trimesh.load_scene(
                gltf.prepare(path), file_type=path.suffix.lower()[1:], resolver=resolver, process=False
            )
        else:
            scene = trimesh.load_scene(path, process=False)
        if path.suffix.lower() == ".off":
            _read_off_colours(path, scene)
    except UserError:
        raise
    except Exception as error:  # every reader of trimesh has its own kinds of error
        reason = str(error).strip().splitlines()
        raise UserError(f"{path} cannot be read: {reason[0] if reason else type(error).__name__}") from error
    materials, parts = {}, []
    for node in scene.graph.nodes_geometry:
        transform, name = scene.graph[node]
        geometry = scene.geometry[name]
        if isinstance(geometry, trimesh.Trimesh) and len(geometry.faces):
            parts.append(_part(geometry, transform, materials, linear, path))
    if not parts:
        raise UserError(f"{path} holds no triangles")
    return _clean(_concatenate(parts, [material for material, _ in materials.values()]), path)


def _part(geometry, transform, materials, linear, path):
    """One geometry of a scene as a Mesh in the scene's frame; its Material is added to `materials` (id -> Material, source)."""
    matrix = transform[:3, :3]
    faces = np.array(geometry.faces, np.int64)
    vertices = geometry.vertices @ matrix.T + transform[:3, 3]
    normals = np.array(geometry.vertex_normals)
    if abs(np.linalg.det(matrix)) > 0:  # else the part is flattened or gone, and normals have no meaning
        normals = normals @ np.linalg.inv(matrix)  # rows n: (M^-T n)^T = n^T M^-1
        normals /= np.maximum(
            np.linalg.norm(normals, axis=1, keepdims=True), 1e-12
        )  # 1e-12: normals of length 0 stay 0
    if np.linalg.det(matrix) < 0:  # a mirror turns the winding round
        faces = faces[:, ::-1]
    uv, colours, source = np.zeros((len(vertices), 2)), np.ones((len(vertices), 4)), None
    visual = geometry.visual
    if visual.kind == "texture":
        source = visual.material
        if visual.uv is not None and len(visual.uv) == len(vertices):
            uv = np.nan_to_num(np.asarray(visual.uv, np.float64), posinf=0, neginf=0)
        elif getattr(source, "baseColorTexture", getattr(source, "image", None)) is not None:
            warnings.warn(f"{path}: a textured part has no texture coordinates", stacklevel=3)
        attribute = visual.vertex_attributes.get("color")
        if attribute is not None and len(attribute) == len(vertices):
            colours = _unit(attribute)
    elif visual.kind == "vertex":
        colours = _unit(visual.vertex_colors)
    elif visual.kind == "face":  # vertices get their face's colour, so every face gets its own
        colours = np.repeat(_unit(visual.face_colors), 3, 0)
        vertices, normals, uv = (
            each[geometry.faces.ravel()] for each in (vertices, normals, np.zeros((len(vertices), 2)))
        )
        corner = np.arange(len(vertices)).reshape(-1, 3)
        faces = corner[:, ::-1] if np.linalg.det(matrix) < 0 else corner
    if linear:
        if (colours != 1).any():  # rounding would make white a little less, and `albedo` would take it for a tint
            colours[:, :3] = _display(colours[:, :3])
    else:
        colours[:, 3] = 1  # the fourth channel of PLY, OFF and OBJ colours means nothing in many files
    key = id(source) if source is not None else visual.kind
    if key not in materials:
        materials[key] = _material(source, visual.kind is not None, linear, path), source
    return Mesh(vertices, faces, normals, uv, colours, np.full(len(faces), list(materials).index(key)), [])


def _material(source, coloured, linear, path):
    """A trimesh material (or None) as a Material."""
    if source is None:
        return Material(np.ones(4) if coloured or linear else np.array([UNCOLOURED] * 3 + [1.0]))
    if hasattr(source, "baseColorFactor"):
        factor, picture = source.baseColorFactor, source.baseColorTexture
    else:
        factor, picture = source.diffuse, source.image
    if not hasattr(source, "baseColorFactor") and "kd" not in source.kwargs:  # trimesh puts a dark grey there
        factor = [UNCOLOURED] * 3 + [1.0]
    factor = np.ones(4) if factor is None else _unit(factor)
    image = None if picture is None else _pixels(picture, path)
    if linear:
        factor[:3] = _display(factor[:3])
        mode = source.alphaMode or "OPAQUE"
        cutoff = {"OPAQUE": 0.0, "BLEND": ABSENT}.get(mode, 0.5 if source.alphaCutoff is None else source.alphaCutoff)
        return Material(factor, image, cutoff)
    # MTL: many exporters write a black or grey Kd beside map_Kd, and viewers show the texture as it is
    return Material(np.array([*(factor[:3] if image is None else np.ones(3)), 1.0]), image)


def _unit(colours):
    """Colours of any type, grey, RGB or RGBA -> float RGBA in [0, 1]."""
    colours = np.asarray(colours)
    top = np.iinfo(colours.dtype).max if colours.dtype.kind in "ui" else 1
    colours = np.clip(np.nan_to_num(colours / top), 0, 1)
    return colours if colours.shape[-1] == 4 else np.concatenate([colours, np.ones_like(colours[..., :1])], -1)


def _display(linear):
    """Linear light -> display values (sRGB, IEC 61966-2-1)."""
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055)


def _pixels(picture, path):
    """A PIL image of any mode -> (H, W, 4) uint8, at most LARGEST_TEXTURE a side; None (and a warning) if it is broken."""
    from PIL import Image

    try:
        if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):  # PIL would clip these at 255
            grey = np.asarray(picture, np.float64)
            grey = grey / 257 if picture.mode != "F" else grey * 255
            picture = Image.fromarray(np.clip(np.rint(grey), 0, 255).astype(np.uint8))
        picture = picture.convert("RGBA")
    except (OSError, ValueError, SyntaxError) as error:
        warnings.warn(f"{path}: a texture cannot be read ({error}), its material's colour is used", stacklevel=3)
        return None
    if max(picture.size) > LARGEST_TEXTURE:
        ratio = LARGEST_TEXTURE / max(picture.size)
        picture = picture.resize([max(1, round(side * ratio)) for side in picture.size], Image.Resampling.BOX)
    return np.asarray(picture)


def _warn_of_missing(path):
    """Warn of texture and material files of an OBJ file that are not there: trimesh leaves them out without a word."""
    named = []
    for library in _statements(path, "mtllib"):
        named.append(library)
        named += _statements(path.parent / library, "map_Kd")
    for name in dict.fromkeys(named):
        if not (path.parent / name).is_file():
            warnings.warn(f"{path}: {name} is missing, plain colours are used instead", stacklevel=3)


def _read_off_colours(path, scene):
    """Give the geometry of a COFF file its vertex colours (r g b [a], 0..255 or 0..1), which trimesh leaves out."""
    lines = [line.split("#")[0].split() for line in path.read_text(errors="replace").splitlines()]
    lines = [line for line in lines if line]
    if lines[0][0].upper() == "COFF":
        (geometry,) = scene.geometry.values()
        start = 1 if len(lines[0]) > 1 else 2  # the counts may follow the keyword
        colours = np.array([line[3:6] for line in lines[start : start + len(geometry.vertices)]], np.float64)
        geometry.visual.vertex_colors = colours if colours.max() <= 1 else colours / 255


def _statements(path, keyword):
    """The arguments of every `keyword` line of an OBJ or MTL file; none where the file is missing."""
    if not path.is_file():
        return []
    with open(path, errors="replace") as lines:
        return [match[1] for match in (re.match(rf"\s*{keyword}\s+(.*\S)", line) for line in lines) if match]


def _concatenate(parts, materials):
    """One Mesh of many parts whose face_material already counts in `materials`."""
    starts = np.cumsum([0] + [len(part.vertices) for part in parts[:-1]])
    joined = {
        name: np.concatenate([getattr(p, name) for p in parts])
        for name in ("vertices", "normals", "uv", "colours", "face_material")
    }
    return Mesh(
        faces=np.concatenate([p.faces + start for p, start in zip(parts, starts, strict=True)]),
        materials=materials,
        **joined,
    )


def _clean(mesh, path):
    """Without faces that have no area; UserError where nothing is left or a vertex is not finite."""
    used = mesh.vertices[mesh.faces.ravel()]
    if not np.isfinite(used).all():
        raise UserError(f"{path} has vertices that are not finite")
    extent = np.ptp(used, axis=0).max()
    solid = face_areas(mesh) > 1e-14 * extent**2  # a face this small lies within the rounding of its corners
    if not solid.any():
        raise UserError(f"{path} has no face with an area")
    return dataclasses.replace(mesh, faces=mesh.faces[solid], face_material=mesh.face_material[solid])
