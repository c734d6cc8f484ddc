"""Cameras that can be used, and those that are refused."""

import warnings

import numpy as np
import pytest

from utils.errors import UserError
from utils.geometry.cameras import check_camera, compose, intrinsics, look_at, parse_camera

CAMERA = compose(intrinsics(137), look_at(30, 20, 2))


@pytest.mark.parametrize("scale", [1e-100, 1e-8, 1.0, 1e8, 1e100])
def test_whether_a_camera_is_singular_does_not_depend_on_its_scale(scale):
    check_camera(scale * CAMERA, "x")
    rng = np.random.default_rng(0)
    for _ in range(50):  # a row that depends on the others, up to rounding
        singular = CAMERA.copy()
        singular[2] = rng.normal(size=2) @ CAMERA[:2]
        with pytest.raises(UserError, match="singular"):
            check_camera(scale * singular, "x")


def test_cameras_of_crops_far_from_the_middle_are_not_singular():
    K = np.array([[2000.0, 0, -90_000], [0, 500, 40_000], [0, 0, 1]])
    check_camera(compose(K, look_at(200, -30, 3)), "x")


def test_a_camera_without_perspective_is_singular():
    affine = CAMERA.copy()
    affine[:3, 2] = 0
    with pytest.raises(UserError, match="singular"):
        check_camera(affine, "x")


def test_an_empty_file_is_no_camera_and_gives_no_warning(tmp_path):
    (tmp_path / "T.txt").write_text("")
    with warnings.catch_warnings(), pytest.raises(UserError, match="T.txt: a camera is a 4x3"):
        warnings.simplefilter("error")
        parse_camera(str(tmp_path / "T.txt"))
