"""The surface of a solid from distances at scattered points or on a coarse grid."""

import os
from collections.abc import Sequence

import numpy as np
import scipy.interpolate
import scipy.spatial
from skimage.measure import marching_cubes

from utils.errors import UserError
from utils.mesh.mesh import coloured_mesh

RESOLUTION = 96  # cells along the longest side; DISN's samples are about a 64th of it apart


def scattered_surface(
    points: np.ndarray, distances: np.ndarray, iso: float, where: str | os.PathLike[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Triangles of the surface where the distance is `iso`, by marching cubes.

    Between the points, distances are interpolated linearly over their Delaunay tetrahedra.

    Args:
        points: (N, 3).
        distances: (N,) signed distances at the points, negative inside.
        iso: the distance at which the surface is extracted.
        where: the file of the distances, for errors.

    Returns:
        Vertices (V, 3) and faces (F, 3), counter-clockwise seen from outside.

    Raises:
        UserError: there is no surface.
    """
    points, first = np.unique(points, axis=0, return_index=True)  # DISN draws with replacement
    values = distances[first].astype(np.float64) - iso
    inside = points[values <= 0]
    if not len(inside) or len(inside) == len(points):
        reach = f"{distances.min():.4g} to {distances.max():.4g}" if len(points) else "nothing"
        raise UserError(f"{where}: holds no surface, its distances reach from {reach}")
    low, high = inside.min(0), inside.max(0)
    cell = max((high - low).max(), 1e-9) / RESOLUTION
    axes = [np.arange(low[k] - 3 * cell, high[k] + 3.5 * cell, cell) for k in range(3)]
    nodes = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    away, nearest = scipy.spatial.cKDTree(points).query(nodes)
    field = values[nearest]
    # Over any step a distance changes by that step at most. Where the nearest value exceeds this,
    # the sign is certain and the exact value does not matter.
    uncertain = np.abs(field) <= away + 2 * cell
    try:
        field[uncertain] = scipy.interpolate.LinearNDInterpolator(points, values)(nodes[uncertain])
    except scipy.spatial.QhullError:
        raise UserError(f"{where}: its {len(points)} points span no volume") from None
    beyond = np.isnan(field)  # outside the hull of all points
    field[beyond] = np.abs(values[nearest[beyond]]) + cell
    return grid_surface(field.reshape([len(axis) for axis in axes]), [axis[0] for axis in axes], cell, 0, where)


def grid_surface(
    field: np.ndarray,
    low: Sequence[float] | np.ndarray,
    cell: float | np.ndarray,
    iso: float,
    where: str | os.PathLike[str],
) -> tuple[np.ndarray, np.ndarray]:
    """The same from distances on a regular grid, linear between its nodes.

    Args:
        field: (X, Y, Z) signed distances, negative inside.
        low: (3,) position of the first node.
        cell: distance of neighbouring nodes, the same along all axes or (3,).
        iso: the distance at which the surface is extracted.
        where: the file of the distances, for errors.
    """
    if not field.min() < iso < field.max():
        span = f"from {field.min():.4g} to {field.max():.4g}"
        raise UserError(f"{where}: holds no surface at iso value {iso:g}, its distances reach {span}")
    vertices, faces, _, _ = marching_cubes(field, iso, gradient_direction="ascent", allow_degenerate=False)
    # scikit-image orders the corners for arrays indexed [z, y, x]
    return vertices.astype(np.float64) * cell + low, faces[:, ::-1].astype(np.int64)


def moved_inwards(vertices: np.ndarray, faces: np.ndarray, length: float) -> np.ndarray:
    """The vertices (V, 3) moved by a length against their normals."""
    normals = coloured_mesh(vertices, faces, np.ones_like(vertices)).normals
    return vertices - length * normals
