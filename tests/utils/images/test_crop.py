"""Cropping to the object: its position, its camera, and the images that networks get."""

import numpy as np
import pytest

from data.network_input import network_camera, network_image, source_camera
from tests.helpers import tiny
from utils.geometry.cameras import compose, intrinsics, look_at, project
from utils.images.crop import object_square


def painted(height, width, top, left, h, w):
    """An image whose object is a box with a different colour in each pixel."""
    rgba = np.zeros((height, width, 4), np.uint8)
    rows, columns = np.mgrid[:height, :width]
    rgba[..., 0], rgba[..., 1] = rows % 256, columns % 256
    rgba[top : top + h, left : left + w, 3] = 255
    return rgba


@pytest.mark.parametrize(
    "place", [(40, 60, 10, 20, 12, 30), (40, 60, 0, 0, 40, 10), (33, 21, 30, 19, 3, 2), (50, 50, 49, 0, 1, 50)]
)
@pytest.mark.parametrize("share", [0.5, 0.85, 1.0])
def test_the_object_is_in_the_middle_and_takes_its_share(place, share):
    rgba = painted(*place)
    square = object_square(rgba[..., 3], share)
    cut = square.cut(rgba)
    assert cut.shape == (square.side, square.side, 4)
    assert (cut[..., 3] > 0).sum() == (rgba[..., 3] > 0).sum()  # nothing of it is lost
    rows, columns = np.nonzero(cut[..., 3])
    longer = max(np.ptp(rows), np.ptp(columns)) + 1
    assert longer <= share * square.side + 1e-9 < longer + 1
    for positions in (rows, columns):
        assert abs((positions.min() + positions.max()) / 2 - (square.side - 1) / 2) <= 0.5
    inside = cut[..., 3] > 0
    assert np.array_equal(cut[inside], rgba[rgba[..., 3] > 0])


def test_the_camera_of_the_crop_sees_points_where_the_crop_has_them():
    rgba = painted(70, 90, 20, 50, 25, 18)
    square = object_square(rgba[..., 3], 0.7)
    K = intrinsics(90)
    camera = compose(K, look_at(30, 20, 2.5))
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (50, 3))
    before, after = (project(points, matrix)[0] for matrix in (camera, square.camera(camera)))
    np.testing.assert_allclose(after, before - [square.left, square.top], atol=1e-9)
    np.testing.assert_allclose(square.source_camera(square.camera(camera)), camera, atol=1e-12)


@pytest.mark.parametrize("crop", [0.0, 0.85])
def test_network_and_image_camera_are_inverse(crop):
    rgba = painted(70, 90, 20, 50, 25, 18)
    config = tiny.config(crop=crop)
    camera = compose(intrinsics(90), look_at(200, 10, 2.0))
    cropped = network_camera(camera, rgba, config)
    np.testing.assert_allclose(source_camera(cropped, rgba, config), camera, atol=1e-9)


def test_the_surroundings_of_the_object_do_not_matter():
    config = tiny.config(crop=0.8, alpha=True)
    small = painted(60, 60, 20, 20, 17, 24)
    large = np.zeros((200, 300, 4), np.uint8)
    large[90:150, 111:171] = small
    np.testing.assert_array_equal(network_image(small, config), network_image(large, config))


def test_an_image_without_object_keeps_its_middle():
    square = object_square(np.zeros((40, 60), np.uint8), 0.5)
    assert (square.left, square.top, square.side) == (0, -10, 60)
