"""The arrays of a shard that follow from a mesh: surface points, voxels, distances near it."""

from typing import Any

import numpy as np
import scipy.spatial

from utils.mesh import sampling, voxels
from utils.mesh.mesh import Mesh


def surface_fields(mesh: Mesh, count: int, rng: np.random.Generator) -> dict[str, Any]:
    """The fields of ObjectRecord that describe a surface: its voxels and `count` points.

    Args:
        mesh: the surface, in the object frame.
        count: the number of surface points.
        rng: the points are drawn from it.
    """
    points, colours = sampling.sample_surface(mesh, max(voxels.sample_count(mesh), count), rng)
    index, voxel_colours = voxels.voxelise(points, colours)
    chosen = rng.choice(len(points), count, replace=False)
    return {
        "voxels": index.astype(np.uint8),
        "voxel_colours": np.rint(255 * voxel_colours).astype(np.uint8),
        "surface_points": points[chosen].astype(np.float32),
        "surface_colours": colours[chosen],
    }


def distance_fields(points: np.ndarray, distances: np.ndarray, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of ObjectRecord that describe distances.

    Args:
        points: (N, 3), object frame.
        distances: (N,) signed distances at the points, object-frame length.
        fields: of surface_fields; each point takes the colour of the nearest surface point.
    """
    nearest = scipy.spatial.cKDTree(fields["surface_points"]).query(points)[1]
    return {
        "sdf_points": np.asarray(points, np.float32),
        "sdf": np.asarray(distances, np.float32),
        "sdf_colours": fields["surface_colours"][nearest],
        "sdf_source": "file",
    }
