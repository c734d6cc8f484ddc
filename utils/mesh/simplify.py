"""The same surface with fewer faces."""

import numpy as np
import trimesh

from utils.errors import UserError


def decimate(vertices: np.ndarray, faces: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Merge the faces of a closed surface until about `count` are left, and keep it closed.

    Quadric error decimation (Garland & Heckbert 1997).

    Args:
        vertices: (V, 3).
        faces: (F, 3).
        count: number of faces; a mesh that has no more of them is returned as it is.

    Returns:
        vertices (V', 3), faces (F', 3) int64.

    Raises:
        UserError: the surface came apart, so that it needs more faces.
    """
    import open3d

    if len(faces) <= count:
        return vertices, faces
    mesh = open3d.geometry.TriangleMesh(
        open3d.utility.Vector3dVector(vertices), open3d.utility.Vector3iVector(faces.astype(np.int32))
    )
    small = mesh.simplify_quadric_decimation(count)
    points, triangles = np.asarray(small.vertices), np.asarray(small.triangles).astype(np.int64)
    if not len(triangles) or not trimesh.Trimesh(points, triangles, process=False).is_watertight:
        raise UserError(f"{len(faces)} faces cannot be simplified to {count} without holes: give more")
    return points, triangles
