"""Connected components of a surface: which of them are tiny, and which lie inside another one.

Faces belong to one component if they are connected through shared vertices.
"""

import igl
import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from utils.mesh.mesh import face_areas

SMALL = 0.01  # components below this share of the largest one's area are small


def large_components(vertices: np.ndarray, faces: np.ndarray, share: float = SMALL) -> np.ndarray:
    """(V, 3) vertices, (F, 3) faces -> (F,) bool: the faces of the components that are not small.

    A component is small if its area is below `share` of that of the largest component.
    """
    component = _component_of_faces(vertices, faces)
    area = np.bincount(component, face_areas(vertices, faces))
    return (area >= share * area.max())[component]


def outer_walls(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Closed surface -> (F,) bool: the faces that can be seen from outside.

    The walls of cavities are left out, and so are components that float in a cavity. The result is
    that of filling the cavities of the field, which needs the field on a dense grid.

    Args:
        vertices: (V, 3).
        faces: (F, 3), counter-clockwise seen from outside.
    """
    component = _component_of_faces(vertices, faces)
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    volume = np.bincount(component, (a * np.cross(b, c)).sum(1))
    outer = volume > 0  # the wall of a cavity faces inward: its volume is negative
    by_volume = np.argsort(-volume)
    for i, small in enumerate(by_volume):
        if not outer[small]:
            continue
        point = vertices[faces[component == small][:1, :1].ravel()]
        larger = by_volume[:i]
        if any(_encloses(vertices, faces[component == large], point) for large in larger[outer[larger]]):
            outer[small] = False
    return outer[component]


def _component_of_faces(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(F,) number of the component that each face belongs to."""
    edges = np.concatenate([faces[:, :2], faces[:, 1:]])
    graph = coo_matrix((np.ones(len(edges), bool), edges.T), (len(vertices),) * 2)
    return connected_components(graph, directed=False)[1][faces[:, 0]]


def _encloses(vertices: np.ndarray, wall: np.ndarray, point: np.ndarray) -> bool:
    """Whether a closed wall (F, 3) goes around a point (1, 3)."""
    corners = vertices[wall]
    in_box = ((point > corners.min((0, 1))) & (point < corners.max((0, 1)))).all()
    return bool(in_box and igl.winding_number(vertices, wall, point)[0] > 0.5)
