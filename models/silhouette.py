"""Moving an estimated camera so that what the field predicts with it covers the object in the picture."""

import cv2
import numpy as np

from utils import frames

CELLS = 32  # along an axis: the field's silhouette to a thirtieth of the object
SIZE = 96  # pixels of the square in which silhouettes are compared
ROUNDS = 4
MOST = 1.3  # factor of the scale in one round: a field cut off by a wrong camera must not blow it up


def silhouette(query, encoded, camera, iso):
    """FieldQuery, an Encoded of a (4, 3) camera whose image has the size of the configuration -> occupied points (N, 3) object frame,
    their pixels (N, 2)."""
    points = frames.voxel_centres(CELLS)
    points = points[query.occupied(query.geometry_of_grid(encoded, CELLS), iso)]
    return points, frames.project(points, camera)[0]


def overlap(pixels, mask, cell):
    """Pixels (N, 2) of occupied points, (h, w) bool mask, side of a cell in pixels -> IoU of what the points cover and the mask."""
    height, width = mask.shape
    covered = np.zeros(mask.shape, np.uint8)
    u, v = np.rint(pixels).astype(int).T
    inside = (u >= 0) & (u < width) & (v >= 0) & (v < height)
    covered[v[inside], u[inside]] = 1
    side = max(1, round(cell)) | 1  # odd: the element has a middle
    covered = cv2.morphologyEx(covered, cv2.MORPH_CLOSE, np.ones((side + 2, side + 2), np.uint8)) > 0
    return (covered & mask).sum() / max((covered | mask).sum(), 1)


def aligned(query, encode, camera, mask, iso):
    """The camera, moved and scaled in the image until the box of the predicted silhouette is that of the mask.

    encode: (4, 3) camera -> Encoded of the image; mask (img_h, img_w) bool. -> camera, overlap of the silhouettes. The best of
    ROUNDS is taken, the first being the camera as it came: where the field is empty or nothing improves it stays that.
    """
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    box = np.array([[columns[0], rows[0]], [columns[-1], rows[-1]]], float)
    best, best_overlap = camera, -1.0
    for _ in range(ROUNDS):
        points, pixels = silhouette(query, encode(camera), camera, iso)
        if not len(points):
            break
        found, cell = np.array([pixels.min(0), pixels.max(0)]), _cell(points, camera)
        score = overlap(pixels, mask, cell)
        if score > best_overlap:
            best, best_overlap = camera, score
        found += [[-cell / 2], [cell / 2]]
        scale = np.clip(np.ptp(box, 0).max() / max(np.ptp(found, 0).max(), 1.0), 1 / MOST, MOST)
        shift = box.mean(0) - scale * found.mean(0)
        camera = camera @ np.array([[scale, 0, 0], [0, scale, 0], [*shift, 1]])
    return best, best_overlap


def _cell(points, camera):
    """Pixels that a cell takes in the middle of the points."""
    middle = points.mean(0, keepdims=True)
    axes = np.linalg.norm(frames.project(middle + np.eye(3) / CELLS, camera)[0] - frames.project(middle, camera)[0], axis=1)
    return float(axes.max())
