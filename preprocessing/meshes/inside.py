"""Which points are inside a mesh, whatever the order, number and connection of its faces."""

import igl
import numpy as np

from preprocessing.meshes.patches import find_patches
from preprocessing.meshes.visibility import Visibility
from utils.mesh.mesh import Mesh


class Solid:
    """The inside of a mesh: what its closed patches enclose, and what is hidden from outside.

    Patches are sets of faces that are connected by edges (see find_patches). A closed patch
    encloses its inside, with all that lies in it. The other faces enclose the points at which most
    rays end on inner sides (see Visibility). Sheets, which are seen from both sides, enclose
    nothing.

    Attributes:
        vertices: (V, 3) of the mesh, each place once.
        sheets: (S, 3) faces that are sheets.
    """

    def __init__(self, mesh: Mesh) -> None:
        patches = find_patches(mesh)
        closed = patches.closed[patches.patch]
        self.vertices, self._closed = patches.vertices, patches.faces[closed]
        self._visibility = None if closed.all() else Visibility(patches)
        self.sheets = self._closed[:0]
        if self._visibility is not None:
            self.sheets = patches.faces[~closed & self._visibility.seen_from_both_sides()]

    def contains(self, points: np.ndarray) -> np.ndarray:
        """(N,) whether points (N, 3) are inside."""
        result = np.zeros(len(points), bool)
        if len(self._closed):
            corners = self.vertices[self._closed.ravel()]
            near = ((points >= corners.min(0)) & (points <= corners.max(0))).all(1)  # outside: no inside
            result[near] = winding_inside(self.vertices, self._closed, points[near])
        if self._visibility is not None:
            rest = np.flatnonzero(~result)
            result[rest] = self._visibility.inside(points[rest])
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
