"""Voxel volumes of the raw layout: which voxels the surface goes through, their colours, where each view sees them."""

import numpy as np

from utils.geometry.cameras import pixel_to_image, project
from utils.geometry.frames import VOXELS, from_voxel


def colour_volume(index, colours):
    """(64, 64, 64, 3) float32: the colour of occupied voxels at [x, y, z], -1 elsewhere."""
    return _volume(index, colours)


def flow_volume(index, trans_mat, size):
    """(64, 64, 64, 2) float32: image coordinate (x, y) in [0, 1] of the centres of occupied voxels, -1 elsewhere.

    Voxels behind the camera or outside the picture of `size` pixels are -1 too.
    """
    pixels, w = project(from_voxel(index - VOXELS // 2), trans_mat)
    image = pixel_to_image(pixels, size)
    seen = (w > 0) & ((image >= 0) & (image <= 1)).all(1)
    return _volume(index[seen], image[seen])


def _volume(index, values):
    volume = np.full((VOXELS,) * 3 + (values.shape[1],), -1, np.float32)
    volume[tuple(index.T)] = values
    return volume
