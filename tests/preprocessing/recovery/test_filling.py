"""Distances from filled volumes, against solids whose distance is known."""

import numpy as np
import pytest

from preprocessing.recovery import filling
from utils.geometry import frames

VOXEL = 1 / 64


def ball(points):
    """Signed distance of a ball of radius 0.35 around (0.04, -0.02, 0.06)."""
    return np.linalg.norm(points - [0.04, -0.02, 0.06], axis=-1) - 0.35


def box(points):
    """Signed distance of a box of 52 x 20 x 38 voxels."""
    q = np.abs(points) - np.array([26, 10, 19]) / 64
    return np.linalg.norm(np.maximum(q, 0), axis=-1) + np.minimum(q.max(-1), 0)


def surface_voxels(solid):
    """Voxels of a solid that have a neighbour (of six) outside of it: a shell one voxel thick."""
    inside = solid(frames.voxel_centres()).reshape(64, 64, 64).transpose(2, 1, 0) < 0
    padded = np.pad(inside, 1)
    core = np.logical_and.reduce(
        [np.roll(padded, step, axis)[1:-1, 1:-1, 1:-1] for axis in range(3) for step in (1, -1)]
    )
    return np.argwhere(inside & ~core)


@pytest.mark.parametrize("solid", [ball, box])
def test_distances_of_solids_are_right_within_a_voxel(solid):
    grid = filling.signed_distance_grid(surface_voxels(solid))
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (20000, 3))
    error = filling.read_distances(grid, points) - solid(points)
    assert np.abs(error).max() < VOXEL
    assert abs(np.mean(error)) < 0.2 * VOXEL  # the half voxels leave no bias
    clear = np.abs(solid(points)) > VOXEL
    np.testing.assert_array_equal(np.sign(filling.read_distances(grid, points))[clear], np.sign(solid(points))[clear])


def test_distances_are_exact_at_voxel_centres():
    """A cube of 5^3 voxels around (30, 30, 30): distances by hand, in voxels."""
    cube = np.argwhere(np.ones((5, 5, 5))) + 28
    hollow = cube[(np.abs(cube - 30) == 2).any(1)]
    index = np.array([[30, 30, 30], [32, 30, 30], [33, 30, 30], [40, 30, 30], [30, 20, 30], [33, 33, 30]])
    read = filling.read_distances(filling.signed_distance_grid(hollow), (index + 0.5) / 64 - 0.5) * 64
    np.testing.assert_allclose(read, [-2.5, -0.5, 0.5, 7.5, 7.5, np.sqrt(2) - 0.5], atol=1e-9)


def test_a_shell_with_a_hole_stays_a_shell():
    cube = np.argwhere(np.ones((9, 9, 9))) + 20
    open_box = cube[(np.abs(cube - 24) == 4).any(1) & (cube[:, 1] < 28)]
    centre = np.array([[24.5, 24.5, 24.5]]) / 64 - 0.5
    assert filling.read_distances(filling.signed_distance_grid(open_box), centre) > 0


def test_points_lie_in_their_voxels():
    index = surface_voxels(ball)
    rng = np.random.default_rng(0)
    points, chosen = filling.points_in_voxels(index, 5000, rng)
    np.testing.assert_array_equal(np.floor((points + 0.5) * 64), index[chosen])
