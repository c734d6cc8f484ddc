"""Training samples: their contents, and that they depend on seed, epoch and pair alone."""

import numpy as np
import pytest

from data import camera_samples
from data.field_samples import FieldSamples, voxel_points
from data.network_input import check_masks, network_camera, network_image, network_view
from data.pipeline import batches, epoch_order
from data.shards import Database
from tests.helpers import tiny
from utils.errors import UserError
from utils.geometry import frames
from utils.geometry.cameras import project


@pytest.fixture(scope="module")
def database(tiny_database):
    return Database(tiny_database)


def test_epoch_order_is_a_permutation_that_changes_by_epoch(database):
    entries = database.objects("train")
    plain = epoch_order(entries, None, 0, None)
    assert len(plain) == sum(len(entry.view_names) for entry in entries)
    first, second = epoch_order(entries, 1, 0, 10**6), epoch_order(entries, 1, 1, 10**6)
    assert sorted(map(tuple, first)) == sorted(map(tuple, plain)) == sorted(map(tuple, second))
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, epoch_order(entries, 1, 0, 10**6))


def test_cat_limit_caps_each_category_and_draws_anew(database):
    entries = database.objects("train")
    orders = [epoch_order(entries, 1, epoch, 5) for epoch in range(4)]
    for order in orders:
        categories = [entries[i].category for i, _ in order]
        assert {name: categories.count(name) for name in categories} == {"box": 5, "crate": 5}
    assert len({tuple(pair) for order in orders for pair in order}) > 10


def test_voxel_points_are_half_occupied_half_empty():
    rng = np.random.default_rng(0)
    index = rng.integers(0, 64, (500, 3)).astype(np.uint8)
    colours = rng.integers(0, 256, (500, 3)).astype(np.uint8)
    points, target = voxel_points(index, colours, 200, rng)
    colour_of = {tuple(i): c for i, c in zip(index.astype(int) - 32, colours, strict=True)}
    assert points.shape == target.shape == (200, 3) and points.min() >= -32 and points.max() <= 31
    for n, (point, value) in enumerate(zip(points, target, strict=True)):
        inside = tuple(point.astype(int)) in colour_of
        assert inside == (n < 100) == (value[0] > -1)
        if not inside:
            assert (value == -1).all()
    full = np.argwhere(np.ones((64, 64, 64), bool))[:-3].astype(np.uint8)  # only three voxels are empty
    points, target = voxel_points(full, np.zeros_like(full), 8, rng)
    assert len(points) == 8 and (target[4:] == -1).all() and (points[4:, 0] == 31).all()
    points, target = voxel_points(full[:-3], np.zeros_like(full[:-3]), 400, rng)  # six
    assert len(np.unique(points[200:], axis=0)) == 6


def test_an_object_that_fills_the_volume_is_refused(database, monkeypatch):
    full = np.argwhere(np.ones((64, 64, 64), bool)).astype(np.uint8)
    monkeypatch.setattr(database, "voxels", lambda _: (full, np.zeros_like(full)))
    entry = database.objects("train")[0]
    with pytest.raises(UserError, match=f"{entry.object_id} fills the whole volume"):
        FieldSamples(database, tiny.config()).read(entry, 0, np.random.default_rng(0))


def test_binary_sample_lies_on_the_object_in_the_image(database):
    """Occupied points project onto opaque pixels: camera, frame and image belong together."""
    config, entry = tiny.config(alpha=True), database.objects("train")[0]
    sample = FieldSamples(database, config).read(entry, 1, np.random.default_rng(0))
    uv, _ = project(sample["points"].astype(float), sample["trans_mat"].astype(float))
    u, v = np.round(uv[sample["colour"][:, 0] > -1]).astype(int).T
    assert (sample["image"][v, u, 3] == 1).mean() > 0.99


def test_sdf_sample_is_in_the_model_frame(database):
    config, entry = tiny.config(binary=False), database.objects("train")[0]
    sample = FieldSamples(database, config).read(entry, 0, np.random.default_rng(0))
    record = database.record(entry)
    rows = {
        tuple(point): (d, c) for point, d, c in zip(2 * record.sdf_points, record.sdf, record.sdf_colours, strict=True)
    }
    for point, distance, colour, near in zip(
        *(sample[k] for k in ("points", "distance", "colour", "near")), strict=True
    ):
        d, c = rows[tuple(point)]
        assert np.isclose(distance, 2 * d, atol=1e-6) and np.allclose(colour, c / 255) and near == (abs(d) <= 1 / 64)
    np.testing.assert_allclose(
        sample["trans_mat"], frames.cube_frame(False).camera(database.trans_mat(entry, 0)), rtol=1e-6
    )


