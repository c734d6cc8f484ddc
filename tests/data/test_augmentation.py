"""Augmentations that change image and object together leave them in agreement."""

import dataclasses

import numpy as np
import pytest

from data.augmentation import (
    STRETCH,
    mirrored_camera,
    random_colours,
    recoloured,
    relit,
    stretch_factors,
    stretched_camera,
    warped_view,
)
from data.camera_samples import CameraSamples
from data.field_samples import FieldSamples
from data.shards import Database
from models.presets import camera_preset
from tests.helpers import tiny
from utils.geometry import frames
from utils.geometry.camera_parameters import CameraParts
from utils.geometry.cameras import compose, decompose, intrinsics, look_at, project


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_a_mirrored_camera_sees_the_mirrored_object_mirrored(rng):
    points, width = rng.uniform(-0.5, 0.5, (20, 3)), 50
    for azimuth in rng.uniform(0, 360, 5):
        camera = compose(intrinsics(width), look_at(azimuth, rng.uniform(-60, 60), 2.0))
        mirrored = mirrored_camera(camera, width)
        (u, v), w = project(points, camera)[0].T, project(points, camera)[1]
        (u_mirrored, v_mirrored), w_mirrored = (
            project(points * [-1, 1, 1], mirrored)[0].T,
            project(points * [-1, 1, 1], mirrored)[1],
        )
        np.testing.assert_allclose(u_mirrored, width - 1 - u)
        np.testing.assert_allclose(v_mirrored, v)
        np.testing.assert_allclose(w_mirrored, w)
        K, RT = decompose(mirrored)
        assert np.linalg.det(RT[:, :3]) == pytest.approx(1) and K[0, 0] > 0  # a camera, not the mirror image of one
        np.testing.assert_allclose(mirrored_camera(mirrored, width), camera, atol=1e-9)


def test_a_stretched_camera_sees_the_stretched_object_as_the_camera_sees_the_object(rng):
    extent, points = np.array([0.3, 1.0, 0.6]), rng.uniform(-0.5, 0.5, (20, 3))
    camera = compose(intrinsics(50), look_at(30, 20, 2.0))
    drawn = [stretch_factors(extent, rng) for _ in range(200)]
    assert 0.3 < np.mean([np.array_equal(factors, np.ones(3)) for factors in drawn]) < 0.7
    for factors in drawn:
        assert (factors * extent).max() == pytest.approx(1) and factors.max() / factors.min() <= np.exp(2 * STRETCH)
        for expected, found in zip(
            project(points, camera), project(points * factors, stretched_camera(camera, factors)), strict=True
        ):
            np.testing.assert_allclose(found, expected)


def test_a_warped_view_has_its_object_where_its_camera_sees_it(rng):
    """A dot in the image stays where its point is projected to, and nothing is cut off."""
    size, warped = 61, 0
    camera = compose(intrinsics(size), look_at(40, 10, 2.0))
    for _ in range(60):
        point = rng.uniform(-0.3, 0.3, (1, 3))
        u, v = np.rint(project(point, camera)[0][0]).astype(int)
        shift = np.array([[1, 0, 0], [0, 1, 0], [*(np.array([u, v]) - project(point, camera)[0][0]), 1]])
        rgba = np.zeros((size, size, 4), np.uint8)
        rgba[v - 1 : v + 2, u - 1 : u + 2] = [200, 100, 50, 255]
        image, moved = warped_view(rgba, camera @ shift, rng)
        warped += image.shape != rgba.shape
        alpha = image[..., 3] / 255
        rows, columns = np.indices(alpha.shape)
        centre = np.array([(alpha * columns).sum(), (alpha * rows).sum()]) / alpha.sum()
        np.testing.assert_allclose(project(point, moved)[0][0], centre, atol=0.25)
        np.testing.assert_allclose(image[alpha > 0.9][:, :3], np.tile([200, 100, 50], ((alpha > 0.9).sum(), 1)), atol=2)
    assert 10 < warped < 50
    corners = np.full((20, 30, 4), 255, np.uint8)
    sizes = [(warped_view(corners, camera, rng)[0][..., 3] / 255).sum() for _ in range(60)]
    assert min(sizes) > 0.7 * 600  # of the smallest that the factors of the sides allow, 0.82 x 600


def test_recolouring_is_affine_and_stays_in_range(rng):
    colours = rng.integers(0, 256, (100, 3)).astype(np.uint8)
    np.testing.assert_array_equal(recoloured(colours, np.eye(4, 3)), colours)
    maps = [random_colours(rng) for _ in range(200)]
    unchanged = np.mean([np.array_equal(m, np.eye(4, 3)) for m in maps])
    assert 0.15 < unchanged < 0.45
    for m in maps[:10]:
        expected = np.clip((np.c_[colours / 255, np.ones(100)] @ m), 0, 1)
        np.testing.assert_allclose(recoloured(colours, m) / 255, expected, atol=0.51 / 255)


