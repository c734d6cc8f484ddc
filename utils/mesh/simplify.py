"""The same surface with fewer faces."""

import numpy as np
import trimesh

from utils.errors import UserError
from utils.stages import check_stop

FACES = 20_000  # of a simplified mesh, unless another number is asked for
LEAST = 100  # faces below which nothing is left of a shape


def check_count(name: str, count: int) -> None:
    """UserError for a number of faces that cannot be simplified to; 0 stands for no limit."""
    if count and count < LEAST:
        raise UserError(f"{name} {count}: give 0 to keep all faces, or at least {LEAST}")


def merge_faces(vertices: np.ndarray, faces: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Merge the faces of a surface until about `count` are left, or as few as leave it closed.

    Quadric error decimation (Garland & Heckbert 1997). It can pinch a surface where two parts of it
    are closer than the faces are large, which makes holes; then twice as many faces are left.

    Args:
        vertices: (V, 3).
        faces: (F, 3).
        count: number of faces; a mesh that has no more of them is returned as it is.

    Returns:
        vertices (V', 3), faces (F', 3) int64.
    """
    closed = len(faces) > count and _closed(vertices, faces)
    while len(faces) > count:
        check_stop()
        points, triangles = _decimate(vertices, faces, count)
        if len(triangles) and (not closed or _closed(points, triangles)):
            return points, triangles
        count *= 2
    return vertices, faces


def _closed(vertices: np.ndarray, faces: np.ndarray) -> bool:
    return bool(trimesh.Trimesh(vertices, faces, process=False).is_watertight)


def _decimate(vertices: np.ndarray, faces: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    import open3d

    mesh = open3d.geometry.TriangleMesh(
        open3d.utility.Vector3dVector(vertices), open3d.utility.Vector3iVector(faces.astype(np.int32))
    )
    small = mesh.simplify_quadric_decimation(count)
    return np.asarray(small.vertices), np.asarray(small.triangles).astype(np.int64)
