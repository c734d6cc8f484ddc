"""Cameras and axes from flow volumes: known cameras from exact, noisy and spoilt pixels."""

import numpy as np
import pytest

from preprocessing.recovery import dlt
from utils.errors import UserError
from utils.geometry import frames
from utils.geometry.cameras import compose, intrinsics, look_at, project

SIZE = 128
AZIMUTHS = 90 + 30 * np.arange(12)


def camera(azimuth, elevation=30.0, distance=1.7, size=SIZE):
    return compose(intrinsics(size), look_at(azimuth, elevation, distance))


@pytest.fixture(scope="module")
def index():
    """Surface voxels of an ellipsoid that is not in the middle."""
    centres = frames.voxel_centres().reshape(64, 64, 64, 3).transpose(2, 1, 0, 3)
    radius = np.linalg.norm((centres - [0.05, -0.04, 0.02]) * [1, 1.4, 1.9], axis=-1)
    return np.argwhere(np.abs(radius - 0.4) < 0.012)


@pytest.fixture(scope="module")
def points(index):
    return (index + 0.5) / 64 - 0.5


def off(fit, points, matrix):
    """Largest distance in pixels between where a fit and the true camera put the points."""
    return np.linalg.norm(project(points, fit.trans_mat)[0] - project(points, matrix)[0], axis=1).max()


@pytest.mark.parametrize("azimuth", [0.0, 75.0, 200.0])
def test_exact_pixels_give_the_camera(points, azimuth):
    matrix = camera(azimuth)
    fit = dlt.fit_camera(points, project(points, matrix)[0], np.random.default_rng(0))
    np.testing.assert_allclose(fit.trans_mat, matrix, atol=1e-8)  # scale and sign as well: w is the depth
    assert fit.rms < 1e-9
    assert fit.inlier_share == 1


@pytest.mark.parametrize("share", [0.0, 0.2, 0.35])
@pytest.mark.parametrize("noise", ["none", "float32", "rounded", "gaussian"])
def test_noise_and_outliers(points, noise, share):
    rng, matrix = np.random.default_rng(1), camera(130.0)
    pixels = project(points, matrix)[0]
    if noise == "float32":
        pixels = pixels.astype(np.float32).astype(float)
    if noise == "rounded":
        pixels = np.round(pixels)
    if noise == "gaussian":
        pixels = pixels + rng.normal(0, 0.5, pixels.shape)
    spoilt = rng.random(len(pixels)) < share
    pixels[spoilt] = rng.uniform(0, SIZE, (spoilt.sum(), 2))
    fit = dlt.fit_camera(points, pixels, rng)
    dlt.accept(fit, "here")
    tolerance = {"none": 1e-6, "float32": 1e-3, "rounded": 0.15, "gaussian": 0.15}[noise]
    assert off(fit, points, matrix) < tolerance
    # RMS of two channels: 1 / sqrt(12) and 0.5 each
    expected = {"none": 0, "float32": 0, "rounded": np.sqrt(2 / 12), "gaussian": 0.5 * np.sqrt(2)}[noise]
    assert fit.rms == pytest.approx(expected, abs=0.03)
    assert fit.inlier_share == pytest.approx(1 - share, abs=0.04)


