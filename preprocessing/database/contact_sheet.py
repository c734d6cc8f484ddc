"""The contact sheet of a database: views, and beside them the same with surface points."""

from collections.abc import Sequence

import cv2
import numpy as np

from data.shard_format import ObjectRecord
from data.spread import spread
from preprocessing.database.checks import in_mask
from utils.geometry.cameras import project, resize_camera
from utils.images.resize import lay_over

CELL = 180  # pixels of an image
POINTS = 250  # drawn on a view
IN, OUT = (0, 200, 0), (255, 0, 0)  # RGB of points in the mask and beside it
TITLE = 18  # pixels of the line above an image


def sheet(records: Sequence[ObjectRecord], views: int = 2) -> np.ndarray:
    """Draw a contact sheet (H, W, 3) uint8 RGB with two objects a row.

    Every view is shown twice: as it is on the left, with surface points on the right. Points in the
    mask (up to a voxel) are green, points beside it red.

    Args:
        records: the objects.
        views: the number of views of each, evenly spaced over all.
    """
    strips = []
    for record in records:
        chosen = spread(range(len(record.view_names)), views)
        blanks = [np.full((CELL + TITLE, 2 * CELL, 3), 255, np.uint8)] * (views - len(chosen))
        strips.append(np.concatenate([_pair(record, view) for view in chosen] + blanks, 1))
    if len(strips) > 1 and len(strips) % 2:
        strips.append(np.full_like(strips[0], 255))
    return np.concatenate([np.concatenate(strips[i : i + 2], 1) for i in range(0, len(strips), 2)])


def _pair(record: ObjectRecord, view: int) -> np.ndarray:
    """One view without and with points, under its name."""
    rgba = record.images[view]
    method = cv2.INTER_AREA if len(rgba) > CELL else cv2.INTER_NEAREST
    image = cv2.resize(lay_over(rgba), (CELL, CELL), interpolation=method)
    drawn = image // 2 + 100  # paler, so that the points show
    inside, _ = in_mask(record, view)
    camera = resize_camera(record.trans_mats[view], rgba.shape[:2], (CELL, CELL))
    places = project(record.surface_points[: len(inside)].astype(np.float64), camera)[0]
    for (u, v), good in list(zip(places, inside, strict=True))[:POINTS]:
        if abs(u) < 10 * CELL and abs(v) < 10 * CELL:
            cv2.circle(drawn, (round(u), round(v)), 1, IN if good else OUT, -1)
    title = np.full((TITLE, 2 * CELL, 3), 255, np.uint8)
    text = f"{record.category}/{record.object_id} {record.view_names[view]}".encode("ascii", "replace").decode()[-50:]
    cv2.putText(title, text, (3, TITLE - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
    return np.concatenate([title, np.concatenate([image, drawn], 1)])
