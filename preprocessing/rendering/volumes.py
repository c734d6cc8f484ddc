"""Voxel volumes of the raw layout: which voxels the surface goes through, their colours, where each view sees them."""

import numpy as np

from utils.geometry.frames import VOXELS, from_voxel, pixel_to_image, project
from utils.mesh.mesh import face_areas

SAMPLES_PER_VOXEL = 40  # of a face as large as a voxel's side: a tenth of it is missed once in exp(4) = 55 times
FEWEST, MOST = 50_000, 4_000_000  # samples of an object; the upper bound is for memory, 100 faces across the cube


def sample_count(mesh):
    """How many surface samples `voxelise` needs to find every voxel that a mesh in the object frame goes through."""
    return int(np.clip(SAMPLES_PER_VOXEL * face_areas(mesh).sum() * VOXELS**2, FEWEST, MOST))


def voxelise(points, colours):
    """Surface samples (N, 3) in the object frame, colours (N, 3) uint8 -> the voxels they lie in.

    Gives index (M, 3) int in 0..63 (x, y, z; sorted, unique) and colours (M, 3) float in [0, 1], the mean of the
    samples in the voxel. The voxel-frame coordinate of a voxel is index - 32.
    """
    index = np.clip(np.floor((points + 0.5) * VOXELS).astype(np.int64), 0, VOXELS - 1)
    flat = np.ravel_multi_index(index.T, (VOXELS,) * 3)
    count = np.bincount(flat, minlength=VOXELS**3)
    occupied = np.flatnonzero(count)
    total = np.stack([np.bincount(flat, colours[:, k], VOXELS**3)[occupied] for k in range(3)], 1)
    return np.stack(np.unravel_index(occupied, (VOXELS,) * 3), 1), total / count[occupied, None] / 255


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
