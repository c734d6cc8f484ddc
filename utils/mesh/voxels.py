"""Coloured voxels as a mesh of little cubes, to be looked at."""

import numpy as np

from utils.geometry.frames import VOXELS, from_voxel

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
