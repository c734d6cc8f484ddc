"""OBJ files with their material libraries -> Mesh."""

import os
import pathlib
import re
import warnings

import numpy as np

from preprocessing.meshes.colours import UNCOLOURED, glass_note, of_any_depth, to_rgba
from preprocessing.meshes.obj.look import Look, look_of
from preprocessing.meshes.obj.mtl_statements import MtlMaterial, read_mtl
from preprocessing.meshes.obj.statements import ObjFile, read_obj
from preprocessing.meshes.parts import join
from preprocessing.meshes.polygons import triangulate
from preprocessing.meshes.side_files import find_below, find_side_file, record
from preprocessing.meshes.textures import Textures
from utils.errors import UserError, first_of
from utils.files import folded
from utils.mesh.mesh import ABSENT, Material, Mesh, area_vectors

NO_MATERIAL = {"", "(null)", "none"}  # what programs write after usemtl where a face has none
LARGEST_UV = 1e9  # texture coordinates beyond it are broken; a texture need not repeat that often


def read_mesh(path: pathlib.Path) -> Mesh:
    """Read an .obj file with the material libraries and textures that it names.

    What cannot be found or used is warned of. Vertex colours count where there is no texture, in
    place of the colour of the material. Faces of a material that is invisible are left out.

    Raises:
        UserError: the file is malformed, or there is no triangle with an area.
    """
    obj = read_obj(path)
    triangles, owner = triangulate(obj.vertices, obj.corners[:, 0], obj.sizes)
    if not len(triangles):
        raise UserError(f"{path} holds no triangles")
    notes = list(obj.notes)
    looks = _looks(obj, np.unique(obj.polygon_name[owner]), path, notes)
    look = obj.polygon_name[owner]
    visible = np.array([one.opacity >= ABSENT for one in looks])[look]
    mesh = _mesh(obj, triangles[visible], look[visible], looks, notes)
    for note in dict.fromkeys(notes):
        warnings.warn(f"{path}: {note}", stacklevel=3)
    return join([mesh], mesh.materials, path)


def _looks(obj: ObjFile, used: np.ndarray, path: pathlib.Path, notes: list[str]) -> list[Look]:
    """The look of each of the names of a file; those that are not `used` may be anything."""
    before = len(notes)
    library = _read_libraries(obj, path, notes)
    told = len(notes) > before
    textures = Textures(path)
    plain = Look(Material(np.array([UNCOLOURED] * 3 + [1.0])))
    looks, unknown, unreadable = [plain] * len(obj.names), [], []
    for index in used:
        name = obj.names[index]
        material = _find_material(name, library)
        if material is None and obj.names == [""] and len(library) == 1:  # scanners write no usemtl
            (material,) = library.values()
        if material is not None:
            looks[index] = look_of(material, textures, path)
            statement = material.unreadable()
            if statement is not None:
                unreadable.append(f"{name} ({statement})".strip())
        elif not name and (library or obj.libraries):
            if not told:
                which = "all" if len(used) == 1 else "some"
                notes.append(f"{which} faces have no usemtl, and so no material: plain colours are used instead")
        elif name.lower() not in NO_MATERIAL:
            unknown.append(name)
    textures.warn()
    if unknown and (library or not told):
        notes.append(f"no material library has {first_of(unknown, 4)}: plain colours are used instead")
    if unreadable:
        notes.append(f"numbers of materials cannot be read: {first_of(unreadable, 4)}")
    shown = [index for index in used if looks[index].opacity >= ABSENT]
    if not shown:  # some programs write d 0 for all
        notes.append("all materials are invisible; they are drawn opaque")
        return [Look(look.material, look.picture) for look in looks]
    glass = glass_note((obj.names[index], looks[index].opacity) for index in shown)
    if glass:
        notes.append(glass)
    return looks


def _read_libraries(obj: ObjFile, path: pathlib.Path, notes: list[str]) -> dict[str, MtlMaterial]:
    """The materials of all libraries by name; of two with the same name the first counts.

    Where one is missing, or none is named, that of the mesh's own name counts too, as in Blender:
    of a file that was renamed with its library, mtllib still has the old name.
    """
    library: dict[str, MtlMaterial] = {}
    missing = []
    for name in dict.fromkeys(name for argument in obj.libraries for name in _file_names(argument, path)):
        file = find_side_file(name, path)
        if file is None or not file.is_file():
            missing.append(f"{' '.join(name.split())[:200]} is missing" if file is None else f"{name} is not a file")
            continue
        try:
            materials = read_mtl(file, os.path.relpath(file.parent, path.parent))
        except OSError as error:
            missing.append(f"{name} cannot be read ({error.strerror})")
            continue
        library = materials | library
    instead = None
    if missing or (not obj.libraries and any(name.lower() not in NO_MATERIAL for name in obj.names)):
        instead = _own_library(path)
    if missing:
        stand_in = "plain colours are" if instead is None else f"{path.stem}.mtl is"
        notes.append(f"{first_of(missing, 4)}, {stand_in} used instead")
    return (instead or {}) | library


