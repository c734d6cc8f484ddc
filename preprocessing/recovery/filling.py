"""Signed distances at voxel accuracy from the surface voxels of a 64^3 volume, for data that has no meshes."""

import numpy as np
import scipy.ndimage
import scipy.spatial

from preprocessing.meshes.distances import sample_space
from utils.geometry import frames

PADDING = 1  # voxels around the volume, so that the outermost half voxel of the cube is read between two values


def signed_distance_grid(index):
    """(M, 3) surface voxels -> (66, 66, 66) signed distances in voxels at voxel centres, PADDING voxels on every side.

    Solid = surface voxels and what they enclose. The surface of the solid runs half a voxel from the centres of the
    voxels on either side: distance = d_outside - 1/2 outside and 1/2 - d_inside inside, d to the nearest other centre.
    A surface with holes encloses nothing and remains a shell one voxel thick.
    """
    solid = np.zeros([frames.VOXELS + 2 * PADDING] * 3, bool)
    solid[tuple(np.asarray(index, int).T + PADDING)] = True
    solid = scipy.ndimage.binary_fill_holes(solid)
    distance = scipy.ndimage.distance_transform_edt
    return np.where(solid, 0.5 - distance(solid), distance(~solid) - 0.5)


def read_distances(grid, points):
    """(N, 3) object-frame points -> (N,) object-frame signed distances, read trilinearly from signed_distance_grid."""
    place = frames.to_voxel(points) + frames.VOXELS / 2 + PADDING
    return scipy.ndimage.map_coordinates(grid, place.T, order=1, mode="nearest") / frames.VOXELS


def points_in_voxels(index, count, rng):
    """(count, 3) object-frame points, uniform in random voxels of index (M, 3), and which voxels (count,) they are of."""
    chosen = rng.integers(len(index), size=count)
    return (index[chosen] + rng.random((count, 3))) / frames.VOXELS - 0.5, chosen


def fields_from_voxels(index, colours, options, rng):
    """The fields of ObjectRecord that describe surface and distances, from surface voxels alone.

    index (M, 3), colours (M, 3) uint8; options: sdf_points and surface_points, how many are wanted. The colour at a point
    is that of the nearest voxel; centre and scale are those of the cube.
    """
    sdf_points = sample_space(points_in_voxels(index, options.sdf_points, rng)[0], options.sdf_points, rng)
    sdf = read_distances(signed_distance_grid(index), sdf_points)
    points, chosen = points_in_voxels(index, options.surface_points, rng)
    nearest = scipy.spatial.cKDTree((index + 0.5) / frames.VOXELS - 0.5).query(sdf_points)[1]
    return {
        "sdf_points": sdf_points.astype(np.float32),
        "sdf": sdf.astype(np.float32),
        "sdf_colours": colours[nearest],
        "surface_points": points.astype(np.float32),
        "surface_colours": colours[chosen],
        "centre": np.zeros(3),
        "scale": 1.0,
        "sdf_source": "volume",
    }
