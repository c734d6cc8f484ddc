"""Textures for meshes: an atlas of flat charts of the faces, painted with their colours."""

from collections.abc import Callable, Iterator

import cv2
import numpy as np
from scipy.ndimage import distance_transform_edt

from utils.errors import UserError
from utils.mesh.mesh import area_vectors, face_areas
from utils.mesh.ray_scene import RayScene, barycentric
from utils.stages import check_stop

SIZE = 1024  # texels along a side
# Texels between charts (2 to 3 where xatlas needs more room than the texture has): bilinear
# lookups of one chart then read nothing of another.
PADDING = 4
CHART = 500  # faces of a chart, about, at most: the time of xatlas grows with the square of it
BATCH = 1 << 20  # texels rasterised, and points coloured, at a time


def unwrap(vertices: np.ndarray, faces: np.ndarray, size: int = SIZE) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lay the faces of a mesh out in a texture, cut into charts that do not overlap.

    A vertex on a seam between charts is repeated, once for each chart.

    Args:
        vertices: (V, 3).
        faces: (F, 3).
        size: texels along a side of the texture.

    Returns:
        vertex_index: (V',) int64; the new vertices are vertices[vertex_index].
        faces: (F, 3) int64, the same faces in the same order, as indices of new vertices.
        uv: (V', 2) texture coordinates in [0, 1], v up.

    Raises:
        UserError: there are no faces, they have no area, or xatlas is not installed.
    """
    try:
        import xatlas
    except ImportError:
        raise UserError(
            "textures need xatlas, which is not installed: pip install xatlas, or write vertex colours"
        ) from None
    if not len(faces):
        raise UserError("a mesh without faces cannot be textured")
    points = np.asarray(vertices, np.float64)
    area = face_areas(points, np.asarray(faces)).sum()
    if not area > 0:  # NaN too
        raise UserError("a mesh whose faces have no area cannot be textured")
    atlas = xatlas.Atlas()
    # scaled to an area of 1, because xatlas takes some of its tolerances as lengths
    atlas.add_mesh(((points - points.mean(0)) / np.sqrt(area)).astype(np.float32), np.asarray(faces, np.uint32))
    charts, packing = xatlas.ChartOptions(), xatlas.PackOptions()
    charts.max_chart_area = CHART / len(faces)
    packing.resolution, packing.padding, packing.bilinear = size, PADDING, True
    atlas.generate(charts, packing)
    vertex_index, new_faces, uv = atlas[0]
    margin = PADDING / 2 / size  # on all sides: viewers repeat textures, so column 0 borders on the last one
    uv = margin + (1 - 2 * margin) * np.clip(uv.astype(np.float64), 0, 1)
    uv[:, 1] = 1 - uv[:, 1]  # xatlas counts rows downwards
    return vertex_index.astype(np.int64), new_faces.astype(np.int64), uv


def bake(
    vertices: np.ndarray,
    faces: np.ndarray,
    uv: np.ndarray,
    size: int,
    colour_of: Callable[[np.ndarray, np.ndarray], np.ndarray],
    normals: np.ndarray | None = None,
) -> np.ndarray:
    """Paint the texture of a mesh.

    Texels that the mesh does not read get the colour of the nearest texel that it reads. Lookups
    across the border of a chart, in mipmaps too, thus find no other colours.

    Args:
        vertices: (V, 3).
        faces: (F, 3).
        uv: (V, 2) texture coordinates, v up.
        size: texels along a side of the texture.
        colour_of: (N, 3) points on the surface and their (N, 3) unit normals -> (N, 3) display
            colours in [0, 1]. It is called with at most BATCH points.
        normals: (V, 3) of the vertices; None: points have the normals of their faces.

    Returns:
        (size, size, 3) uint8 texture, row 0 at v = 1.
    """
    vertices, faces = np.asarray(vertices, np.float64), np.asarray(faces)
    texture, painted = np.zeros((size * size, 3), np.uint8), np.zeros(size * size, bool)
    flat = area_vectors(vertices, faces)
    for texel, face, weights in rasterise(faces, uv, size):
        points = np.einsum("nk,nkc->nc", weights, vertices[faces[face]])
        upright = flat[face] if normals is None else np.einsum("nk,nkc->nc", weights, normals[faces[face]])
        upright = upright / np.maximum(np.linalg.norm(upright, axis=1, keepdims=True), 1e-30)
        texture[texel] = np.rint(255 * np.clip(colour_of(points, upright), 0, 1))
        painted[texel] = True
    row, column = distance_transform_edt(~painted.reshape(size, size), return_distances=False, return_indices=True)
    return texture.reshape(size, size, 3)[row, column]


def texel_width(vertices: np.ndarray, faces: np.ndarray, uv: np.ndarray, size: int) -> float:
    """The length that a texel has on the surface, on average; arguments as in `bake`."""
    flat = np.concatenate([uv, np.zeros((len(uv), 1))], 1)
    return float(np.sqrt(face_areas(vertices, faces).sum() / max(face_areas(flat, faces).sum(), 1e-30)) / size)


def rasterise(faces: np.ndarray, uv: np.ndarray, size: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Find the texels that a mesh reads from its texture, each of them once.

    The texels whose centre lies on a face come first. Then come the texels around them, which
    bilinear lookups near a border read as well; those get the nearest point of a face. So do the
    texels of faces that are too thin to contain any centre.

    Args:
        faces: (F, 3).
        uv: (V, 2) texture coordinates, v up.
        size: texels along a side of the texture.

    Yields:
        Batches of texel (N,), face (N,) and barycentric weights (N, 3). Texel number
        row * size + column has its centre at u = (column + 0.5) / size,
        v = 1 - (row + 0.5) / size.
    """
    # in units of texels, where float32 is exact to a few thousandths
    flat = np.stack([uv[:, 0] * size, (1 - uv[:, 1]) * size, np.zeros(len(uv))], 1).astype(np.float32)
    scene = RayScene(flat, faces)
    inside = np.zeros((size, size), np.uint8)
    for first in range(0, size * size, BATCH):
        check_stop()
        texel = np.arange(first, min(first + BATCH, size * size))
        centres = _centres(texel, size)
        downwards = np.array([0, 0, -1], np.float32)
        hits = scene.cast(centres - downwards, downwards)
        hit = np.isfinite(hits["t_hit"])
        inside.flat[texel[hit]] = 1
        yield texel[hit], hits["primitive_ids"][hit].astype(np.int64), barycentric(hits["primitive_uvs"][hit])
    corner = np.clip(flat[:, 1::-1].astype(np.int64), 0, size - 1)  # (row, column); also of the thinnest faces
    near = inside.copy()
    near[tuple(corner.T)] = 1
    around = np.flatnonzero((cv2.dilate(near, np.ones((5, 5), np.uint8)) > 0) & (inside == 0))
    for first in range(0, len(around), BATCH):
        check_stop()
        texel = around[first : first + BATCH]
        nearest = scene.closest(_centres(texel, size))
        yield texel, nearest["primitive_ids"].astype(np.int64), barycentric(nearest["primitive_uvs"])


def _centres(texel: np.ndarray, size: int) -> np.ndarray:
    """(N,) texels -> (N, 3) float32 centres (column + 0.5, row + 0.5, 0)."""
    return np.stack([texel % size + 0.5, texel // size + 0.5, np.zeros(len(texel))], 1).astype(np.float32)