def test_another_light_keeps_the_order_of_brightness(rng):
    ramp = np.linspace(0, 1, 50)[:, None].repeat(3, 1)
    lit = [relit(ramp, rng) for _ in range(50)]
    assert all((np.diff(r, axis=0) >= 0).all() and r.min() >= 0 and r.max() <= 1 for r in lit)
    assert np.std([r[25].mean() for r in lit]) > 0.03


@pytest.mark.parametrize(("binary", "augshape"), [(True, False), (True, True), (False, False), (False, True)])
def test_changed_samples_agree_with_their_images(binary, augshape, tiny_database):
    """Where a sample's colours are known, they are those of the image at the points' pixels."""
    database = Database(tiny_database)
    augmented = {"augmirror": True, "augcolours": True, "augshape": augshape}
    config = dataclasses.replace(tiny.config(binary, num_sample_points=256), **augmented)
    samples, frame = FieldSamples(database, config), frames.cube_frame(binary)
    for entry in database.objects("train")[:3]:
        plain = FieldSamples(database, tiny.config(binary)).read(entry, 0, np.random.default_rng(0), augment=False)
        seen = set()
        for seed in range(24 if augshape else 6):
            sample = samples.read(entry, 0, np.random.default_rng(seed))
            camera = frame.object_camera(sample["trans_mat"].astype(np.float64))
            inside = sample["colour"][:, 0] >= 0 if binary else sample["distance"] < 0
            points = frame.from_model(sample["points"][inside].astype(np.float64))
            (u, v), _ = project(points, camera)[0].T, None
            pixels = sample["image"][np.rint(v).astype(int).clip(0, 39), np.rint(u).astype(int).clip(0, 39)]
            assert (pixels.max(-1) > 0).mean() > 0.95  # the object covers its own points
            expected = np.median(sample["colour"][inside], 0)
            lit = np.median(pixels[:, :3], 0)
            hue = (expected - expected.mean()) @ (lit - lit.mean())
            assert hue > 0 or np.ptp(expected) < 0.1
            seen.add(np.allclose(sample["trans_mat"], plain["trans_mat"]))
        assert seen == {True, False}  # some are changed, some are not


def test_points_of_a_stretched_object_fall_where_those_of_the_object_do(tiny_database, monkeypatch):
    database = Database(tiny_database)
    config = dataclasses.replace(tiny.config(False, num_sample_points=256), augshape=True, augmirror=True)
    samples, entry, frame = FieldSamples(database, config), database.objects("train")[0], frames.cube_frame(False)

    def read(seed):
        sample = samples.read(entry, 0, np.random.default_rng(seed))
        points = frame.from_model(sample["points"].astype(np.float64))
        return points, project(points, frame.object_camera(sample["trans_mat"].astype(np.float64)))[0]

    drawn = [read(seed) for seed in range(12)]
    monkeypatch.setattr("data.augmentation.STRETCH", 0.0)
    plain = [read(seed) for seed in range(12)]
    for (_, pixels), (_, expected) in zip(drawn, plain, strict=True):
        np.testing.assert_allclose(pixels, expected, atol=1e-3)
    moved = [np.abs(points - other).max() > 0.01 for (points, _), (other, _) in zip(drawn, plain, strict=True)]
    assert 2 < sum(moved) < 10


def test_mirrored_samples_of_cameras_agree_with_their_images(tiny_database):
    """The points lie on the object in the image, and the mirrored ones are the object mirrored."""
    database = Database(tiny_database)
    config = camera_preset("small", db="", num_sample_points=128, img_h=40, img_w=40, alpha=True, augmirror=True)
    samples, entry = CameraSamples(database, config), database.objects("train")[0]
    plain = samples.read(entry, 0, np.random.default_rng(0), augment=False)
    seen = set()
    for seed in range(6):
        sample = samples.read(entry, 0, np.random.default_rng(seed))
        parts = CameraParts(**{name: sample[name].astype(np.float64) for name in CameraParts.names()})
        assert np.linalg.det(parts.rotation) == pytest.approx(1, abs=1e-5)
        u, v = np.rint(project(sample["points"].astype(np.float64), parts.trans_mat(40))[0]).astype(int).clip(0, 39).T
        assert (sample["image"][v, u, 3] > 0).mean() > 0.9
        mirrored = not np.allclose(sample["rotation"], plain["rotation"], atol=1e-6)
        image = sample["image"][:, ::-1] if mirrored else sample["image"]
        np.testing.assert_allclose(image, plain["image"], atol=1e-6)
        seen.add(mirrored)
    assert seen == {True, False}
