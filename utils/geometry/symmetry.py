"""Rotations about the vertical axis that map an object onto itself.

No image can distinguish cameras that differ by one of them.
"""

import numpy as np
from scipy.spatial import cKDTree

from utils.geometry import frames

# orders that include half a turn; with an odd order the axis is not the middle of the object's box
EVEN_ORDERS = (4, 6, 8, 10, 12, 24)
CONTINUOUS = 24  # this order stands for all angles: a solid of revolution
DISTANCE = 1.5 / frames.VOXELS  # object-frame length; 95 % of the turned points are closer to the surface
COLOUR = 0.08  # largest mean difference of their colours, per channel in [0, 1]
POINTS = 1024  # number of points that are turned
# Moves the coordinates away from 0. Where many of them are 0, the tree splits at the next number,
# 5e-324, which TensorFlow's threads take for 0: its construction would never end.
SHIFT = 1.0


def rotation_about_y(angle: float) -> np.ndarray:
    """(3, 3) rotation about +y by an angle in degrees, which adds to azimuths."""
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def rotational_order(points: np.ndarray, colours: np.ndarray) -> int:
    """The largest n for which a turn by 360/n degrees keeps both shape and colours of an object.

    Args:
        points: (S, 3) surface points, object frame.
        colours: (S, 3) uint8, their colours.

    Returns:
        1 without symmetry; CONTINUOUS for a solid of revolution.
    """
    tree, colours = cKDTree(points + SHIFT), colours / 255
    sample = slice(None, None, max(1, len(points) // POINTS))

    def is_symmetric(order: int) -> bool:
        distance, nearest = tree.query(points[sample] @ rotation_about_y(360 / order).T + SHIFT)
        same_colours = np.abs(colours[nearest] - colours[sample]).mean() < COLOUR
        return bool(np.quantile(distance, 0.95) < DISTANCE and same_colours)

    return max([2, *(order for order in EVEN_ORDERS if is_symmetric(order))]) if is_symmetric(2) else 1


def rotations(order: int) -> np.ndarray:
    """(R, 3, 3) the rotations of an order; one every 2 degrees for CONTINUOUS."""
    count = 180 if order == CONTINUOUS else order
    return np.stack([rotation_about_y(360 * k / count) for k in range(count)])
