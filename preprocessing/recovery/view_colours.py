"""Colours of a surface from the views that see it, for data without textures."""

import os
from collections.abc import Sequence

import numpy as np
import scipy.ndimage
import scipy.spatial

from utils.errors import UserError
from utils.geometry import frames
from utils.geometry.cameras import camera_centre, project
from utils.mesh.ray_scene import RayScene

CLEARANCE = 1 / frames.VOXELS  # rays to a camera start so far above the surface, object-frame length
OPAQUE = 0.99  # pixels with less alpha are mixed with the background


def view_colours(
    vertices: np.ndarray,
    normals: np.ndarray,
    faces: np.ndarray,
    images: Sequence[np.ndarray],
    cameras: np.ndarray,
    where: str | os.PathLike[str],
) -> np.ndarray:
    """Colours of the vertices of a mesh.

    A vertex gets the mean of the pixels that it projects to, over the views in which nothing hides
    it, weighted by the square of the cosine between its normal and the direction of the camera. The
    lighting of the views stays in the colours. A vertex that no view sees takes the colour of the
    nearest vertex that is seen.

    Args:
        vertices: (V, 3), object frame.
        normals: (V, 3), pointing outwards.
        faces: (F, 3).
        images: the views, RGBA (H, W, 4) uint8.
        cameras: (N, 4, 3), object frame to pixels.
        where: the folder of the views, for the error.

    Returns:
        (V, 3) in [0, 1].

    Raises:
        UserError: no view sees anything of the surface.
    """
    scene, starts = RayScene(vertices, faces), vertices + CLEARANCE * normals
    total, weight = np.zeros_like(vertices), np.zeros(len(vertices))
    for image, matrix in zip(images, cameras, strict=True):
        towards = camera_centre(matrix) - starts
        hidden = scene.hidden(starts, towards)
        facing = np.einsum("vk,vk->v", normals, towards / np.linalg.norm(towards, axis=1, keepdims=True))
        pixels, depth = project(vertices, matrix)
        place = pixels[:, ::-1].T
        channels = [scipy.ndimage.map_coordinates(image[..., k] / 255, place, order=1) for k in range(4)]
        rgba = np.stack(channels, 1)  # 0 beyond the image
        visible = ~hidden & (depth > 0) & (rgba[:, 3] >= OPAQUE)
        share = np.where(visible, np.maximum(facing, 0) ** 2, 0)
        total += share[:, None] * rgba[:, :3]
        weight += share
    seen = np.flatnonzero(weight > 1e-6)
    if not len(seen):
        reason = "no view sees the surface, so that it has no colours"
        raise UserError(f"{where}: {reason}: are these the views of this object?")
    nearest = seen[scipy.spatial.cKDTree(vertices[seen]).query(vertices)[1]]
    return total[nearest] / weight[nearest, None]
