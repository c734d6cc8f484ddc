"""IoU and PSNR between predicted and true surface voxels.

Voxels here are (N, 3) unique points of the voxel frame with integer coordinates -32..31, colours (N, 3) in [0, 1].
"""

import numpy as np

from utils.geometry.frames import VOXELS

PEAK_DB = 100.0  # PSNR of colours that agree exactly (a mean square error below 1e-10)


def true_voxels(index, colours):
    """What a shard holds, (M, 3) uint8 0..63 and (M, 3) uint8 -> voxels (M, 3) int, voxel frame, colours (M, 3) in [0, 1]."""
    return index.astype(int) - VOXELS // 2, colours / 255


def iou(predicted, true):
    """IoU of (N, 3) predicted and (M, 3) true voxels: m / (M + N - m), m = true voxels with a prediction closer than 1."""
    if len(true) == 0:
        raise ValueError("an object without true voxels has no IoU")
    if len(predicted) == 0:
        return 0.0
    distances, _ = _tree(predicted).query(true)
    matched = int((distances < 1).sum())
    return matched / (len(true) + len(predicted) - matched)


def psnr(predicted, predicted_colours, true, true_colours):
    """PSNR in dB of the true voxels' colours, each against the nearest predicted voxel's; 0 without a prediction.

    Among predicted voxels at the same distance the one of least z, then y, then x counts: the first in the order of the
    txt file, which an all-pairs argmin over its rows would take.
    """
    if len(true) == 0:
        raise ValueError("an object without true voxels has no PSNR")
    if len(predicted) == 0:
        return 0.0
    # Squared distances of integer points are integers, at least 1 apart where they differ. A shift e of the query changes
    # a squared distance to p by 2 e.p + constant, less than that over the whole volume, and in the order z, y, x.
    shift = 1e-3 * np.array([1 / VOXELS**2, 1 / VOXELS, 1])
    _, nearest = _tree(predicted).query(np.asarray(true, np.float64) - shift)
    error = np.asarray(predicted_colours, np.float64)[nearest] - true_colours
    return float(10 * np.log10(1 / max(np.mean(error**2), 10 ** (-PEAK_DB / 10))))


def psnr_im2avatar(predicted, predicted_colours, true, true_colours):
    """PSNR in dB in Im2Avatar's direction: of the predicted voxels' colours, each against the nearest true voxel's.

    Of true voxels at the same distance the one of least x, then y, then z counts: the first in the order of its volumes.
    """
    if len(predicted) == 0:
        return 0.0
    # psnr with its two sides exchanged; reversed axes exchange the order in which ties are decided
    return psnr(np.asarray(true)[:, ::-1], true_colours, np.asarray(predicted)[:, ::-1], predicted_colours)


def ycbcr(colours):
    """RGB (N, 3) in [0, 1] -> full-range Y Cb Cr (N, 3) in [0, 1], the one of JPEG (ITU-T T.871) that Im2Avatar uses."""
    matrix = [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]]
    return np.asarray(colours, np.float64) @ np.array(matrix).T + [0, 128 / 255, 128 / 255]


def _tree(voxels):
    """KD-tree of voxels; ValueError where they are not whole voxels, for which IoU and ties would mean nothing."""
    from scipy.spatial import cKDTree

    voxels = np.asarray(voxels, np.float64)
    if abs(voxels - np.rint(voxels)).max() > 1e-3:
        raise ValueError("predicted points are no voxels of the 64^3 volume: use snap_to_voxels first")
    return cKDTree(np.rint(voxels))
