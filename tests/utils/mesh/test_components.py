"""Components of surfaces: which of several balls are inside one another."""

import igl
import numpy as np
import pytest
import trimesh

from utils.mesh import components


def balls(*parts):
    """(centre, radius, whether it is a cavity) each -> vertices, faces, (F,) number of the ball."""
    vertices, faces, number = [], [], []
    for i, (centre, radius, cavity) in enumerate(parts):
        ball = trimesh.creation.icosphere(2, radius)
        faces.append((ball.faces[:, ::-1] if cavity else ball.faces) + sum(map(len, vertices)))
        vertices.append(ball.vertices + centre)
        number += [i] * len(ball.faces)
    return np.concatenate(vertices), np.concatenate(faces), np.array(number)


def test_walls_inside_others_are_not_outer():
    vertices, faces, number = balls(
        ([0, 0, 0], 1.0, False),
        ([0, 0, 0], 0.8, True),
        ([0.1, 0, 0], 0.4, False),  # floats in the cavity
        ([0.1, 0, 0], 0.3, True),
        ([0.1, 0, 0.1], 0.1, False),  # and this one in its cavity
        ([0.8, 0.8, 0.8], 0.2, False),  # in the box of the first, not inside it
        ([-0.7, 0, 0], 0.05, False),  # behind the cavity's wall, seen along x
        ([-3, 0, 0], 0.5, False),
    )
    order = np.random.default_rng(0).permutation(len(faces))
    outer = components.outer_walls(vertices, faces[order])
    np.testing.assert_array_equal(outer, np.isin(number[order], [0, 5, 7]))


def test_windings_are_those_of_the_solid_angle():
    rng = np.random.default_rng(0)
    parts = [(rng.uniform(-1, 1, 3), rng.uniform(0.1, 1), rng.random() < 0.3) for _ in range(12)]
    vertices, faces, number = balls(*parts)
    found = components._windings(vertices, faces, number, np.arange(12))
    for i in range(12):
        point = np.array([[0.47, 0.34, 0.19]]) @ vertices[faces[number == i][0]]
        for j in np.flatnonzero(np.arange(12) != i):
            expected = igl.winding_number(vertices, faces[number == j], point)[0]
            assert found[i, j] == pytest.approx(expected, abs=1e-6)
