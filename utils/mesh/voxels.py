"""Coloured surface voxels: found from samples of a mesh, and drawn as a mesh of little cubes."""

import numpy as np

from utils.geometry.frames import VOXELS, from_voxel
from utils.mesh.mesh import Mesh, face_areas

# Surface samples for a face as large as the side of a voxel: a tenth of such a face gets none of
# them once in exp(4) = 55 times.
SAMPLES_PER_VOXEL = 40
FEWEST = 50_000  # surface samples of an object, at least
MOST = 4_000_000  # and at most, because of memory: 100 faces across the cube

# corners of a face of a unit cube in its own plane, counter-clockwise
_SQUARE = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2


def sample_count(mesh: Mesh) -> int:
    """How many surface samples `voxelise` needs to find all voxels of an object-frame mesh."""
    area = face_areas(mesh.vertices, mesh.faces).sum()
    return int(np.clip(SAMPLES_PER_VOXEL * area * VOXELS**2, FEWEST, MOST))


def voxelise(points: np.ndarray, colours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The voxels that surface samples lie in.

    Args:
        points: (N, 3) samples, object frame.
        colours: (N, 3) uint8.

    Returns:
        index: (M, 3) int in 0..63, indices x, y, z; sorted, unique. The voxel-frame coordinate of
            a voxel is index - 32.
        colours: (M, 3) float in [0, 1], the mean of the samples in each voxel.
    """
    index = np.clip(np.floor((points + 0.5) * VOXELS).astype(np.int64), 0, VOXELS - 1)
    flat = np.ravel_multi_index(index.T, (VOXELS,) * 3)
    count = np.bincount(flat, minlength=VOXELS**3)
    occupied = np.flatnonzero(count)
    total = np.stack([np.bincount(flat, colours[:, k], VOXELS**3)[occupied] for k in range(3)], 1)
    return np.stack(np.unravel_index(occupied, (VOXELS,) * 3), 1), total / count[occupied, None] / 255


def cubes(voxels: np.ndarray, colours: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw every voxel as a cube; faces between two occupied voxels are left out.

    Each face has four vertices of its own, so that colours stay flat and edges sharp.

    Args:
        voxels: (N, 3) unique integers, voxel frame.
        colours: (N, 3) in [0, 1].

    Returns:
        vertices (V, 3) object frame, faces (F, 3), vertex colours (V, 3).
    """
    index = np.rint(voxels).astype(np.int64) + VOXELS // 2 + 1
    occupied = np.zeros((VOXELS + 2,) * 3, bool)
    occupied[tuple(index.T)] = True
    corners, corner_colours = [], []
    for axis in range(3):
        for side in (1, -1):
            step = np.zeros(3, np.int64)
            step[axis] = side
            exposed = ~occupied[tuple((index + step).T)]
            square = np.zeros((4, 3))
            square[:, axis] = side / 2
            square[:, [(axis + 1) % 3, (axis + 2) % 3]] = _SQUARE[::side]  # turned round on the negative side
            corners.append((voxels[exposed][:, None] + square).reshape(-1, 3))
            corner_colours.append(np.repeat(np.asarray(colours)[exposed], 4, 0))
    vertices = from_voxel(np.concatenate(corners))
    first = np.arange(0, len(vertices), 4)[:, None]
    faces = np.concatenate([first + [0, 1, 2], first + [0, 2, 3]])
    return vertices, faces, np.concatenate(corner_colours)
