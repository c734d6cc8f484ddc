"""Backgrounds of any size, and views over them."""

import numpy as np
import pytest

from utils.rendering.backgrounds import BACKGROUNDS, photograph


@pytest.mark.parametrize("name", BACKGROUNDS)
@pytest.mark.parametrize("size", [64, 200])
def test_backgrounds_are_coloured_images_of_their_own_random_numbers(name, size):
    alpha = np.zeros((size, size), np.uint8)
    alpha[size // 4 : size // 2, size // 4 : size // 2] = 255
    image, same, other = (BACKGROUNDS[name](np.random.default_rng(seed), alpha, size) for seed in (0, 0, 1))
    assert image.shape == (size, size, 3)
    assert image.min() > -0.2 and image.max() < 1.2  # cubic interpolation overshoots a little
    np.testing.assert_array_equal(image, same)
    assert abs(image - other).max() > 0.05


def test_a_photograph_shows_the_object_and_around_it_the_background():
    rgba = np.zeros((32, 32, 4), np.uint8)
    rgba[8:24, 8:24] = [200, 100, 50, 255]
    background = np.full((32, 32, 3), [0.0, 0.5, 1.0])
    photo = photograph(rgba, background, np.random.default_rng(0))
    assert (photo[..., 3] == 255).all()
    assert abs(photo[8:24, 8:24, :3].mean((0, 1)) - [200, 100, 50]).max() < 1
    assert abs(photo[:8, ..., :3].mean((0, 1)) - [0, 127.5, 255]).max() < 1.5
    assert photo[:8, ..., 1].std() == pytest.approx(2, rel=0.2)  # the noise of the sensor
