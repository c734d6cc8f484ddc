"""Connected components of a surface: which of them are tiny, and which lie inside another one.

Faces belong to one component if they are connected through shared vertices.
"""

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from utils.mesh.mesh import area_vectors, face_areas

SMALL = 0.01  # components below this share of the largest one's area are small


def large_components(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V, 3) vertices, (F, 3) faces -> (F,) bool: the faces of the components that are not small.

    A component is small if its area is below SMALL of that of the largest component.
    """
    component = _component_of_faces(vertices, faces)
    area = np.bincount(component, face_areas(vertices, faces))
    return (area >= SMALL * area.max())[component]


def outer_walls(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Closed surface -> (F,) bool: the faces that can be seen from outside.

    The walls of cavities are left out, and so are components that float in a cavity. The result is
    that of filling the cavities of the field, which needs the field on a dense grid.

    Args:
        vertices: (V, 3).
        faces: (F, 3), counter-clockwise seen from outside.
    """
    component = _component_of_faces(vertices, faces)
    normals = area_vectors(vertices, faces)
    volume = np.bincount(component, sum(vertices[faces[:, 0], k] * normals[:, k] for k in range(3)))
    outer = volume > 0  # the wall of a cavity faces inward: its volume is negative
    solid = np.flatnonzero(outer)
    # enclosed walls are smaller, and what is inside nested walls is inside the outermost of them
    crossed = _windings(vertices, faces, component, solid) > 0
    outer[solid] = ~(crossed & (volume > volume[solid, None])).any(1)
    return outer[component]


def _component_of_faces(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(F,) number of the component that each face belongs to."""
    edges = np.concatenate([faces[:, :2], faces[:, 1:]])
    graph = coo_matrix((np.ones(len(edges), bool), edges.T), (len(vertices),) * 2)
    return connected_components(graph, directed=False)[1][faces[:, 0]]


def _windings(vertices: np.ndarray, faces: np.ndarray, component: np.ndarray, walls: np.ndarray) -> np.ndarray:
    """How often closed components go around a point of each of some components: 1 or 0, -1 for a
    cavity.

    A ray along x leaves a component as often as it enters it, and once more if it began inside.

    Args:
        vertices: (V, 3).
        faces: (F, 3), counter-clockwise seen from outside.
        component: (F,) of each face.
        walls: (W,) the components that the points are taken from.

    Returns:
        (W, number of components).
    """
    count = component.max() + 1
    result = np.zeros((len(walls), count))
    if len(walls) < 2:
        return result
    first = np.full(count, -1)
    first[component[::-1]] = np.arange(len(faces))[::-1]
    # no vertex, and on no line between vertices that lie on one line of a grid
    points = np.einsum("k,wkc->wc", [0.47, 0.34, 0.19], vertices[faces[first[walls]]])
    columns = [vertices[:, k][faces.T] for k in range(3)]  # (3 corners, F) each
    box = [(column.min(0), column.max(0)) for column in columns]
    for row, point in zip(result, points, strict=True):
        near = box[0][1] > point[0]
        for k in (1, 2):
            near &= (box[k][0] <= point[k]) & (point[k] <= box[k][1])
        hit = np.flatnonzero(near)
        x, y, z = (column[:, hit] - point[k] for k, column in enumerate(columns))
        # of the triangles from the point to each side, as seen along x
        area = np.array([y[i] * z[j] - z[i] * y[j] for i, j in ((1, 2), (2, 0), (0, 1))])
        inside = (area > 0).all(0) | (area < 0).all(0)
        ahead = (area * x).sum(0) * np.sign(area[0]) > 0
        np.add.at(row, component[hit], np.where(inside & ahead, np.sign(area[0]), 0))
    return result
