"""Rotations about the vertical axis that turn an object into itself: no picture tells cameras apart that differ by one of them."""

import numpy as np
from scipy.spatial import cKDTree

from utils.geometry import frames

HIGHER = (
    4,
    6,
    8,
    10,
    12,
    24,
)  # orders of which half a turn is one; with an odd order the axis is not the middle of the object's box
CONTINUOUS = 24  # an order of this many stands for all angles
DISTANCE = 1.5 / frames.VOXELS  # object-frame length: 95 % of the turned points lie closer to the surface
COLOUR = 0.08  # mean difference of their colours, per channel in [0, 1]
POINTS = 1024  # that are turned


def rotation_about_y(angle):
    """(3, 3) rotation about +y, angle in degrees; azimuths grow by it."""
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def rotational_order(points, colours):
    """(S, 3) surface points in the object frame, (S, 3) uint8 -> the largest n for which a turn by 360/n degrees gives the same object.

    1: no symmetry; CONTINUOUS: a solid of revolution. Shape and colours both have to come back.
    """
    tree, colours = cKDTree(points), colours / 255
    some = slice(None, None, max(1, len(points) // POINTS))

    def comes_back(n):
        distance, nearest = tree.query(points[some] @ rotation_about_y(360 / n).T)
        same = np.abs(colours[nearest] - colours[some]).mean() < COLOUR
        return np.quantile(distance, 0.95) < DISTANCE and same

    return max([2, *(n for n in HIGHER if comes_back(n))]) if comes_back(2) else 1


def rotations(n):
    """(n, 3, 3) rotations of an order; of a solid of revolution one every 2 degrees."""
    count = 180 if n == CONTINUOUS else n
    return np.stack([rotation_about_y(360 * k / count) for k in range(count)])
