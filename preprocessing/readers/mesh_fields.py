"""What a shard holds of a mesh: coloured surface points and voxels, colours of points near it."""

import numpy as np
import scipy.spatial

from utils.mesh import sampling, voxels


def surface_fields(mesh, count, rng):
    """The fields of ObjectRecord that describe the surface of a Mesh in the object frame: voxels and `count` points."""
    points, colours = sampling.sample_surface(mesh, max(voxels.sample_count(mesh), count), rng)
    index, voxel_colours = voxels.voxelise(points, colours)
    chosen = rng.choice(len(points), count, replace=False)
    return {
        "voxels": index.astype(np.uint8),
        "voxel_colours": np.rint(255 * voxel_colours).astype(np.uint8),
        "surface_points": points[chosen].astype(np.float32),
        "surface_colours": colours[chosen],
    }


def distance_fields(points, distances, fields):
    """The fields of ObjectRecord that describe distances (N,) at points (N, 3), coloured like the nearest surface point."""
    nearest = scipy.spatial.cKDTree(fields["surface_points"]).query(points)[1]
    return {
        "sdf_points": np.asarray(points, np.float32),
        "sdf": np.asarray(distances, np.float32),
        "sdf_colours": fields["surface_colours"][nearest],
        "sdf_source": "file",
    }
