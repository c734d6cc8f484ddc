"""The square of an image that a network sees, with the object in its middle.

Training, evaluation and reconstruction crop with the same function, so that a photograph looks
like the training views to the network.
"""

import dataclasses
import math

import numpy as np

from utils.images.mask_parts import OBJECT


@dataclasses.dataclass(frozen=True)
class Square:
    """A square of an image, in pixels; it may reach beyond the image.

    Attributes:
        left: its first column.
        top: its first row.
        side: the number of its columns and rows.
    """

    left: int
    top: int
    side: int

    def cut(self, rgba: np.ndarray) -> np.ndarray:
        """Crop (H, W, 4) to (side, side, 4); pixels beyond the image are transparent."""
        height, width = rgba.shape[:2]
        result = np.zeros((self.side, self.side, 4), rgba.dtype)
        top, bottom = max(self.top, 0), min(self.top + self.side, height)
        left, right = max(self.left, 0), min(self.left + self.side, width)
        rows, columns = slice(top - self.top, bottom - self.top), slice(left - self.left, right - self.left)
        result[rows, columns] = rgba[top:bottom, left:right]
        return result

    def camera(self, trans_mat: np.ndarray) -> np.ndarray:
        """(4, 3) camera of the image -> that of the square: pixels move by (-left, -top)."""
        return np.asarray(trans_mat) @ np.array([[1, 0, 0], [0, 1, 0], [-self.left, -self.top, 1]])

    def source_camera(self, trans_mat: np.ndarray) -> np.ndarray:
        """(4, 3) camera of the square -> that of the image; the inverse of camera()."""
        return np.asarray(trans_mat) @ np.array([[1, 0, 0], [0, 1, 0], [self.left, self.top, 1]])


def object_square(alpha: np.ndarray, share: float) -> Square:
    """The square around an object.

    Args:
        alpha: (H, W) uint8 mask of the object. Without an object, the square encloses the image
            and has the same middle.
        share: in (0, 1], the share of the square's side that the longer side of the object's
            bounding box takes.

    Returns:
        The Square, whose middle is that of the bounding box.
    """
    height, width = alpha.shape
    # faint stray pixels do not move the box
    rows, columns = (np.flatnonzero((alpha >= OBJECT).any(axis)) for axis in (1, 0))
    if not len(rows):
        side = max(height, width)
        return Square((width - side) // 2, (height - side) // 2, side)
    low, high = np.array([columns[0], rows[0]]), np.array([columns[-1], rows[-1]]) + 1
    side = math.ceil((high - low).max() / share)
    left, top = ((low + high - side) // 2).tolist()
    return Square(left, top, side)
