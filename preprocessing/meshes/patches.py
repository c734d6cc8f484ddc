"""The faces of a mesh as oriented patches: duplicates removed, corners in one order."""

import dataclasses

import igl
import numpy as np
import trimesh

from utils.mesh.mesh import Mesh

SAME_VERTEX = 1e-6  # vertices nearer than this share of the extent are one; files store 6 digits or more
FLAT = 1e-6  # volume over area^1.5 below which a closed patch encloses nothing (a sphere has 0.09)


@dataclasses.dataclass(frozen=True)
class Patches:
    """Faces in patches: joined over edges of two faces, their corners in one order.

    Attributes:
        vertices: (V, 3).
        faces: (F, 3).
        patch: (F,) the patch of each face, 0..P-1.
        closed: (P,) whether a patch has no border, so that it encloses a volume; the corners of its
            faces are then counter-clockwise seen from outside.
    """

    vertices: np.ndarray
    faces: np.ndarray
    patch: np.ndarray
    closed: np.ndarray


def find_patches(mesh: Mesh) -> Patches:
    """The patches of a mesh; of faces with the same three corners, in any order, one is kept."""
    used = mesh.vertices[mesh.faces.ravel()]
    first, same = distinct_places(used)
    if not _has_corners(same.reshape(-1, 3)).any():  # slivers alone; igl crashes without faces
        first = same = np.arange(len(used))
    faces = same.reshape(-1, 3)
    faces = faces[_has_corners(faces)]
    faces = faces[np.sort(trimesh.grouping.unique_rows(np.sort(faces, 1))[0])]
    vertices = used[first]
    faces, patch = igl.bfs_orient(faces)
    count = int(patch.max()) + 1
    volume, area = _volumes_and_areas(vertices, faces, patch, count)
    closed = ~_has_border(faces, patch, count) & (np.abs(volume) > FLAT * area**1.5)
    inward = (closed & (volume < 0))[patch]
    faces[inward] = faces[inward, ::-1]
    return Patches(vertices, faces, patch, closed)


def _has_corners(faces: np.ndarray) -> np.ndarray:
    """(F,) whether the three corners of faces (F, 3) differ."""
    return (faces != np.roll(faces, 1, 1)).all(1)


def distinct_places(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, 3) that are one up to SAME_VERTEX.

    Returns:
        first: (P,) index of one point at each place.
        place: (N,) the place of each point, 0..P-1.
    """
    size = SAME_VERTEX * np.ptp(points, axis=0).max()
    cells = np.rint((points - points.mean(0)) / size).astype(np.int64)
    first, place = trimesh.grouping.unique_rows(cells)
    return first, place.reshape(-1)


def _volumes_and_areas(
    vertices: np.ndarray, faces: np.ndarray, patch: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """(P,) signed volumes and areas of patches; the volumes are those of closed ones."""
    a, b, c = (vertices[faces[:, k]] - vertices.mean(0) for k in range(3))
    volumes = np.einsum("ij,ij->i", a, np.cross(b, c)) / 6
    areas = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
    return np.bincount(patch, volumes, count), np.bincount(patch, areas, count)


def _has_border(faces: np.ndarray, patch: np.ndarray, count: int) -> np.ndarray:
    """(P,) whether some edge of a patch is not passed equally often in both directions."""
    start, end = faces.ravel(), np.roll(faces, -1, 1).ravel()
    edge = np.minimum(start, end) * (faces.max() + 1) + np.maximum(start, end)
    owner = np.repeat(patch, 3)
    order = np.lexsort((owner, edge))  # the edges of each patch apart
    edge, owner, direction = edge[order], owner[order], np.where(start < end, 1, -1)[order]
    first = np.flatnonzero(np.append(True, (edge[1:] != edge[:-1]) | (owner[1:] != owner[:-1])))
    border = np.zeros(count, bool)
    border[owner[first][np.add.reduceat(direction, first) != 0]] = True
    return border
