"""The level of the surface at which what the field predicts covers the object in the picture.

One level for all objects leaves holes in those whose field is unsure. The mask tells where there is something: the level goes down until the
mesh is there too.
"""

import cv2
import numpy as np

from utils.geometry import frames
from utils.geometry.cameras import project, resize_camera

CELLS = 40  # along an axis, as many as FieldQuery keeps the terms of
SIZE = 36  # pixels of the square in which coverage is looked at: no cell is smaller than one of them
SHARE = 0.99  # of the mask that has to be covered; the rest is its rim, where a cell covers half a pixel


def iso_covering_mask(query, encoded, camera, mask, level):
    """FieldQuery, Encoded of an image, its (4, 3) object-frame camera, its mask (h, w) bool, the level for all objects -> the level nearest to
    that at which SHARE of the mask is covered. Binary: not above it and not below 0, where the classifier itself says occupied. SDF
    (object-frame length): not below it and at most one voxel above."""
    sign = 1 if query.config.binary else -1  # of what is larger inside
    depth = sign * query.geometry_of_grid(encoded, CELLS)
    small = resize_camera(camera, mask.shape, (SIZE, SIZE))
    u, v = np.rint(project(frames.voxel_centres(CELLS), small)[0]).astype(int).T
    inside = (u >= 0) & (u < SIZE) & (v >= 0) & (v < SIZE)
    deepest = np.full((SIZE, SIZE), depth.min(), np.float32)
    np.maximum.at(deepest, (v[inside], u[inside]), depth[inside])
    covered = (
        cv2.resize(mask.astype(np.float32), (SIZE, SIZE), interpolation=cv2.INTER_AREA) > 0.999
    )  # wholly in the mask
    if not covered.any():
        return level
    wanted = float(np.quantile(deepest[covered], 1 - SHARE))
    if query.config.binary:
        return min(level, max(wanted, 0.0)) if level > 0 else level
    return max(level, min(-wanted, level + 1 / frames.VOXELS))