def _own_library(path: pathlib.Path) -> dict[str, MtlMaterial] | None:
    """The materials of the library beside the mesh that has its name; None without any."""
    file = find_below(path.parent, f"{path.stem}.mtl")
    record(f"//{path.stem}.mtl" if file is None else file.name)
    try:
        return None if file is None else read_mtl(file, "") or None
    except OSError:
        return None


def _file_names(argument: str, path: pathlib.Path) -> list[str]:
    """The names of a mtllib statement: one with spaces, or several."""
    if find_side_file(argument, path):
        return [argument]
    names = re.split(r"(?<=\.mtl)(?:\s+|$)", argument, flags=re.IGNORECASE)[:-1]  # the last one has no such end
    return names or argument.partition("#")[0].split()


def _find_material(name: str, library: dict[str, MtlMaterial]) -> MtlMaterial | None:
    """The material of a usemtl statement by its name, or else as `_plain` and without a comment.

    A library may have a comment behind the name too. That counts last, and for one material only:
    of Material #1 and Material #2 none is meant by Material.
    """
    short = name.partition(" #")[0]
    if name in library or short in library:
        return library.get(name, library.get(short))
    wanted = {_plain(name), _plain(short)}
    named = [material for other, material in library.items() if _plain(other) in wanted]
    commented = [material for other, material in library.items() if _plain(other.partition(" #")[0]) == _plain(name)]
    return named[0] if named else commented[0] if len(commented) == 1 else None


def _plain(name: str) -> str:
    """The `folded` name of a material, without quotes."""
    return folded(name.strip('"'))


def _mesh(obj: ObjFile, triangles: np.ndarray, look: np.ndarray, looks: list[Look], notes: list[str]) -> Mesh:
    """The (T, 3) triangles, counted in corners, with the looks (T,), as a Mesh with materials."""
    vertex, coordinate, normal = obj.corners[triangles.ravel()].T
    textured = np.array([one.material.image is not None for one in looks])[look]
    if (coordinate.reshape(-1, 3)[textured] < 0).all(1).any():
        notes.append("a textured part has no texture coordinates")
    vertex_colours, given = of_any_depth(obj.colours), np.isfinite(obj.colours).all(1)
    coloured = ~textured & given[vertex].reshape(-1, 3).all(1)
    if (vertex_colours[given] == 1).all():  # some programs write white where there are no colours
        coloured[:] = False
    # a vertex of its own for each that differs in one of these
    laid = np.where(textured, look, -1)
    first, inverse = _distinct([vertex, coordinate, normal, np.repeat(coloured, 3), np.repeat(laid, 3)])
    vertex, coordinate, normal = vertex[first], coordinate[first], normal[first]
    colours = np.ones((len(first), 4))
    shown = np.repeat(coloured, 3)[first]
    colours[shown] = to_rgba(vertex_colours[vertex[shown]])
    scale = np.array([one.picture.scale if one.picture else (1, 1) for one in looks])[np.repeat(look, 3)[first]]
    offset = np.array([one.picture.offset if one.picture else (0, 0) for one in looks])[np.repeat(look, 3)[first]]
    with np.errstate(over="ignore", invalid="ignore"):
        uv = np.concatenate([obj.uv, np.zeros((1, 2))])[coordinate] * scale + offset  # -1: the last row
    return Mesh(
        vertices=obj.vertices[vertex],
        faces=inverse.reshape(-1, 3),
        normals=_normals(obj, triangles, vertex, normal),
        uv=np.where(np.abs(uv) < LARGEST_UV, uv, 0),
        colours=colours,
        face_material=np.where(coloured, len(looks), look),
        materials=[one.material for one in looks] + [Material(np.ones(4))],
    )


def _distinct(columns: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The first place of every distinct row of columns >= -1, and each row's index in these."""
    key, count = np.zeros(len(columns[0]), np.int64), 1
    for column in columns:
        size = int(column.max(initial=0)) + 2
        if count * size > 2**62:
            key = np.unique(key, return_inverse=True)[1]
            count = len(key)
        key, count = key * size + column + 1, count * size
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    return first, inverse


def _normals(obj: ObjFile, triangles: np.ndarray, vertex: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Unit normals (N, 3) for N vertices given by their place in the file and that of their normal.

    A normal that is absent, 0 or not finite is the mean of the faces around, weighted by area.
    """
    corners = obj.corners[triangles, 0]
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        areas = area_vectors(obj.vertices, corners).T
        sums = np.stack([np.bincount(corners.ravel(), np.repeat(area, 3), len(obj.vertices)) for area in areas], 1)
        wanted = np.concatenate([obj.normals, np.zeros((1, 3))])[normal]
        length = np.linalg.norm(wanted, axis=1)
        wanted = np.where((np.isfinite(length) & (length > 0))[:, None], wanted, sums[vertex])
        length = np.linalg.norm(wanted, axis=1, keepdims=True)
        return np.where(np.isfinite(length) & (length > 0), wanted / length, 0)
