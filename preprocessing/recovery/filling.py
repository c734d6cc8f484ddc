"""Signed distances at voxel accuracy from surface voxels, for data without meshes."""

from typing import Any

import numpy as np
import scipy.ndimage
import scipy.spatial

from preprocessing.meshes.distances import sample_space
from utils.geometry import frames

PADDING = 1  # voxels around the volume: distances in its outermost half voxel are interpolated too


def signed_distance_grid(index: np.ndarray) -> np.ndarray:
    """Surface voxels (M, 3) in 0..63 -> (66, 66, 66) signed distances at voxel centres, in voxels.

    The grid has PADDING voxels on every side. The solid consists of the surface voxels and all that
    they enclose; its surface is half a voxel from the voxel centres on either side. With d to the
    nearest centre of the other kind, the distance is d - 1/2 outside and 1/2 - d inside. A surface
    with holes encloses nothing and remains a shell one voxel thick.
    """
    solid = np.zeros([frames.VOXELS + 2 * PADDING] * 3, bool)
    solid[tuple(np.asarray(index, int).T + PADDING)] = True
    solid = scipy.ndimage.binary_fill_holes(solid)
    distance = scipy.ndimage.distance_transform_edt
    return np.where(solid, 0.5 - distance(solid), distance(~solid) - 0.5)


def read_distances(grid: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Interpolate signed_distance_grid trilinearly.

    Points (N, 3) in the object frame -> (N,) signed distances, object-frame length.
    """
    place = frames.to_voxel(points) + frames.VOXELS / 2 + PADDING
    return scipy.ndimage.map_coordinates(grid, place.T, order=1, mode="nearest") / frames.VOXELS


def points_in_voxels(index: np.ndarray, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Points that are uniform in random voxels of index (M, 3).

    Returns points (count, 3) in the object frame, and the voxel (count,) that each lies in.
    """
    chosen = rng.integers(len(index), size=count)
    return (index[chosen] + rng.random((count, 3))) / frames.VOXELS - 0.5, chosen


def fields_from_voxels(
    index: np.ndarray, colours: np.ndarray, sdf_points: int, surface_points: int, rng: np.random.Generator
) -> dict[str, Any]:
    """The fields of ObjectRecord for surface and distances, from surface voxels alone.

    Args:
        index: the surface voxels, (M, 3) int in 0..63.
        colours: their RGB, (M, 3) uint8; a point takes the colour of the nearest voxel.
        sdf_points: number of points with distances.
        surface_points: number of surface points.
        rng: the points are drawn from it.

    Returns:
        The fields by name; centre and scale are those of the cube.
    """
    points = sample_space(points_in_voxels(index, sdf_points, rng)[0], sdf_points, rng)
    distances = read_distances(signed_distance_grid(index), points)
    surface, chosen = points_in_voxels(index, surface_points, rng)
    nearest = scipy.spatial.cKDTree(frames.centres_of(index)).query(points)[1]
    return {
        "sdf_points": points.astype(np.float32),
        "sdf": distances.astype(np.float32),
        "sdf_colours": colours[nearest],
        "surface_points": surface.astype(np.float32),
        "surface_colours": colours[chosen],
        "centre": np.zeros(3),
        "scale": 1.0,
        "sdf_source": "volume",
    }
