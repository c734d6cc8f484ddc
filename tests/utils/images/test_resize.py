"""Tests of utils/images/resize.py: images with transparency."""

import numpy as np

from utils.images.resize import lay_over, with_mask


def test_transparent_pixels_mix():
    rgba = np.array([[[200, 100, 0, 0], [200, 100, 0, 51], [200, 100, 0, 255]]], np.uint8)
    white = np.full((1, 3, 3), 255, np.uint8)
    np.testing.assert_array_equal(lay_over(rgba, white), [[[255] * 3, [244, 224, 204], [200, 100, 0]]])


def test_under_another_mask_an_image_looks_as_before_on_white():
    rng = np.random.default_rng(0)
    rgba = rng.integers(0, 256, (64, 64, 4), np.uint8)
    rgba[:16, ..., 3], rgba[16:32, ..., 3] = 0, 255
    everything = np.full((64, 64), 255, np.uint8)
    shown = with_mask(rgba, everything)
    np.testing.assert_array_equal(shown[..., 3], everything)
    np.testing.assert_array_equal(shown[..., :3], lay_over(rgba))
    larger = np.maximum(rgba[..., 3], rng.integers(1, 256, (64, 64), np.uint8))
    light = lay_over(with_mask(rgba, larger)).astype(int) - lay_over(rgba)
    assert abs(light).max() <= 1  # rounding


def test_a_mask_within_the_opaque_part_leaves_the_colours_alone():
    rgba = np.random.default_rng(1).integers(0, 256, (8, 8, 4), np.uint8)
    smaller = np.minimum(rgba[..., 3], 77)
    np.testing.assert_array_equal(with_mask(rgba, smaller), np.dstack([rgba[..., :3], smaller]))