def test_network_image_composites_resizes_and_keeps_the_camera(database):
    entry = database.objects("train")[0]
    rgba = database.image(entry, 0)
    black, white = (network_image(rgba, tiny.config(backcolorwhite=white)) for white in (False, True))
    empty = rgba[..., 3] == 0
    assert (black[empty] == 0).all() and (white[empty] == 1).all()
    np.testing.assert_allclose(black[~empty], rgba[~empty][:, :3] / 255, atol=1e-6)
    config = tiny.config(img_h=60, img_w=80, alpha=True)
    larger = network_image(rgba, config)
    matrix = network_camera(database.trans_mat(entry, 0), rgba, config)
    centre, _ = project((database.voxels(entry)[0] + 0.5) / 64 - 0.5, matrix)
    u, v = np.round(centre).astype(int).T
    assert larger.shape == (60, 80, 4) and (larger[v, u, 3] > 0).mean() > 0.97


def test_augmentations_change_what_they_say_and_nothing_else(database):
    rgba = database.image(database.objects("train")[0], 0)
    empty = rgba[..., 3] == 0
    plain = network_image(rgba, tiny.config())
    fore = network_image(rgba, tiny.config(augcolorfore=True), np.random.default_rng(0))
    assert (fore[empty] == plain[empty]).all() and (fore[~empty] != plain[~empty]).any()
    assert np.abs(fore - plain).max() <= 30 / 255 + 1e-6
    back = network_image(rgba, tiny.config(augcolorback=True), np.random.default_rng(0))
    assert (back[empty] != plain[empty]).any() and np.allclose(back[~empty], plain[~empty])
    for overrides in ({"augcolorfore": True}, {"augcolorback": True}):  # never in evaluation
        np.testing.assert_array_equal(network_image(rgba, tiny.config(**overrides)), plain)


def opaque(database, monkeypatch, but=()):
    """Make the views of a database plain RGB, but for some of its objects."""
    read = database.image

    def image(entry, view):
        rgba = read(entry, view).copy()
        rgba[..., 3] = rgba[..., 3] if entry in but else 255
        return rgba

    monkeypatch.setattr(database, "image", image)


def test_views_without_masks_are_refused_where_masks_are_needed(database, monkeypatch):
    entries = database.objects("train")
    check_masks(database, entries, ["alpha"])
    opaque(database, monkeypatch, but=entries[-1:])
    check_masks(database, entries, ["alpha"])  # a part of a view or of the objects without background is fine
    monkeypatch.undo()
    opaque(database, monkeypatch)
    check_masks(database, entries, [])
    with pytest.raises(UserError, match="no transparent background: alpha, crop would do nothing right"):
        check_masks(database, entries, ["alpha", "crop"])

    def unreadable(entry, view):
        raise UserError("damaged")

    monkeypatch.setattr(database, "image", unreadable)
    check_masks(database, entries, ["alpha"])


def soft_image():
    """An image with pixels of every opacity, whose colours a shift by 30 does not clip."""
    rng = np.random.default_rng(1)
    alpha = np.concatenate([rng.integers(1, 255, 800), np.zeros(400), np.full(400, 255)]).reshape(40, 40, 1)
    return np.concatenate([rng.integers(31, 224, (40, 40, 3)), alpha], -1).astype(np.uint8)


def test_colour_switches_act_by_opacity_and_on_colours_alone():
    """In half-transparent pixels the object is shifted by alpha, the background by 1 - alpha."""
    rgba = soft_image()
    alpha = rgba[..., 3:] / 255
    plain = network_image(rgba, tiny.config())
    np.testing.assert_allclose(plain, rgba[..., :3] / 255 * alpha, atol=1e-6)
    np.testing.assert_allclose(
        network_image(rgba, tiny.config(backcolorwhite=True)) - plain, np.repeat(1 - alpha, 3, -1), atol=1e-6
    )
    shifts, backgrounds = [], []
    for seed in range(60):
        fore = network_image(rgba, tiny.config(augcolorfore=True), np.random.default_rng(seed)) - plain
        shifts.append(fore[-1, -1])  # an opaque pixel
        np.testing.assert_allclose(fore, alpha * shifts[-1], atol=1e-6)
        for white in (False, True):  # the random colour takes the place of the black or white one
            config = tiny.config(augcolorback=True, backcolorwhite=white)
            back = network_image(rgba, config, np.random.default_rng(seed)) - plain
            backgrounds.append(back[alpha[..., 0] == 0][0])
            np.testing.assert_allclose(back, (1 - alpha) * backgrounds[-1], atol=1e-6)
        both = network_image(
            rgba, tiny.config(augcolorfore=True, augcolorback=True, alpha=True), np.random.default_rng(seed)
        )
        assert (both[..., 3:] == alpha.astype(np.float32)).all()
        assert (both[..., :3] != plain).any(-1).all()
    shifts, backgrounds = np.array(shifts) * 255, np.array(backgrounds)
    assert np.abs(shifts).max() <= 30.01 and shifts.min(0).max() < -15 and shifts.max(0).min() > 15
    assert np.abs(np.diff(shifts, axis=1)).min(0).max() > 0  # every channel by its own
    assert (
        backgrounds.min() >= 0
        and backgrounds.max() <= 1
        and backgrounds.min(0).max() < 0.2
        and backgrounds.max(0).min() > 0.8
    )


