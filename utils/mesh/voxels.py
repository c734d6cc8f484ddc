"""Coloured voxels as a mesh of little cubes, to be looked at."""

import numpy as np

from utils.geometry.frames import VOXELS, from_voxel
from utils.mesh.mesh import face_areas

# the corners of a face of a unit cube in its own plane, counter-clockwise
_SQUARE = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2


def cubes(voxels, colours):
    """Voxels (N, 3) in the voxel frame (unique integers), colours (N, 3) in [0, 1] -> vertices, faces, colours of a mesh.

    vertices (V, 3) object frame; only faces between an occupied and an empty voxel are there, each with four vertices of its
    own, so that colours stay flat and edges sharp.
    """
    index = np.rint(voxels).astype(np.int64) + VOXELS // 2 + 1
    occupied = np.zeros((VOXELS + 2,) * 3, bool)
    occupied[tuple(index.T)] = True
    corners, tints = [], []
    for axis in range(3):
        for side in (1, -1):
            step = np.zeros(3, np.int64)
            step[axis] = side
            exposed = ~occupied[tuple((index + step).T)]
            square = np.zeros((4, 3))
            square[:, axis] = side / 2
            square[:, [(axis + 1) % 3, (axis + 2) % 3]] = _SQUARE[::side]  # turned round on the negative side
            corners.append((voxels[exposed][:, None] + square).reshape(-1, 3))
            tints.append(np.repeat(np.asarray(colours)[exposed], 4, 0))
    vertices = from_voxel(np.concatenate(corners))
    first = np.arange(0, len(vertices), 4)[:, None]
    faces = np.concatenate([first + [0, 1, 2], first + [0, 2, 3]])
    return vertices, faces, np.concatenate(tints)


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
