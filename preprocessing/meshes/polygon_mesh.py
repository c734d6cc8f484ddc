"""Polygons with colours and textures, as PLY, OFF and STL files have them -> one Mesh."""

import dataclasses
import pathlib

import numpy as np

from preprocessing.meshes.colours import UNCOLOURED
from preprocessing.meshes.parts import join, with_own_corners
from preprocessing.meshes.polygons import triangulate
from utils.errors import UserError
from utils.mesh.mesh import Material, Mesh, coloured_mesh


@dataclasses.dataclass
class PolygonMesh:
    """P polygons over V vertices, with C corners in all; what a file does not give is None."""

    vertices: np.ndarray  # (V, 3)
    corners: np.ndarray  # (C,) vertex of each corner, polygon after polygon
    sizes: np.ndarray  # (P,) number of corners
    normals: np.ndarray | None = None  # (V, 3) of any length
    colours: np.ndarray | None = None  # (V, 3) in [0, 1]
    polygon_colours: np.ndarray | None = None  # (P, 3) in [0, 1]
    corner_colours: np.ndarray | None = None  # (C, 3) in [0, 1]; count before colours
    uv: np.ndarray | None = None  # (V, 2)
    corner_uv: np.ndarray | None = None  # (C, 2); counts before uv
    images: list[np.ndarray] = dataclasses.field(default_factory=list)  # textures as in Material
    polygon_image: np.ndarray | None = None  # (P,) index into images; others than 0..I-1 have none


def to_mesh(polygons: PolygonMesh, path: pathlib.Path) -> Mesh:
    """Triangles with smooth normals, textures and colours.

    A texture is shown as it is; other colours only count where there is none: those of corners, or
    else of vertices, unless these are all the same, or else of polygons.

    Raises:
        UserError: there is no triangle with an area, a face refers to a vertex that does not exist,
            or a vertex is not finite.
    """
    corners, count = polygons.corners, len(polygons.vertices)
    wrong = corners[(corners < 0) | (corners >= count)]
    if len(wrong):
        raise UserError(f"{path} has a face with vertex {wrong[0]}, but only {count} vertices")
    triangles, owner = triangulate(polygons.vertices, corners, polygons.sizes)
    if not len(triangles):
        raise UserError(f"{path} holds no triangles")
    whole = coloured_mesh(polygons.vertices, corners[triangles], np.ones((count, 3)))
    whole = dataclasses.replace(whole, normals=_unit_normals(polygons.normals, whole.normals))
    image = np.full(len(owner), -1) if polygons.polygon_image is None else polygons.polygon_image[owner]
    textured = (image >= 0) & (image < len(polygons.images))
    parts = []
    if textured.any():
        parts.append(_textured(polygons, whole, triangles[textured], image[textured]))
    if not textured.all():
        parts.append(_plain(polygons, whole, triangles[~textured], owner[~textured]))
    materials = [Material(np.ones(4), pixels) for pixels in polygons.images]
    every = (polygons.corner_colours, polygons.colours, polygons.polygon_colours)
    coloured = any(colours is not None for colours in every)
    materials.append(Material(np.array([1.0 if coloured else UNCOLOURED] * 3 + [1.0])))
    return join(parts, materials, path)


def _unit_normals(given: np.ndarray | None, computed: np.ndarray) -> np.ndarray:
    """The normals of a file at length 1; those that are not finite or 0 are computed ones."""
    if given is None:
        return computed
    with np.errstate(over="ignore", invalid="ignore"):
        length = np.linalg.norm(given, axis=1, keepdims=True)
        return np.where(np.isfinite(length) & (length > 1e-12), given / np.maximum(length, 1e-12), computed)


def _textured(polygons: PolygonMesh, whole: Mesh, triangles: np.ndarray, image: np.ndarray) -> Mesh:
    """The (T, 3) triangles, counted in corners, that show the images (T,)."""
    uv, part = polygons.uv, dataclasses.replace(whole, faces=polygons.corners[triangles], face_material=image)
    if polygons.corner_uv is not None:
        part = with_own_corners(part)
        uv = polygons.corner_uv[triangles.ravel()]
    if uv is None:
        return part
    return dataclasses.replace(part, uv=np.nan_to_num(np.asarray(uv, np.float64), posinf=0, neginf=0))


def _plain(polygons: PolygonMesh, whole: Mesh, triangles: np.ndarray, owner: np.ndarray) -> Mesh:
    """The (T, 3) triangles, counted in corners, of the polygons (T,), in their own colours."""
    material = np.full(len(triangles), len(polygons.images))
    part = dataclasses.replace(whole, faces=polygons.corners[triangles], face_material=material)
    colours, of_polygons = polygons.colours, polygons.polygon_colours
    if polygons.corner_colours is not None:
        part, colours = with_own_corners(part), polygons.corner_colours[triangles.ravel()]
    elif of_polygons is not None and (colours is None or (colours == colours[:1]).all()):
        part, colours = with_own_corners(part), np.repeat(of_polygons[owner], 3, axis=0)
    if colours is None:
        return part
    return dataclasses.replace(part, colours=np.concatenate([colours, np.ones((len(colours), 1))], axis=1))
