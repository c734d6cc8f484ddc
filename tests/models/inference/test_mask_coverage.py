"""The level at which a mesh covers its mask."""

import types

import cv2
import numpy as np
import pytest
from scipy.ndimage import binary_fill_holes

from models.inference import iso_search, mask_coverage
from models.inference.mask_coverage import covering_bound, iso_covering_mask
from utils.geometry import frames
from utils.geometry.cameras import compose, intrinsics, look_at, project, resize_camera

SIZE = 120
CAMERA = compose(intrinsics(SIZE), look_at(30, 20, 2.2))


def query_of(binary, logits):
    """A query of a field given by its logits at points, or -1/50 of them as distances."""

    def field(points):
        asked.append(len(points))
        return (logits(points) if binary else -logits(points) / 50).astype(np.float32)

    asked = []
    return types.SimpleNamespace(
        config=types.SimpleNamespace(binary=binary),
        geometry=lambda _, points: field(points),
        geometry_of_grid=lambda _, n: field(frames.voxel_centres(n)),
        asked=asked,
    )


def query(binary):
    """A ball of radius 0.4 whose field is sure within 0.25 and less sure, the further out."""
    return query_of(binary, lambda points: 8 * (0.4 - np.linalg.norm(points, axis=1)) / 0.15)  # 8 at 0.25, 0 at 0.4


def mask(radius):
    """What a ball of this radius covers in the picture."""
    points = np.random.default_rng(0).normal(size=(200_000, 3))
    points *= radius / np.linalg.norm(points, axis=1, keepdims=True)
    u, v = np.rint(project(points, CAMERA)[0]).astype(int).T
    picture = np.zeros((SIZE, SIZE), np.uint8)
    picture[v, u] = 1
    return cv2.morphologyEx(picture, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)) > 0


def test_the_level_goes_down_until_the_mask_is_covered_and_no_further():
    for radius in (0.3, 0.34, 0.37):
        found = iso_covering_mask(query(True), None, CAMERA, mask(radius), 6.0)
        expected = 8 * (0.4 - radius) / 0.15
        assert (
            expected < found < expected + 3.5
        )  # cells are 0.025 wide, 1.3 of a logit; two or three at the rim of the mask are left out
    assert iso_covering_mask(query(True), None, CAMERA, mask(0.28), 4.0) == 4.0  # covered as it is
    assert iso_covering_mask(query(True), None, CAMERA, mask(0.48), 6.0) == 0.0  # beyond what the field calls occupied
    assert iso_covering_mask(query(True), None, CAMERA, mask(0.48), -1.0) == -1.0
    assert iso_covering_mask(query(True), None, CAMERA, np.zeros((SIZE, SIZE), bool), 3.0) == 3.0


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("iso", [-0.3, 0.0, 0.2])
def test_a_mask_that_nothing_covers_leads_to_the_bound(binary, iso):
    assert iso_covering_mask(query(binary), None, CAMERA, mask(0.9), iso) == covering_bound(binary, iso)


def test_distances_go_up_by_a_voxel_at_most():
    assert iso_covering_mask(query(False), None, CAMERA, mask(0.36), 0.0) == 0.0
    assert iso_covering_mask(query(False), None, CAMERA, mask(0.48), 0.0) == pytest.approx(1 / frames.VOXELS)
    inner = iso_covering_mask(query(False), None, CAMERA, mask(0.42), -0.04)
    assert -0.04 < inner <= -0.04 + 1 / frames.VOXELS


def lumpy(binary, seed):
    """A field some of whose pixels only cells between those of the coarse grid cover."""
    rng = np.random.default_rng(seed)
    waves = rng.normal(0, 40, (3, 12))
    phases = rng.uniform(0, 7, 12)
    return query_of(
        binary, lambda p: np.sin(p @ waves + phases).sum(1) + 9 - 30 * np.linalg.norm(p * [1, 0.5, 3], axis=1)
    )


@pytest.mark.parametrize("seed", range(3))
def test_a_value_at_which_the_mask_is_covered_stays(seed):
    """Also where few pixels are nearly uncovered, whose cells have to be asked to know."""
    thin, shape = lumpy(True, seed), mask(0.25)
    covering = all_cells(thin, CAMERA, shape, np.inf)
    for less in (0.01, 0.1, 0.3, 0.5, 0.8):
        assert iso_covering_mask(thin, None, CAMERA, shape, covering - less) == pytest.approx(covering - less)


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_asking_few_cells_gives_the_value_of_asking_all(binary, seed):
    thin = lumpy(binary, seed)
    shape = mask(0.25)
    for iso in (2.0, -2.0, 6.0):
        iso = iso if binary else -iso / 50
        thin.asked.clear()
        found = iso_covering_mask(thin, None, CAMERA, shape, iso)
        assert sum(thin.asked[1:]) < 0.5 * mask_coverage.CELLS**3
        assert found == pytest.approx(all_cells(thin, CAMERA, shape, iso), abs=1e-6)


def all_cells(field, camera, picture, iso):
    """The value by its definition, from all cells."""
    size, cells, sign = mask_coverage.SIZE, mask_coverage.CELLS, 1 if field.config.binary else -1
    depth = sign * field.geometry_of_grid(None, cells)
    u, v = np.rint(project(frames.voxel_centres(cells), resize_camera(camera, picture.shape, (size, size)))[0]).T
    whole = cv2.resize(picture.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA) > 0.999
    deepest = [depth[(u == column) & (v == row)].max() for row, column in np.argwhere(whole)]
    covering = sign * np.quantile(deepest, 1 - mask_coverage.SHARE)
    if field.config.binary:
        return min(iso, max(covering, 0)) if iso > 0 else iso
    return max(iso, min(covering, iso + 1 / frames.VOXELS))


def test_holes_are_filled_as_scipy_fills_them():
    rng = np.random.default_rng(0)
    for share in (0.3, 0.6, 0.8):
        volume = rng.random((12, 12, 12)) < share
        np.testing.assert_array_equal(iso_search.fill_holes(volume), binary_fill_holes(volume))
