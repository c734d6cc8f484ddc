"""Coloured points drawn into an image: a quick look at a field without extracting its surface."""

import numpy as np

from utils.geometry.cameras import project


def splat(
    points: np.ndarray, colours: np.ndarray, trans_mat: np.ndarray, height: int, width: int, radius: int
) -> np.ndarray:
    """Draw points before the camera as squares of 2 radius + 1 pixels; the nearest point wins.

    Args:
        points: (N, 3), object frame.
        colours: (N, 3) in [0, 1].
        trans_mat: (4, 3) camera, object frame to pixels.
        height: rows of the image.
        width: columns of the image.
        radius: pixels.

    Returns:
        (height, width, 3) float32 in [0, 1], white where no point is.
    """
    image = np.ones((height, width, 3), np.float32)
    pixels, depth = project(points, trans_mat)
    order = np.argsort(-depth)[: np.count_nonzero(depth > 0)]  # far to near: the last write stays
    columns, rows = np.round(pixels[order]).astype(int).T
    for dy in range(-radius, radius + 1):
        for dx in range(-radius, radius + 1):
            x, y = columns + dx, rows + dy
            seen = (x >= 0) & (x < width) & (y >= 0) & (y < height)
            image[y[seen], x[seen]] = colours[order][seen]
    return image
