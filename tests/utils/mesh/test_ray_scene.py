"""Rays and distances against a triangle, whose geometry is known."""

import numpy as np
import pytest

from utils.mesh.ray_scene import RayScene, barycentric

CORNERS = np.array([[0, 0, 1], [2, 0, 1], [0, 2, 1]], np.float64)
POINTS = np.array([[0.2, 0.3, 0], [0.5, 1.0, 3], [-1, 0.1, 0]])  # below it, above it, beside it


def scene():
    return RayScene(CORNERS, np.array([[0, 1, 2]]))


def test_rays_end_at_the_plane_and_weights_give_back_the_place():
    up = np.array([0, 0, 2.0])
    hits = scene().cast(POINTS, up)
    np.testing.assert_allclose(hits["t_hit"], [0.5, np.inf, np.inf])
    places = barycentric(hits["primitive_uvs"][:1]) @ CORNERS
    np.testing.assert_allclose(places, POINTS[:1] + 0.5 * up, atol=1e-6)


def test_points_are_hidden_by_what_lies_between_alone():
    towards = np.array([[0, 0, 1.1], [0, 0, -1.9], [0, 0, 9]])
    assert scene().hidden(POINTS, towards).tolist() == [True, False, False]


def test_distances_are_those_to_the_closest_points():
    nearest = scene().closest(POINTS)
    places = barycentric(nearest["primitive_uvs"]) @ CORNERS
    np.testing.assert_allclose(places, [[0.2, 0.3, 1], [0.5, 1, 1], [0, 0.1, 1]], atol=1e-6)
    np.testing.assert_allclose(scene().distances(POINTS), np.linalg.norm(places - POINTS, axis=1), rtol=1e-6)


@pytest.mark.parametrize("threads", ["", " 2", "2,1", "many"])
def test_rays_are_cast_whatever_the_environment_says_of_threads(monkeypatch, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    assert np.isfinite(scene().cast(POINTS[:1], np.array([0, 0, 1]))["t_hit"]).all()
