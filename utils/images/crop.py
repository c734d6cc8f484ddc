"""The square of a picture that a network sees: the object in its middle, whatever the photograph around it.

Training, evaluation and reconstruction cut with the same function, so that a photograph arrives as the training views did.
"""

import dataclasses
import math

import numpy as np

OBJECT = 128  # alpha from which a pixel belongs to the object's box: stray faint pixels do not move it


@dataclasses.dataclass(frozen=True)
class Square:
    """Columns left .. left + side - 1 and rows top .. top + side - 1 of a picture; it may reach beyond the picture."""

    left: int
    top: int
    side: int

    def cut(self, rgba):
        """(H, W, 4) -> (side, side, 4); beyond the picture all is transparent."""
        height, width = rgba.shape[:2]
        result = np.zeros((self.side, self.side, 4), rgba.dtype)
        rows = slice(max(self.top, 0), min(self.top + self.side, height))
        columns = slice(max(self.left, 0), min(self.left + self.side, width))
        result[rows.start - self.top : rows.stop - self.top, columns.start - self.left : columns.stop - self.left] = (
            rgba[rows, columns]
        )
        return result

    def camera(self, trans_mat):
        """(4, 3) camera of the picture -> that of the square: its pixels are moved by (-left, -top)."""
        return np.asarray(trans_mat) @ np.array([[1, 0, 0], [0, 1, 0], [-self.left, -self.top, 1]])

    def source_camera(self, trans_mat):
        """(4, 3) camera of the square -> that of the picture; the inverse of camera()."""
        return np.asarray(trans_mat) @ np.array([[1, 0, 0], [0, 1, 0], [self.left, self.top, 1]])


def object_square(alpha, share):
    """(H, W) uint8 mask -> the Square whose middle is that of the object's box and of whose side the longer side of the box takes `share`.

    share in (0, 1]. A picture without any object keeps its middle: the square around all of it.
    """
    height, width = alpha.shape
    rows, columns = (np.flatnonzero((alpha >= OBJECT).any(axis)) for axis in (1, 0))
    if not len(rows):
        side = max(height, width)
        return Square((width - side) // 2, (height - side) // 2, side)
    low, high = np.array([columns[0], rows[0]]), np.array([columns[-1], rows[-1]]) + 1
    side = math.ceil((high - low).max() / share)
    left, top = ((low + high - side) // 2).tolist()
    return Square(left, top, side)
