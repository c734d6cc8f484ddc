"""Points in space around a mesh and their signed distances to it."""

import os

import numpy as np

NEAR = ((0.5, 0.0125), (0.3, 0.05))  # share of the points, standard deviation of their distance from the surface


def sample_space(surface_points, count, rng):
    """(count, 3) points of the cube [-0.5, 0.5]^3 in random order, mostly near the surface points (object frame).

    50 % lie at a normal distribution of 0.0125 around surface points, 30 % of 0.05, 20 % are uniform in the cube;
    those that fall outside the cube are drawn again.
    """
    parts = []
    for share, deviation in NEAR:
        part = np.full((round(share * count), 3), np.inf)
        outside = np.arange(len(part))
        while len(outside):
            around = surface_points[rng.integers(len(surface_points), size=len(outside))]
            part[outside] = around + rng.normal(0, deviation, (len(outside), 3))
            outside = outside[(np.abs(part[outside]) > 0.5).any(1)]
        parts.append(part)
    parts.append(rng.uniform(-0.5, 0.5, (count - sum(map(len, parts)), 3)))
    points = np.concatenate(parts)
    rng.shuffle(points)
    return points


def signed_distances(mesh, points):
    """(N,) distances of (N, 3) points from the mesh, negative inside.

    Inside is where the generalised winding number exceeds one half (Barill et al., "Fast winding numbers for soups and
    clouds", 2018): it needs no watertight mesh. Its absolute value is taken, since many files have faces inside out.
    """
    import igl
    import open3d

    tensor = open3d.core.Tensor
    scene = open3d.t.geometry.RaycastingScene()
    scene.add_triangles(tensor(mesh.vertices.astype(np.float32)), tensor(mesh.faces.astype(np.uint32)))
    threads = int(os.environ.get("OMP_NUM_THREADS", 0))
    distances = (
        scene.compute_distance(tensor(np.asarray(points, np.float32)), nthreads=threads).numpy().astype(np.float64)
    )
    winding = igl.fast_winding_number(
        np.ascontiguousarray(mesh.vertices), np.ascontiguousarray(mesh.faces), np.asarray(points, np.float64)
    )
    return np.where(np.abs(winding) > 0.5, -distances, distances)
