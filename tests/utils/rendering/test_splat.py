"""Coloured points in an image."""

import numpy as np

from utils.geometry.cameras import compose, intrinsics, look_at
from utils.rendering.splat import splat

SIZE = 33
CAMERA = compose(intrinsics(SIZE), look_at(0, 0, 1))  # looks along -z from z = 1


def draw(points, colours):
    return splat(np.array(points, float), np.array(colours, float), CAMERA, SIZE, SIZE, 1)


def test_the_nearest_point_wins():
    image = draw([[0, 0, -0.2], [0, 0, 0.2], [0, 0, 0]], [[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    drawn = (image != 1).any(-1)
    assert (image[drawn] == [0, 1, 0]).all() and drawn.sum() == 9 and drawn[SIZE // 2, SIZE // 2]


def test_points_behind_the_camera_are_not_seen():
    image = draw([[0, 0, 0], [0, 0, 2], [0.1, 0.1, 1.5]], [[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    np.testing.assert_array_equal(image, draw([[0, 0, 0]], [[1, 0, 0]]))
