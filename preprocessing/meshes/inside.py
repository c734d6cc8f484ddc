"""Which points are inside a mesh, whatever the order, number and connection of its faces."""

import igl
import numpy as np

from preprocessing.meshes.patches import find_patches
from preprocessing.meshes.visibility import Visibility
from utils.mesh.mesh import Mesh


def inside(mesh: Mesh, points: np.ndarray) -> np.ndarray:
    """(N,) whether points (N, 3) are inside a mesh: within a closed patch, or out of sight.

    Patches are sets of faces that are connected by edges (see find_patches). Each closed patch
    encloses its inside, also a cavity of another one. Faces that are not part of a closed patch
    enclose what few rays from outside reach (see Visibility).
    """
    patches = find_patches(mesh)
    closed = patches.closed[patches.patch]
    result = np.zeros(len(points), bool)
    if closed.any():
        result = winding_inside(patches.vertices, patches.faces[closed], points)
    if not closed.all():
        undecided = np.flatnonzero(~result)
        result[undecided] = Visibility(patches).inside(points[undecided])
    return result


def winding_inside(vertices: np.ndarray, faces: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(N,) whether the generalised winding number of points (N, 3) exceeds one half.

    The absolute value counts, because in many files all faces point inward. Barill et al., "Fast
    winding numbers for soups and clouds", 2018.

    Args:
        vertices: (V, 3).
        faces: (F, 3), with their corners in one order.
        points: (N, 3) in the frame of the vertices.
    """
    vertices, faces = np.ascontiguousarray(vertices), np.ascontiguousarray(faces)
    return np.abs(igl.fast_winding_number(vertices, faces, np.asarray(points, np.float64))) > 0.5
