"""Points on and near the surface of a mesh, their colours and signed distances."""

import os

import numpy as np

from utils.cli import UserError
from utils.mesh.mesh import albedo, face_areas, interpolate

NEAR = ((0.5, 0.0125), (0.3, 0.05))  # share of the points, standard deviation of their distance from the surface
DRAWS = 200  # rounds of drawing again where texels are absent; at 1 % of the faces present, 0.5 of them already suffice


def sample_surface(mesh, count, rng):
    """`count` points, uniform by area over all that is really there: points (count, 3), colours (count, 3) uint8.

    Colours are albedo (texture x factor x vertex colour); points on absent texels are drawn again.
    """
    cumulative = np.cumsum(face_areas(mesh))
    points, colours, missing = [], [], count
    for _ in range(DRAWS):
        draw = max(missing, min(count, 1000))  # a small remainder is drawn with some to spare
        face = np.minimum(np.searchsorted(cumulative, rng.random(draw) * cumulative[-1], side="right"), len(mesh.faces) - 1)
        a, b = np.sqrt(rng.random(draw)), rng.random(draw)
        weights = np.stack([1 - a, a * (1 - b), a * b], 1)
        rgba, there = albedo(mesh, face, weights)
        there = np.flatnonzero(there)[:missing]
        points.append(interpolate(mesh.vertices, mesh.faces[face[there]], weights[there]))
        colours.append(np.rint(255 * rgba[there, :3]).astype(np.uint8))
        missing -= len(there)
        if not missing:
            return np.concatenate(points), np.concatenate(colours)
    raise UserError("the whole surface is transparent")


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
    distances = scene.compute_distance(tensor(np.asarray(points, np.float32)), nthreads=threads).numpy().astype(np.float64)
    winding = igl.fast_winding_number(np.ascontiguousarray(mesh.vertices), np.ascontiguousarray(mesh.faces), np.asarray(points, np.float64))
    return np.where(np.abs(winding) > 0.5, -distances, distances)
