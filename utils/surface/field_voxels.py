"""Surface voxels of a predicted field, found as those of the truth are."""

import numpy as np

from utils.geometry.frames import VOXELS, to_voxel


def snap_to_voxels(points, colours):
    """Points (N, 3) in the voxel frame, colours (N, 3) -> unique voxels (K, 3) float they lie in, mean colours (K, 3)."""
    index = np.clip(np.floor(np.asarray(points, np.float64) + 0.5), -VOXELS // 2, VOXELS // 2 - 1)
    voxels, group, count = np.unique(index, axis=0, return_inverse=True, return_counts=True)
    total = np.stack([np.bincount(group, np.asarray(colours)[:, k], len(voxels)) for k in range(3)], 1)
    return voxels, total / count[:, None]


def binary_voxels(field, iso=0.0):
    """Voxels (K, 3) and colours (K, 3) of the occupied cells (g0 > iso) of a binary utils.surface.field_grid.FieldGrid.

    Occupied cells that carry no colour (a level below the one the file was written at) get that of their surroundings.
    """
    from utils.surface.field_grid import interpolate_colours

    occupied = field.geometry > iso
    if not occupied.any():
        return np.zeros((0, 3)), np.zeros((0, 3))
    points, colours = field.points(occupied), field.colours[occupied].astype(np.float64)
    blank = ~field.coloured()[occupied]
    if blank.any():
        colours[blank] = interpolate_colours(points[blank], field)
    return snap_to_voxels(to_voxel(points), colours)


def sdf_surface_voxels(vertices, faces, colours):
    """Voxels (K, 3) and colours (K, 3) of an extracted surface, found as those of the truth: dense samples, voxelised.

    vertices (V, 3) object frame, faces (F, 3), colours (V, 3) in [0, 1]. The samples are drawn from a fixed seed.
    """
    from utils.mesh.mesh import coloured_mesh
    from utils.mesh.sampling import sample_surface
    from utils.mesh.voxels import sample_count, voxelise

    mesh = coloured_mesh(vertices, faces, colours)
    index, mean = voxelise(*sample_surface(mesh, sample_count(mesh), np.random.default_rng(0)))
    return index.astype(np.float64) - VOXELS // 2, mean