def test_outliers_that_agree_with_each_other(points):
    """A fifth of the voxels shifted together, as by a wrong part of a volume."""
    matrix = camera(100.0)
    pixels = project(points, matrix)[0]
    pixels[: len(pixels) // 5] += 25
    assert off(dlt.fit_camera(points, pixels, np.random.default_rng(0)), points, matrix) < 1e-6


def test_garbage_is_refused(points):
    rng = np.random.default_rng(2)
    fit = dlt.fit_camera(points, rng.uniform(0, SIZE, (len(points), 2)), rng)
    with pytest.raises(UserError, match="flow.h5: no camera fits"):
        dlt.accept(fit, "flow.h5")
    pixels = project(points, camera(90.0))[0]
    with pytest.raises(UserError, match="no camera fits"):
        dlt.accept(dlt.fit_camera(points, pixels + rng.normal(0, 3, pixels.shape), rng), "flow.h5")


def test_sets_that_do_not_determine_a_camera(points):
    rng, matrix = np.random.default_rng(3), camera(60.0)
    grid = (np.argwhere(np.ones((20, 20))) - 10) / 30
    for plane in (np.insert(grid, 1, 0.1, axis=1), np.insert(grid, 2, grid.sum(1), axis=1)):
        with pytest.raises(UserError, match="plane"):
            dlt.fit_camera(plane, project(plane, matrix)[0], rng)
    with pytest.raises(UserError, match="at least 12"):
        dlt.fit_camera(points[:11], project(points[:11], matrix)[0], rng)


def test_thin_but_not_flat_is_enough():
    """Two layers of voxels, as of a guitar's body."""
    index = np.argwhere(np.ones((40, 40, 2))) + [12, 12, 31]
    points, matrix = (index + 0.5) / 64 - 0.5, camera(75.0)
    assert off(dlt.fit_camera(points, project(points, matrix)[0], np.random.default_rng(0)), points, matrix) < 1e-6


def recovered(points, axes, rng, noise=0.0):
    """Cameras recovered from a volume stored in axes q, p = A q."""
    stored = points @ np.array(axes)  # q = A^-1 p, as rows
    pixels = [project(points, camera(azimuth))[0] for azimuth in AZIMUTHS[::3]]
    return [dlt.fit_camera(stored, exact + rng.normal(0, noise, exact.shape), rng).trans_mat for exact in pixels]


# Axes that lead from a volume to the true frame with fewer changes than any other right-handed,
# upright choice.
UNDONE = [
    ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    ((-1, 0, 0), (0, 1, 0), (0, 0, 1)),
    ((1, 0, 0), (0, 1, 0), (0, 0, -1)),
    ((1, 0, 0), (0, -1, 0), (0, 0, 1)),
    ((1, 0, 0), (0, 0, 1), (0, 1, 0)),
    ((1, 0, 0), (0, 0, 1), (0, -1, 0)),
    ((0, 1, 0), (1, 0, 0), (0, 0, 1)),
    ((0, -1, 0), (1, 0, 0), (0, 0, 1)),
]


@pytest.mark.parametrize("axes", UNDONE, ids=dlt.describe)
@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_axes_are_undone(points, axes, noise):
    assert dlt.choose_axes(recovered(points, axes, np.random.default_rng(0), noise)) == axes


@pytest.mark.parametrize("axes", dlt.signed_permutations()[::3], ids=dlt.describe)
def test_any_axes_become_right_handed_and_upright(points, axes):
    """Whatever the volume's axes, the result is the true frame but for a turn about y."""
    rng = np.random.default_rng(0)
    chosen = np.array(dlt.choose_axes(recovered(points, axes, rng)))
    left = chosen @ np.linalg.inv(np.array(axes))  # true frame -> chosen frame
    assert np.linalg.det(left) == pytest.approx(1)
    np.testing.assert_allclose(left[1], [0, 1, 0], atol=1e-12)


def test_signed_permutations_are_all_48():
    axes = dlt.signed_permutations()
    assert axes[0] == dlt.IDENTITY
    assert len(set(axes)) == 48
    assert len({dlt.describe(matrix) for matrix in axes}) == 48
    for matrix in axes:
        np.testing.assert_array_equal(np.array(matrix) @ np.array(matrix).T, np.eye(3))


@pytest.mark.parametrize("axes", dlt.signed_permutations()[::5], ids=dlt.describe)
def test_turned_indices_are_turned_points(index, points, axes):
    turned = dlt.turn_index(index, axes)
    np.testing.assert_allclose((turned + 0.5) / 64 - 0.5, points @ np.array(axes).T, atol=1e-12)
    assert turned.min() >= 0
    assert turned.max() <= 63
