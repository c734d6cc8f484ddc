"""The surface of a solid of which only distances at scattered points, or on a coarse grid, are known."""

import numpy as np
import scipy.interpolate
import scipy.spatial

from utils.errors import UserError
from utils.mesh.mesh import coloured_mesh

RESOLUTION = 96  # cells along the longest side; DISN's samples lie about a 64th of it apart


def level_surface(points, distances, level, where):
    """Triangles of the surface distance = level: vertices (V, 3), faces (F, 3) counter-clockwise seen from outside.

    points (N, 3), distances (N,) negative inside. Between the points distances are interpolated linearly over their
    Delaunay tetrahedra; the level set is found by marching cubes. UserError naming `where` if there is none.
    """
    points, first = np.unique(points, axis=0, return_index=True)  # DISN draws its samples with replacement
    values = distances[first].astype(np.float64) - level
    inside = points[values <= 0]
    if not len(inside) or len(inside) == len(points):
        raise UserError(
            f"{where}: holds no surface, its distances reach from {distances.min():.4g} to {distances.max():.4g}"
        )
    low, high = inside.min(0), inside.max(0)
    cell = max((high - low).max(), 1e-9) / RESOLUTION
    axes = [np.arange(low[k] - 3 * cell, high[k] + 3.5 * cell, cell) for k in range(3)]
    nodes = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    far, nearest = scipy.spatial.cKDTree(points).query(nodes)
    field = values[nearest]
    # A distance changes by a step at most over a step: elsewhere the sign is certain, and the value does not matter.
    open_ = np.abs(field) <= far + 2 * cell
    try:
        field[open_] = scipy.interpolate.LinearNDInterpolator(points, values)(nodes[open_])
    except scipy.spatial.QhullError:
        raise UserError(f"{where}: its {len(points)} points span no volume") from None
    beyond = np.isnan(field)  # of the hull of all points
    field[beyond] = np.abs(values[nearest[beyond]]) + cell
    return grid_surface(field.reshape([len(axis) for axis in axes]), [axis[0] for axis in axes], cell, 0, where)


def grid_surface(field, low, cell, level, where):
    """The same from distances (X, Y, Z) on a grid of cubes `cell` wide, the first at `low` (3,); linear between them."""
    from skimage.measure import marching_cubes

    if not field.min() < level < field.max():
        raise UserError(
            f"{where}: holds no surface at level {level:g}, its distances reach from {field.min():.4g} to {field.max():.4g}"
        )
    vertices, faces, _, _ = marching_cubes(field, level, gradient_direction="ascent", allow_degenerate=False)
    # scikit-image winds them for arrays indexed [z, y, x]
    return vertices.astype(np.float64) * cell + low, faces[:, ::-1].astype(np.int64)


def shrunk(vertices, faces, by):
    """The vertices (V, 3) moved inwards, against their normals, by a length."""
    normals = coloured_mesh(vertices, faces, np.ones_like(vertices)).normals
    return vertices - by * normals
