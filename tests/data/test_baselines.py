"""Mean shape and retrieval against direct computation."""

import cv2
import numpy as np
import pytest

from data import baselines
from data.network_input import network_image
from data.shards import Database
from tests.helpers import tiny
from utils.errors import UserError
from utils.metrics import voxel_metrics


def training(rng, count):
    """Objects that share a core of voxels and have some of their own: [(index, colours)]."""
    core = rng.choice(64**3, 300, replace=False)
    objects = []
    for _ in range(count):
        flat = np.union1d(rng.choice(core, 200, replace=False), rng.choice(64**3, 100))
        objects.append((np.stack(np.unravel_index(flat, (64,) * 3), 1), rng.random((len(flat), 3))))
    return objects


def test_share_and_colour_are_means_over_objects():
    objects = training(np.random.default_rng(0), 7)
    share, colour = baselines.accumulate(objects)
    place = tuple(np.argwhere(share > 0.5)[3])
    holders = [(index, colours, (index == place).all(1)) for index, colours in objects]
    assert share[place] == pytest.approx(np.mean([here.any() for _, _, here in holders]))
    np.testing.assert_allclose(
        colour[place], np.mean([colours[here][0] for _, colours, here in holders if here.any()], 0)
    )
    assert share.sum() == pytest.approx(sum(len(index) for index, _ in objects) / 7)


def test_a_share_is_reached_inclusively():
    """3 of 10 objects are a share of 0.3, which no float says exactly."""
    index = np.array([[1, 2, 3]])
    objects = [(index, np.ones((1, 3)))] * 3 + [(np.array([[60, 60, 60]]), np.zeros((1, 3)))] * 7
    voxels, colours = baselines.mean_shape(*baselines.accumulate(objects), 0.1 + 0.2)
    np.testing.assert_array_equal(voxels, [[-31, -30, -29], [28, 28, 28]])
    np.testing.assert_array_equal(colours, [[1, 1, 1], [0, 0, 0]])
    assert len(baselines.mean_shape(*baselines.accumulate(objects), 0.31)[0]) == 1


def test_chosen_share_has_the_best_iou():
    rng = np.random.default_rng(1)
    objects = training(rng, 20)
    share, colour = baselines.accumulate(objects[:12])
    validation = [index for index, _ in objects[12:]]
    q, score = baselines.choose_share(share, validation)
    scores = []
    for candidate in baselines.SHARES:
        voxels, _ = baselines.mean_shape(share, colour, candidate)
        scores.append(np.mean([voxel_metrics.iou(voxels, index - 32.0) for index in validation]))
    assert score == pytest.approx(max(scores))
    assert q == baselines.SHARES[np.argmax(scores)]
    assert score > scores[0]  # and the choice matters
    assert score > scores[-1]
    with pytest.raises(ValueError):
        baselines.choose_share(share, [])
    with pytest.raises(ValueError):
        baselines.accumulate([])


def test_identical_objects_are_their_own_mean_shape():
    index, colours = training(np.random.default_rng(2), 1)[0]
    share, colour = baselines.accumulate([(index, colours)] * 4)
    q, score = baselines.choose_share(share, [index])
    voxels, mean_colours = baselines.mean_shape(share, colour, q)
    assert score == 1
    assert voxel_metrics.iou(voxels, index - 32.0) == 1
    assert voxel_metrics.psnr(voxels, mean_colours, index - 32.0, colours) == voxel_metrics.PEAK_DB


def test_retrieval_is_the_minimum_over_other_objects():
    rng = np.random.default_rng(3)
    train, queries = rng.random((50, 300), np.float32), rng.random((9, 300), np.float32)
    owners = rng.permutation(np.repeat(np.arange(10), 5))
    own = np.array([-1, -1, -1, 0, 3, 3, 9, 5, -1])
    queries[3:5] = train[owners == 0][:2]  # a view of the object itself, and one of another object
    nearest, error = baselines.nearest_views(train, queries, owners, own)
    pairs = ((queries[:, None].astype(np.float64) - train[None]) ** 2).mean(-1)
    pairs[owners == own[:, None]] = np.inf
    np.testing.assert_array_equal(nearest, pairs.argmin(1))
    np.testing.assert_allclose(error, pairs.min(1), rtol=1e-4, atol=1e-7)
    assert error[3] > 0.01 and error[4] == pytest.approx(0, abs=1e-7)
    with pytest.raises(UserError, match="other than the one"):
        baselines.nearest_views(train[:5], queries[:1], np.zeros(5, int), np.array([0]))


@pytest.mark.parametrize("split", ["train", "test"])
def test_retrieval_never_answers_with_the_object_itself(split, tiny_database):
    database = Database(tiny_database)
    train, evaluated = database.objects("train"), database.objects(split)
    pairs = [(entry, view) for entry in evaluated for view in range(len(entry.view_names))]
    found = baselines.retrieval(database, train, pairs, tiny.config())
    assert all(answer in train and answer != entry for (entry, _), answer in zip(pairs, found, strict=True))


def test_a_mean_shape_without_an_object_is_that_of_the_others():
    objects = training(np.random.default_rng(4), 6)
    q = 0.4
    for number, (index, colours) in enumerate(objects):
        others = [pair for i, pair in enumerate(objects) if i != number]
        shape = baselines.MeanShape(*baselines.accumulate(objects), len(objects), q)
        expected = baselines.mean_shape(*baselines.accumulate(others), q)
        for got, wanted in zip(shape.without(index, colours), expected, strict=True):
            np.testing.assert_allclose(got, wanted, atol=1e-9)
    only = baselines.MeanShape(*baselines.accumulate(objects[:1]), 1, q)
    assert len(only.voxels()[0]) == len(objects[0][0])
    assert not len(only.without(*objects[0])[0])


@pytest.mark.parametrize("crop", [0.0, 0.85])
@pytest.mark.parametrize("white", [False, True])
def test_a_thumbnail_shows_what_the_network_sees(crop, white):
    """It agrees with the network's image, reduced, up to how colours are rounded."""
    config = tiny.config(crop=crop, backcolorwhite=white, img_h=96, img_w=96)
    rng = np.random.default_rng(5)
    rgba = np.zeros((120, 120, 4), np.uint8)
    rgba[40:100, 20:70] = cv2.resize(rng.integers(0, 256, (6, 5, 4), np.uint8), (50, 60))
    rgba[40:100, 20:70, 3] = 255
    size = baselines.THUMBNAIL
    small = baselines.thumbnail(rgba, config)
    wanted = cv2.resize(network_image(rgba, config)[..., :3], (size, size), interpolation=cv2.INTER_AREA)
    assert small.dtype == np.float32 and small.shape == (size * size * 3,)
    assert np.abs(small - wanted.ravel()).mean() < 0.01
    assert np.abs(small - wanted.ravel()).max() < 0.2  # at the outline
    corner = small.reshape(size, size, 3)[0, 0]
    np.testing.assert_allclose(corner, 1.0 if white else 0.0, atol=1e-6)
