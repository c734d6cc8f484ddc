"""Coloured points drawn into an image: a quick look at a field without extracting its surface."""

import numpy as np

from utils.geometry.cameras import project


def splat(points, colours, trans_mat, height, width, radius):
    """(N, 3) object-frame points, (N, 3) colours in [0, 1] -> (height, width, 3), white where there is none.

    Each point is a square of 2 radius + 1 pixels; the nearest point wins.
    """
    image = np.ones((height, width, 3), np.float32)
    pixels, depth = project(points, trans_mat)
    order = np.argsort(-depth)  # far to near: the last write stays
    columns, rows = np.round(pixels[order]).astype(int).T
    for dy in range(-radius, radius + 1):
        for dx in range(-radius, radius + 1):
            x, y = columns + dx, rows + dy
            seen = (x >= 0) & (x < width) & (y >= 0) & (y < height)
            image[y[seen], x[seen]] = colours[order][seen]
    return image
