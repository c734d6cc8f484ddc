"""Views of a database beside the same views with the object's surface points drawn over them."""

import cv2
import numpy as np

from preprocessing.database.checks import in_mask
from utils.geometry.cameras import project

CELL = 180  # pixels of a picture
POINTS = 250  # drawn over a view
IN, OUT = (0, 200, 0), (255, 0, 0)  # RGB of points in the mask and beside it
TITLE = 18  # pixels of the line over a picture


def sheet(records, views=2):
    """Contact sheet (H, W, 3) uint8 RGB of some ObjectRecords: `views` views of each, left as it is, right with points.

    Points are green where they fall into the mask (up to a voxel), red beside it. Two objects a row.
    """
    strips = []
    for record in records:
        chosen = np.unique(np.linspace(0, len(record.view_names) - 1, views).round().astype(int))
        strips.append(np.concatenate([_pair(record, view) for view in chosen] + [_blank()] * (views - len(chosen)), 1))
    if len(strips) > 1 and len(strips) % 2:
        strips.append(np.full_like(strips[0], 255))
    return np.concatenate([np.concatenate(strips[i : i + 2], 1) for i in range(0, len(strips), 2)])


def _blank():
    return np.full((CELL + TITLE, 2 * CELL, 3), 255, np.uint8)


def _pair(record, view):
    """One view without and with points, under its name."""
    image, height = record.images[view], record.images.shape[1]
    alpha = image[..., 3:] / 255
    picture = np.rint(image[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)
    method = cv2.INTER_AREA if height > CELL else cv2.INTER_NEAREST
    picture = cv2.resize(picture, (CELL, CELL), interpolation=method)
    drawn = picture // 2 + 100  # paler, so that the points show
    inside, _ = in_mask(record, view)
    pixels = project(record.surface_points[: len(inside)].astype(np.float64), record.trans_mats[view])[0]
    scale = np.array([CELL / image.shape[1], CELL / height])
    for (u, v), good in list(zip((pixels + 0.5) * scale - 0.5, inside, strict=True))[:POINTS]:
        if abs(u) < 10 * CELL and abs(v) < 10 * CELL:
            cv2.circle(drawn, (round(u), round(v)), 1, IN if good else OUT, -1)
    title = np.full((TITLE, 2 * CELL, 3), 255, np.uint8)
    text = f"{record.category}/{record.object_id} {record.view_names[view]}".encode("ascii", "replace").decode()[-50:]
    cv2.putText(title, text, (3, TITLE - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
    return np.concatenate([title, np.concatenate([picture, drawn], 1)])
