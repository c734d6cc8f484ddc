"""IoU and PSNR against all-pairs arithmetic and known answers."""

import cv2
import numpy as np
import pytest

from utils.metrics import voxel_metrics


def voxels(rng, count, span=8):
    """Unique random voxels in a corner of the volume, ordered as in the txt file, and colours.

    x changes fastest.
    """
    cells = rng.choice(span**3, count, replace=False)
    z, y, x = np.unravel_index(np.sort(cells), (span,) * 3)
    return np.stack([x, y, z], 1) - 32.0, rng.random((count, 3))


def all_pairs(a, b):
    return ((a[:, None] - b[None]) ** 2).sum(-1)


@pytest.mark.parametrize("seed", range(5))
def test_iou_is_the_all_pairs_definition(seed):
    rng = np.random.default_rng(seed)
    predicted, true = voxels(rng, 120)[0], voxels(rng, 200)[0]
    matched = (all_pairs(true, predicted).min(1) < 1).sum()
    value = voxel_metrics.iou(predicted, true)
    assert value == pytest.approx(matched / (len(true) + len(predicted) - matched))
    sets = [set(map(tuple, points)) for points in (predicted, true)]
    assert value == pytest.approx(len(sets[0] & sets[1]) / len(sets[0] | sets[1]))
    assert value == voxel_metrics.iou(true, predicted)
    assert value == voxel_metrics.iou(rng.permutation(predicted), true)


def test_iou_known_answers():
    a = voxels(np.random.default_rng(0), 50)[0]
    assert voxel_metrics.iou(a, a) == 1
    assert voxel_metrics.iou(a + 1e-5, a) == 1  # rounding of coordinates does not matter
    assert voxel_metrics.iou(a + [20, 0, 0], a) == 0
    assert voxel_metrics.iou(np.zeros((1, 3)), np.array([[1.0, 0, 0]])) == 0  # closer than 1 voxel, strictly
    assert voxel_metrics.iou(a[:20], a) == pytest.approx(20 / 50)
    assert voxel_metrics.iou(np.zeros((0, 3)), a) == 0
    with pytest.raises(ValueError, match="snap"):
        voxel_metrics.iou(a + 0.5, a)  # one point could match eight voxels: an IoU above 1
    with pytest.raises(ValueError):
        voxel_metrics.iou(a, a[:0])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("count", [1, 30, 300])
def test_psnr_is_the_all_pairs_argmin(seed, count):
    """With ties, for most voxels have several nearest ones: argmin takes the first of the file."""
    rng = np.random.default_rng(seed)
    (predicted, colours), (true, true_colours) = voxels(rng, count, 16), voxels(rng, 400)
    nearest = all_pairs(true, predicted).argmin(1)
    expected = 10 * np.log10(1 / np.mean((colours[nearest] - true_colours) ** 2))
    assert voxel_metrics.psnr(predicted, colours, true, true_colours) == pytest.approx(expected, rel=1e-12)
    order = rng.permutation(count)
    assert voxel_metrics.psnr(predicted[order], colours[order], true, true_colours) == pytest.approx(
        expected, rel=1e-12
    )


def test_psnr_over_the_whole_volume():
    """Voxels in opposite corners, where the tie-break is weakest against the distances."""
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(*[[-32.0, -31, 30, 31]] * 3, indexing="ij"), -1).reshape(-1, 3)
    grid = grid[np.lexsort(grid.T)]  # z slowest
    chosen = np.sort(rng.choice(len(grid), 20, replace=False))
    predicted, colours, true_colours = grid[chosen], rng.random((20, 3)), rng.random((64, 3))
    nearest = all_pairs(grid, predicted).argmin(1)
    expected = 10 * np.log10(1 / np.mean((colours[nearest] - true_colours) ** 2))
    assert voxel_metrics.psnr(predicted, colours, grid, true_colours) == pytest.approx(expected, rel=1e-12)


def test_psnr_known_answers():
    a, colours = voxels(np.random.default_rng(0), 50)
    assert voxel_metrics.psnr(a, colours, a, colours) == voxel_metrics.PEAK_DB
    assert voxel_metrics.psnr(a, np.full((50, 3), 0.6), a, np.full((50, 3), 0.5)) == pytest.approx(20)
    assert voxel_metrics.psnr(a, np.zeros((50, 3)), a, np.ones((50, 3))) == pytest.approx(0)
    assert voxel_metrics.psnr(np.zeros((0, 3)), np.zeros((0, 3)), a, colours) == 0
    # from the truth to the prediction: voxels predicted elsewhere do not count
    more, more_colours = np.concatenate([a, [[20.0, 20, 20]]]), np.concatenate([colours, [[1, 0, 1]]])
    assert voxel_metrics.psnr(more, more_colours, a, colours) == voxel_metrics.PEAK_DB
    assert voxel_metrics.psnr(a, colours, more, more_colours) < 30


def test_im2avatars_psnr_is_the_all_pairs_argmin_from_the_prediction():
    """Its loop: every predicted voxel against the nearest true one.

    argmin goes over true voxels in C order, x slowest.
    """
    rng = np.random.default_rng(3)
    (predicted, colours), (true, true_colours) = voxels(rng, 300, 16), voxels(rng, 60, 16)
    order = np.lexsort(true[:, ::-1].T)
    nearest = all_pairs(predicted, true[order]).argmin(1)
    expected = 20 * np.log10(255) - 10 * np.log10((255**2 * (colours - true_colours[order][nearest]) ** 2).mean())
    assert voxel_metrics.psnr_im2avatar(predicted, colours, true, true_colours) == pytest.approx(expected, rel=1e-12)
    assert voxel_metrics.psnr(predicted, colours, true, true_colours) != pytest.approx(expected, rel=1e-3)
    assert voxel_metrics.psnr_im2avatar(np.zeros((0, 3)), np.zeros((0, 3)), true, true_colours) == 0
    # the reverse of psnr: true voxels elsewhere do not count, predicted voxels elsewhere do
    part, part_colours = true[:10], true_colours[:10]
    assert voxel_metrics.psnr_im2avatar(part, part_colours, true, true_colours) == voxel_metrics.PEAK_DB
    assert voxel_metrics.psnr_im2avatar(true, true_colours, part, part_colours) < 30


def test_ycbcr():
    rgb = np.array([[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 0, 255]])
    by_hand = [[0, 128, 128], [255, 128, 128], [76.245, 84.972, 255.5], [29.07, 255.5, 107.265]]
    np.testing.assert_allclose(255 * voxel_metrics.ycbcr(rgb / 255), by_hand, atol=1e-2)
    rgb = np.random.default_rng(0).integers(0, 256, (1, 500, 3), np.uint8)
    ours = 255 * voxel_metrics.ycbcr(rgb[0] / 255)
    theirs = cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb)[0][:, [0, 2, 1]]  # rounds, and clips at 255
    np.testing.assert_allclose(ours.clip(0, 255), theirs, atol=1.01)


def test_psnr_in_ycbcr_by_hand():
    """A grey that is off by 0.1 is off by 0.1 in Y alone: a third of the mean square error."""
    a = voxels(np.random.default_rng(0), 50)[0]
    grey, off = np.full((50, 3), 0.5), np.full((50, 3), 0.6)
    assert voxel_metrics.psnr(a, voxel_metrics.ycbcr(off), a, voxel_metrics.ycbcr(grey)) == pytest.approx(
        20 + 10 * np.log10(3)
    )
