"""Surface voxels of a predicted field, found in the same way as the true ones."""

import numpy as np

from utils.geometry.frames import VOXELS, to_voxel
from utils.mesh.mesh import coloured_mesh
from utils.mesh.sampling import sample_surface
from utils.mesh.voxels import sample_count, voxelise
from utils.surface.dense import coloured_surface
from utils.surface.field_grid import FieldGrid, interpolate_colours


def surface_voxels(field: FieldGrid, binary: bool, iso: float) -> tuple[np.ndarray, np.ndarray]:
    """Predicted surface voxels (K, 3) in the voxel frame, their colours (K, 3) in [0, 1].

    Binary: the occupied cells, none where the field is empty. SDF: the extracted surface, voxelised
    as the truth is.

    Raises:
        UserError: an SDF has no surface at the iso value.
    """
    if binary:
        return binary_voxels(field, iso)
    return sdf_surface_voxels(*coloured_surface(field, binary, iso))


def snap_to_voxels(points: np.ndarray, colours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The voxels that coloured points lie in.

    Args:
        points: (N, 3), voxel frame.
        colours: (N, 3).

    Returns:
        voxels: (K, 3) float, unique, voxel frame.
        colours: (K, 3), the mean of the points in each voxel.
    """
    index = np.clip(np.floor(np.asarray(points, np.float64) + 0.5), -VOXELS // 2, VOXELS // 2 - 1)
    voxels, group, count = np.unique(index, axis=0, return_inverse=True, return_counts=True)
    total = np.stack([np.bincount(group, np.asarray(colours)[:, k], len(voxels)) for k in range(3)], 1)
    return voxels, total / count[:, None]


def binary_voxels(field: FieldGrid, iso: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Voxels (K, 3) and colours (K, 3) of the occupied cells (g0 > iso) of a binary field.

    Occupied cells without a colour get the colour of their surroundings. There are some if iso is
    below the iso value that the field was written with.
    """
    occupied = field.geometry > iso
    if not occupied.any():
        return np.zeros((0, 3)), np.zeros((0, 3))
    points, colours = field.points(occupied), field.colours[occupied].astype(np.float64)
    blank = ~field.coloured()[occupied]
    if blank.any():
        colours[blank] = interpolate_colours(points[blank], field)
    return snap_to_voxels(to_voxel(points), colours)


def sdf_surface_voxels(vertices: np.ndarray, faces: np.ndarray, colours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Voxels of an extracted surface: dense samples of it, from a fixed seed, voxelised.

    Args:
        vertices: (V, 3), object frame.
        faces: (F, 3).
        colours: (V, 3) in [0, 1].

    Returns:
        voxels (K, 3) float, voxel frame; colours (K, 3).
    """
    mesh = coloured_mesh(vertices, faces, colours)
    index, mean = voxelise(*sample_surface(mesh, sample_count(mesh), np.random.default_rng(0)))
    return index.astype(np.float64) - VOXELS // 2, mean
