"""Mean shape and retrieval against direct computation."""

import numpy as np
import pytest

from data import baselines
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


def test_retrieval_is_the_all_pairs_minimum():
    rng = np.random.default_rng(3)
    train, queries = (np.stack([baselines.thumbnail(rng.random((40, 40, 3))) for _ in range(n)]) for n in (50, 9))
    nearest, error = baselines.nearest_views(train, queries)
    pairs = ((queries[:, None].astype(np.float64) - train[None]) ** 2).mean(-1)
    np.testing.assert_array_equal(nearest, pairs.argmin(1))
    np.testing.assert_allclose(error, pairs.min(1), rtol=1e-4)
    own, none = baselines.nearest_views(train, train + np.float32(1e-4))
    np.testing.assert_array_equal(own, np.arange(50))
    assert none.max() < 1e-6


def test_thumbnail_keeps_mean_and_place():
    image = np.zeros((96, 144, 3))
    image[:48, 72:, 0] = 1
    small = baselines.thumbnail(image).reshape(baselines.THUMBNAIL, baselines.THUMBNAIL, 3)
    half = baselines.THUMBNAIL // 2
    np.testing.assert_allclose(small[:half, half:, 0], 1)
    assert small.mean() == pytest.approx(image.mean(), rel=1e-5)
    assert baselines.thumbnail(image[:10, :10]).shape == (baselines.THUMBNAIL**2 * 3,)  # enlarged too
