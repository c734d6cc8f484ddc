"""The conventions of cameras: where they stand, what they see, their inverses; those refused."""

import warnings

import numpy as np
import pytest

from utils.errors import UserError
from utils.geometry.cameras import (
    azimuth_elevation_distance,
    check_camera,
    compose,
    decompose,
    fitting_distance,
    intrinsics,
    look_at,
    parse_camera,
    pixel_rays,
    project,
    resize_camera,
)

SIZE = 65


def camera(azimuth: float, elevation: float, distance: float = 2.0) -> np.ndarray:
    return compose(intrinsics(SIZE), look_at(azimuth, elevation, distance))


CAMERA = camera(30, 20)


@pytest.mark.parametrize(
    ("azimuth", "elevation", "place"),
    [(0, 0, (0, 0, 2)), (90, 0, (2, 0, 0)), (180, 0, (0, 0, -2)), (0, 30, (0, 1, 3**0.5))],
)
def test_cameras_stand_where_their_angles_say(azimuth, elevation, place):
    rotation, translation = np.split(look_at(azimuth, elevation, 2), [3], 1)
    np.testing.assert_allclose((-rotation.T @ translation)[:, 0], place, atol=1e-12)
    assert azimuth_elevation_distance(camera(azimuth, elevation)) == pytest.approx((azimuth, elevation, 2))


def test_the_front_is_seen_upright_and_not_mirrored():
    points = np.array([[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0], [0, 0, 0.1]])
    pixels, w = project(points, camera(0, 0))
    middle, right, up, nearer = pixels
    np.testing.assert_allclose(middle, [(SIZE - 1) / 2] * 2)
    assert right[0] > middle[0] and right[1] == pytest.approx(middle[1])
    assert up[1] < middle[1] and up[0] == pytest.approx(middle[0])
    np.testing.assert_allclose(nearer, middle)
    assert w[3] < w[0]


def test_intrinsics_and_extrinsics_come_back_from_their_product():
    rng = np.random.default_rng(0)
    for mirror in (1, -1):
        K = np.array([[80, rng.uniform(-3, 3), 30], [0, 70, 40], [0, 0, 1]])
        RT = look_at(rng.uniform(0, 360), rng.uniform(-80, 80), 2) * [mirror, 1, 1, 1]
        for part, wanted in zip(decompose(2.5 * compose(K, RT)), (K, RT), strict=True):  # w of any scale
            np.testing.assert_allclose(part, wanted, atol=1e-10)


def test_rays_are_the_inverse_of_projection():
    matrix, rng = 1.7 * camera(70, -20), np.random.default_rng(0)
    u, v = rng.uniform(-10, SIZE + 10, (2, 50))
    origin, directions = pixel_rays(matrix, u, v)
    assert np.linalg.norm(origin) == pytest.approx(2)
    for steps in (1, 0.3):
        pixels, w = project(origin + steps * directions, matrix)
        np.testing.assert_allclose(pixels, np.stack([u, v], 1))
        np.testing.assert_allclose(w, steps)


def test_resizing_keeps_the_corners_of_the_image():
    old, new = (65, 65), (40, 130)  # height, width
    u, v = np.array([-0.5, 64.5, 20]), np.array([-0.5, 64.5, 7])
    origin, directions = pixel_rays(camera(30, 20), u, v)
    resized, _ = project(origin + directions, resize_camera(camera(30, 20), old, new))
    np.testing.assert_allclose(resized[:2], [[-0.5, -0.5], [129.5, 39.5]], atol=1e-9)
    np.testing.assert_allclose(resized[2], [(20 + 0.5) * 2 - 0.5, (7 + 0.5) * 40 / 65 - 0.5])


def test_a_sphere_at_the_fitting_distance_fills_the_image():
    radius, focal = 0.6, 1.3
    points = np.random.default_rng(0).normal(size=(5000, 3))
    points *= radius / np.linalg.norm(points, axis=1, keepdims=True)
    pixels, _ = project(points, compose(intrinsics(SIZE, focal), look_at(10, 20, fitting_distance(radius, focal))))
    assert -0.5 < pixels.min() < 2 and SIZE - 3 < pixels.max() < SIZE - 0.5


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
