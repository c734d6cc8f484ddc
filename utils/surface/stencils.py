"""Differences and interpolation over the 3^3 cells around each cell of a grid."""

import numpy as np


def largest_sum(differences: np.ndarray, around: np.ndarray) -> np.ndarray:
    """The largest absolute difference along each axis, summed over the three axes.

    Args:
        differences: (3 x rows, 27) weights of the differences, axis by axis.
        around: (27, M) values of 3^3 cells.

    Returns:
        (M,).
    """
    result = np.empty(around.shape[1], np.float32)
    for first in range(0, len(result), 1 << 15):  # stays in cache
        part = slice(first, first + (1 << 15))
        result[part] = abs(differences @ around[:, part]).reshape(3, len(differences) // 3, -1).max(1).sum(0)
    return result


def _along_axes(line_weights: list[list[int]]) -> np.ndarray:
    """Weights of three cells in a line -> those of 3^3 cells, for all nine lines along each axis.

    Args:
        line_weights: rows of three weights.

    Returns:
        (3 x 9 x rows, 27) float32, axis by axis.
    """
    rows = []
    for axis in range(3):
        for place in np.ndindex(3, 3):
            for weights in np.array(line_weights, np.float32):
                row = np.zeros((3, 3, 3), np.float32)
                index: list[int | slice] = [*place]
                index.insert(axis, slice(None))
                row[tuple(index)] = weights
                rows.append(row.ravel())
    return np.stack(rows)


AROUND = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), -1).reshape(-1, 3)  # 3^3 cells
CORNERS = np.stack(np.meshgrid(*[[0, 1]] * 3, indexing="ij"), -1).reshape(-1, 3)  # of a cube
DIFFERENCES = _along_axes([[-1, 1, 0], [0, -1, 1]])
SECOND_DIFFERENCES = _along_axes([[1, -2, 1]])
# trilinear interpolation at the centres of the eight finer cells, 1/4 of a cell from the middle
_QUARTER = np.array([[0.25, 0.75, 0], [0, 0.75, 0.25]], np.float32)
INTERPOLATION = np.stack([np.einsum("i,j,k->ijk", *_QUARTER[corner]).ravel() for corner in CORNERS])
