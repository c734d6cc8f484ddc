"""Points in space around a mesh and their signed distances to it."""

import os

import igl
import numpy as np

from utils.mesh.mesh import Mesh

NEAR = ((0.5, 0.0125), (0.3, 0.05))  # share of the points, standard deviation of their distance from the surface


def sample_space(surface_points: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw points of the cube [-0.5, 0.5]^3, mostly near a surface (object frame).

    50 % are surface points plus normal noise of standard deviation 0.0125, 30 % with 0.05, and
    20 % are uniform in the cube. Points outside the cube are drawn again.

    Args:
        surface_points: (N, 3) points on the surface.
        count: number of points to draw.
        rng: source of the random numbers.

    Returns:
        (count, 3) points in random order.
    """
    parts = []
    for share, deviation in NEAR:
        part = np.full((round(share * count), 3), np.inf)
        outside = np.arange(len(part))
        while len(outside):
            centres = surface_points[rng.integers(len(surface_points), size=len(outside))]
            part[outside] = centres + rng.normal(0, deviation, (len(outside), 3))
            outside = outside[(np.abs(part[outside]) > 0.5).any(1)]
        parts.append(part)
    parts.append(rng.uniform(-0.5, 0.5, (count - sum(map(len, parts)), 3)))
    points = np.concatenate(parts)
    rng.shuffle(points)
    return points


def signed_distances(mesh: Mesh, points: np.ndarray) -> np.ndarray:
    """(N,) distances of (N, 3) points from the mesh, negative inside.

    A point is inside if the generalised winding number exceeds one half (Barill et al., "Fast
    winding numbers for soups and clouds", 2018); the mesh need not be watertight. The absolute
    value of the number counts, because in many files the faces point inward.
    """
    import open3d

    tensor = open3d.core.Tensor
    scene = open3d.t.geometry.RaycastingScene()
    scene.add_triangles(tensor(mesh.vertices.astype(np.float32)), tensor(mesh.faces.astype(np.uint32)))
    threads = int(os.environ.get("OMP_NUM_THREADS", 0))  # 0: all
    distances = scene.compute_distance(tensor(np.asarray(points, np.float32)), nthreads=threads)
    distances = distances.numpy().astype(np.float64)
    vertices, faces = np.ascontiguousarray(mesh.vertices), np.ascontiguousarray(mesh.faces)
    winding = igl.fast_winding_number(vertices, faces, np.asarray(points, np.float64))
    return np.where(np.abs(winding) > 0.5, -distances, distances)
