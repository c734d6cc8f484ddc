"""Colours of a surface from the views that see it, for data that has no texture."""

import numpy as np
import scipy.ndimage
import scipy.spatial

from utils.errors import UserError
from utils.geometry import frames
from utils.geometry.cameras import project

CLEAR = 1 / frames.VOXELS  # how far above the surface a ray to a camera starts, object-frame length
OPAQUE = 0.99  # pixels that are part background tell no colour


def view_colours(vertices, normals, faces, pictures, cameras, where):
    """(V, 3) colours in [0, 1] of the vertices (V, 3) of a mesh in the object frame, normals outwards.

    pictures: list of (H, W, 4) uint8 RGBA; cameras (N, 4, 3). A vertex has the mean of the pixels it projects to, over the
    views in which nothing hides it, weighted by the square of the cosine between its normal and the direction of the
    camera; light stays in the colours. What no view sees is coloured like the nearest vertex that is seen. UserError
    naming `where` if no view sees anything.
    """
    import open3d

    tensor = open3d.core.Tensor
    scene = open3d.t.geometry.RaycastingScene(nthreads=1)  # objects are read in parallel
    scene.add_triangles(tensor(vertices.astype(np.float32)), tensor(faces.astype(np.uint32)))
    starts = vertices + CLEAR * normals
    total, weight = np.zeros_like(vertices), np.zeros(len(vertices))
    for picture, matrix in zip(pictures, cameras, strict=True):
        centre = -np.linalg.solve(matrix[:3].T, matrix[3])
        towards = centre - starts
        rays = np.concatenate([starts, towards], 1).astype(np.float32)
        hidden = scene.test_occlusions(tensor(rays), tnear=0, tfar=1, nthreads=1).numpy()
        facing = np.einsum("vk,vk->v", normals, towards / np.linalg.norm(towards, axis=1, keepdims=True))
        pixels, depth = project(vertices, matrix)
        place = pixels[:, ::-1].T
        rgba = np.stack(
            [scipy.ndimage.map_coordinates(picture[..., k] / 255, place, order=1) for k in range(4)], 1
        )  # 0 outside
        seen = np.where(~hidden & (depth > 0) & (rgba[:, 3] >= OPAQUE), np.maximum(facing, 0) ** 2, 0)
        total += seen[:, None] * rgba[:, :3]
        weight += seen
    known = np.flatnonzero(weight > 1e-6)
    if not len(known):
        raise UserError(
            f"{where}: no view sees the surface, so that it has no colours: are these the views of this object?"
        )
    nearest = known[scipy.spatial.cKDTree(vertices[known]).query(vertices)[1]]
    return total[nearest] / weight[nearest, None]
