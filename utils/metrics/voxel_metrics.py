"""IoU and PSNR between predicted and true surface voxels.

Voxels are (N, 3) unique points of the voxel frame with integer coordinates from -32 to 31.
Their colours are (N, 3) in [0, 1].
"""

import numpy as np
from scipy.spatial import cKDTree

from utils.geometry.frames import VOXELS

PEAK_DB = 100.0  # PSNR of colours that agree exactly (mean square error below 1e-10)


def true_voxels(index: np.ndarray, colours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Convert the voxels of a shard to the voxel frame.

    Args:
        index: (M, 3) uint8, 0..63.
        colours: (M, 3) uint8.

    Returns:
        Voxels (M, 3) int in the voxel frame and colours (M, 3) in [0, 1].
    """
    return index.astype(int) - VOXELS // 2, colours / 255


def iou(predicted: np.ndarray, true: np.ndarray) -> float:
    """IoU of (N, 3) predicted and (M, 3) true voxels: m / (M + N - m).

    m is the number of true voxels that have a predicted voxel closer than 1.
    """
    if len(true) == 0:
        raise ValueError("an object without true voxels has no IoU")
    if len(predicted) == 0:
        return 0.0
    distances, _ = _tree(predicted).query(true)
    matched = int((distances < 1).sum())
    return matched / (len(true) + len(predicted) - matched)


def psnr(predicted: np.ndarray, predicted_colours: np.ndarray, true: np.ndarray, true_colours: np.ndarray) -> float:
    """PSNR in dB of the true voxels' colours, each against the nearest predicted voxel's.

    Among predicted voxels at the same distance, the one with the least z, then y, then x counts.
    It is the first in the order of the txt file, which an argmin over all pairs would take.

    Args:
        predicted: (N, 3) voxels.
        predicted_colours: (N, 3).
        true: (M, 3) voxels.
        true_colours: (M, 3).

    Returns:
        At most PEAK_DB; 0 where nothing was predicted.
    """
    if len(true) == 0:
        raise ValueError("an object without true voxels has no PSNR")
    if len(predicted) == 0:
        return 0.0
    # Squared distances between integer points are integers: where they differ, they differ by at
    # least 1. A shift e of the query changes the squared distance to p by 2 e.p + constant. Over
    # the whole volume that is less than 1, and it orders ties by z, then y, then x.
    shift = 1e-3 * np.array([1 / VOXELS**2, 1 / VOXELS, 1])
    _, nearest = _tree(predicted).query(np.asarray(true, np.float64) - shift)
    error = np.asarray(predicted_colours, np.float64)[nearest] - true_colours
    return float(10 * np.log10(1 / max(np.mean(error**2), 10 ** (-PEAK_DB / 10))))


def psnr_im2avatar(
    predicted: np.ndarray, predicted_colours: np.ndarray, true: np.ndarray, true_colours: np.ndarray
) -> float:
    """PSNR in dB in Im2Avatar's direction: of the predicted voxels' colours.

    Each is compared with the nearest true voxel's.

    Among true voxels at the same distance, the one with the least x, then y, then z counts. It is
    the first in the order of Im2Avatar's volumes. Arguments and result are those of `psnr`.
    """
    if len(predicted) == 0:
        return 0.0
    # psnr with its two sides exchanged. Reversing the axes reverses the order that decides ties.
    return psnr(np.asarray(true)[:, ::-1], true_colours, np.asarray(predicted)[:, ::-1], predicted_colours)


def ycbcr(colours: np.ndarray) -> np.ndarray:
    """RGB (N, 3) in [0, 1] -> full-range Y Cb Cr (N, 3) in [0, 1].

    It is the conversion of JPEG (ITU-T T.871), which Im2Avatar uses.
    """
    matrix = [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]]
    return np.asarray(colours, np.float64) @ np.array(matrix).T + [0, 128 / 255, 128 / 255]


def _tree(voxels: np.ndarray) -> cKDTree:
    """KD-tree of voxels; ValueError for fractional coordinates, which break IoU and ties."""
    voxels = np.asarray(voxels, np.float64)
    if abs(voxels - np.rint(voxels)).max() > 1e-3:
        raise ValueError("predicted points are not voxels of the 64^3 volume: use snap_to_voxels first")
    return cKDTree(np.rint(voxels))
