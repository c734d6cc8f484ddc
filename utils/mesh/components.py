"""What is done to a surface after marching cubes: crumbs go, faces are merged until few are left."""

import numpy as np

from utils.cli import UserError

CRUMB = 0.01  # of the area of the largest piece


def without_crumbs(faces, vertices, share=CRUMB):
    """(F, 3) faces, (V, 3) vertices -> (F,) bool: the faces of the pieces whose area is at least `share` of the largest piece's."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    graph = coo_matrix((np.ones(len(edges), bool), edges.T), (len(vertices),) * 2)
    piece = connected_components(graph, directed=False)[1][faces[:, 0]]
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    area = np.bincount(piece, np.linalg.norm(np.cross(b - a, c - a), axis=1))
    return (area >= share * area.max())[piece]


def used(vertices, faces, *others):
    """The vertices that faces use, faces with their new numbers, and the same rows of the others."""
    index, flat = np.unique(faces, return_inverse=True)
    return (vertices[index], flat.reshape(-1, 3), *(other[index] for other in others))


def simplify(vertices, faces, count):
    """Quadric error decimation (Garland & Heckbert 1997) to about `count` faces, closed surfaces stay closed -> vertices, faces.

    UserError where the surface came apart: it cannot be had with so few.
    """
    import open3d
    import trimesh

    if len(faces) <= count:
        return vertices, faces
    mesh = open3d.geometry.TriangleMesh(open3d.utility.Vector3dVector(vertices), open3d.utility.Vector3iVector(faces.astype(np.int32)))
    small = mesh.simplify_quadric_decimation(count)
    points, triangles = np.asarray(small.vertices), np.asarray(small.triangles).astype(np.int64)
    if not len(triangles) or not trimesh.Trimesh(points, triangles, process=False).is_watertight:
        raise UserError(f"--simplify {count}: {len(faces)} faces cannot be merged into so few without holes; give more")
    return points, triangles