def test_samples_are_augmented_in_training_alone(database):
    """The augmentation of a sample depends on its seed, epoch and pair."""
    entry = database.objects("train")[0]
    config = tiny.config(augcolorfore=True, augcolorback=True)
    plain = network_image(database.image(entry, 0), tiny.config())
    images = [FieldSamples(database, config).read(entry, 0, np.random.default_rng(seed))["image"] for seed in (0, 0, 1)]
    np.testing.assert_array_equal(images[0], images[1])
    assert (images[0] != images[2]).any(-1).all() and (images[0] != plain).any(-1).all()
    np.testing.assert_array_equal(
        FieldSamples(database, config).read(entry, 0, np.random.default_rng(0), augment=False)["image"], plain
    )


def read_all(database, first=0, share=(0, 1), seed=0):
    entries, config = database.objects("train"), tiny.config(seed=seed)
    order = epoch_order(entries, config.seed, 3, 10**6)
    dataset = batches(FieldSamples(database, config), entries, order, 3, True, first, share)
    return [{k: v.numpy() for k, v in batch.items()} for batch in dataset]


def test_batches_resume_and_share_without_changing_a_sample(database):
    whole = read_all(database)
    assert len(whole) == 24 // 4 and all(len(batch["pair"]) == 4 for batch in whole)
    for a, b in zip(whole, read_all(database), strict=True):
        np.testing.assert_array_equal(a["points"], b["points"])
    for a, b in zip(whole[2:], read_all(database, first=2), strict=True):
        np.testing.assert_array_equal(a["points"], b["points"])
        np.testing.assert_array_equal(a["image"], b["image"])
    parts = [read_all(database, share=(i, 2)) for i in range(2)]
    for n, batch in enumerate(whole):
        np.testing.assert_array_equal(batch["points"], np.concatenate([part[n]["points"] for part in parts]))
    assert not np.array_equal(whole[0]["points"], read_all(database, seed=1)[0]["points"])


def test_every_device_takes_the_whole_of_a_smaller_last_batch(database):
    """Whatever the number of devices, their mean is that of the samples."""
    entries, config = database.objects("train")[:2], tiny.config()
    order = epoch_order(entries, None, 0, None)
    assert len(order) == config.batch_size + 2
    samples, pairs = FieldSamples(database, config), order.tolist()
    alone = batches(samples, entries, order, 0, False)
    assert [batch["pair"].numpy().tolist() for batch in alone] == [pairs[:4], pairs[4:]]
    for worker in range(2):  # of two devices each
        shared = batches(samples, entries, order, 0, False, 0, (worker, 2), 1)
        own = pairs[2 * worker : 2 * worker + 2]
        assert [batch["pair"].numpy().tolist() for batch in shared] == [[own[0]], [own[1]], pairs[4:], pairs[4:]]


@pytest.mark.parametrize("crop", [0.0, 0.85])
def test_a_view_is_its_image_and_its_camera(database, crop):
    config, entry = tiny.config(crop=crop, augcolorback=True, img_h=30), database.objects("train")[0]
    rgba, trans_mat = database.image(entry, 0), database.trans_mat(entry, 0)
    image, camera = network_view(rgba, trans_mat, config, np.random.default_rng(0))
    np.testing.assert_array_equal(image, network_image(rgba, config, np.random.default_rng(0)))
    np.testing.assert_array_equal(camera, network_camera(trans_mat, rgba, config))


@pytest.mark.parametrize("count", [1, 2047, 2048, 4095, 4096, 16384])
def test_memory_of_cached_surface_points_is_bounded(count):
    class Surface:
        def surface(self, entry):
            return np.arange(3.0 * count).reshape(count, 3).astype(np.float32), np.zeros((count, 3), np.uint8)

    points = camera_samples.surface_points(Surface(), "object")
    assert min(count, 2048) <= len(points) < 4096
    assert points.flags.owndata  # not a view of the whole surface
    assert points.nbytes * camera_samples.surface_points.cache_info().maxsize <= 256 * 2**20
