"""The iso value at which the predicted surface covers the object in the image.

One iso value for all objects leaves holes in those whose field is unsure. The mask tells where the
object is: the value is relaxed until the mesh is there too.
"""

import cv2
import numpy as np
from scipy.ndimage import map_coordinates

from models.inference.field_query import Encoded, FieldQuery
from utils.geometry import frames
from utils.geometry.cameras import project, resize_camera
from utils.surface.adaptive import COARSEST

CELLS = 40  # along an axis
SIZE = 36  # pixels of the square in which coverage is measured: no cell is smaller than a pixel
SHARE = 0.99  # of the mask that has to be covered; the rest is its rim, where a cell covers half a pixel
TOGETHER = 32  # pixels whose cells are queried at a time


def covering_bound(binary: bool, iso: float) -> float:
    """The last value that iso_covering_mask takes, starting from `iso`."""
    return min(iso, 0.0) if binary else iso + 1 / frames.VOXELS


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
    object_pixels = cv2.resize(mask.astype(np.float32), (SIZE, SIZE), interpolation=cv2.INTER_AREA) > 0.999
    if not object_pixels.any():
        return iso
    covering = _covering(query, encoded, resize_camera(camera, mask.shape, (SIZE, SIZE)), object_pixels, iso)
    bound = covering_bound(query.config.binary, iso)
    return min(iso, max(covering, bound)) if query.config.binary else max(iso, min(covering, bound))


def _covering(query: FieldQuery, encoded: Encoded, camera: np.ndarray, object_pixels: np.ndarray, iso: float) -> float:
    """The value at which SHARE of the pixels is covered; `iso` or one beyond it if `iso` does.

    A pixel is as deep as the deepest of the cells in it. Only the shallowest pixels matter. So in
    every pixel the cell that seems to be the deepest is queried first, a lower bound of its depth;
    then all cells of the pixels that seem to be the shallowest, until these are known.

    Args:
        query, encoded, iso: as of iso_covering_mask.
        camera: (4, 3) object frame to pixels of the square.
        object_pixels: (SIZE, SIZE) bool.
    """
    sign = 1 if query.config.binary else -1  # the sign of what is larger inside
    points = frames.voxel_centres(CELLS)
    u, v = np.rint(project(points, camera)[0]).astype(int).T
    seen = np.flatnonzero((u >= 0) & (u < SIZE) & (v >= 0) & (v < SIZE))
    seen = seen[object_pixels[v[seen], u[seen]]]
    points, pixel = points[seen], (np.cumsum(object_pixels) - 1)[v[seen] * SIZE + u[seen]]

    coarse = query.geometry_of_grid(encoded, COARSEST).reshape((COARSEST,) * 3)  # the surface begins with it too
    index = ((points[:, ::-1] + 0.5) * COARSEST - 0.5).T
    guess = sign * map_coordinates(coarse, index, order=1, mode="nearest")
    order = np.lexsort((-guess, pixel))
    first = order[np.unique(pixel[order], return_index=True)[1]]

    deepest = np.full(np.count_nonzero(object_pixels), (sign * coarse).min(), np.float32)
    deepest[pixel[first]] = sign * query.geometry(encoded, points[first])
    complete = ~np.isin(np.arange(len(deepest)), pixel)
    decisive = int((1 - SHARE) * (len(deepest) - 1)) + 2  # the quantile lies between the last two of these
    while True:
        shallow = np.argsort(deepest, kind="stable")
        lowest = shallow[:decisive]
        reached = float(np.quantile(deepest, 1 - SHARE))  # at least, while cells are left
        if complete[lowest].all() or reached >= sign * iso:
            return sign * reached
        chosen = shallow[~complete[shallow]][:TOGETHER]
        cells = np.flatnonzero(np.isin(pixel, chosen))
        np.maximum.at(deepest, pixel[cells], sign * query.geometry(encoded, points[cells]))
        complete[chosen] = True
