"""Fewer faces for the same surface."""

import numpy as np

from utils.errors import UserError


def simplify(vertices, faces, count):
    """Quadric error decimation (Garland & Heckbert 1997) to about `count` faces, closed surfaces stay closed -> vertices, faces.

    UserError where the surface came apart: it cannot be had with so few.
    """
    import open3d
    import trimesh

    if len(faces) <= count:
        return vertices, faces
    mesh = open3d.geometry.TriangleMesh(
        open3d.utility.Vector3dVector(vertices), open3d.utility.Vector3iVector(faces.astype(np.int32))
    )
    small = mesh.simplify_quadric_decimation(count)
    points, triangles = np.asarray(small.vertices), np.asarray(small.triangles).astype(np.int64)
    if not len(triangles) or not trimesh.Trimesh(points, triangles, process=False).is_watertight:
        raise UserError(f"--simplify {count}: {len(faces)} faces cannot be merged into so few without holes; give more")
    return points, triangles
