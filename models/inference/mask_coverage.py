"""The iso value at which the predicted surface covers the object in the image.

One iso value for all objects leaves holes in those whose field is unsure. The mask tells where the
object is: the value is relaxed until the mesh is there too.
"""

import cv2
import numpy as np

from models.inference.field_query import Encoded, FieldQuery
from utils.geometry import frames
from utils.geometry.cameras import project, resize_camera

CELLS = 40  # along an axis, as many as FieldQuery keeps the terms of
SIZE = 36  # pixels of the square in which coverage is measured: no cell is smaller than a pixel
SHARE = 0.99  # of the mask that has to be covered; the rest is its rim, where a cell covers half a pixel


def iso_covering_mask(query: FieldQuery, encoded: Encoded, camera: np.ndarray, mask: np.ndarray, iso: float) -> float:
    """The value nearest to `iso` at which SHARE of the mask is covered.

    Args:
        query, encoded: the network and the image.
        camera: (4, 3) object-frame camera of the image.
        mask: (h, w) bool.
        iso: the value for all objects.

    Returns:
        Binary: not above `iso`, and not below 0, where the classifier itself says occupied. SDF
        (object-frame length): not below `iso`, and at most one voxel above it.
    """
    sign = 1 if query.config.binary else -1  # the sign of what is larger inside
    depth = sign * query.geometry_of_grid(encoded, CELLS)
    small = resize_camera(camera, mask.shape, (SIZE, SIZE))
    u, v = np.rint(project(frames.voxel_centres(CELLS), small)[0]).astype(int).T
    inside = (u >= 0) & (u < SIZE) & (v >= 0) & (v < SIZE)
    deepest = np.full((SIZE, SIZE), depth.min(), np.float32)
    np.maximum.at(deepest, (v[inside], u[inside]), depth[inside])
    object_pixels = cv2.resize(mask.astype(np.float32), (SIZE, SIZE), interpolation=cv2.INTER_AREA) > 0.999
    if not object_pixels.any():
        return iso
    covering = float(np.quantile(deepest[object_pixels], 1 - SHARE))
    if query.config.binary:
        return min(iso, max(covering, 0.0)) if iso > 0 else iso
    return max(iso, min(-covering, iso + 1 / frames.VOXELS))
