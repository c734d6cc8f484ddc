"""Which objects are variants of one model: by their names, or by their shapes.

Data sets hold a chair with and without a cushion, or one table in three lengths under three names.
A network that trained on one of them has all but seen the others.
"""

import collections
import functools
import re
from collections.abc import Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from data.raw_layout import origin
from preprocessing.splitting.group_split import too_large

EXTENT = 0.03  # object-frame length by which the sides of the bounding boxes may differ
DISTANCE = 0.013  # mean distance between two surfaces, object-frame length
POINTS = 400  # of a surface that are compared with all of another one
SPACING = 1.15  # times the spacing of its own points that a surface may be away, where these are sparse


def stem(object_id: str) -> str:
    """An id without its numbers and without what follows the last of them: chair_02a -> chair_.

    Stretched copies have that of their object.
    """
    return re.sub(r"\d+[a-z]?(?=$|[_-])|\d+", "", origin(object_id)).rstrip("_-").lower()


def near_duplicates(ids: Sequence[str], surfaces: Sequence[np.ndarray]) -> np.ndarray:
    """Group objects that are variants of one model.

    Two objects are in one group if their ids differ in numbers alone, or if their bounding boxes
    and their surfaces nearly agree, or if a chain of such pairs connects them. Where ids that
    differ in numbers alone are so many that the group would be for training only, the numbers count
    a collection: such ids say nothing. Stretched copies are always with their object.

    Args:
        ids: of the objects, with their categories: "chair/chair_02".
        surfaces: (S, 3) points on the surface of each object, object frame, in random order.

    Returns:
        (N,) number of the group of each object.
    """
    pairs = []
    stems = {origin(object_id): stem(object_id) for object_id in ids}
    sizes = collections.Counter(stems.values())
    first_of: dict[str, int] = {}
    for i, object_id in enumerate(ids):
        original = origin(object_id)
        counted = too_large(sizes[stems[original]], len(stems))
        pairs.append((first_of.setdefault(original if counted else stems[original], i), i))
    extents = np.array([np.ptp(points, axis=0) for points in surfaces]).reshape(-1, 3)

    @functools.cache
    def tree(i: int) -> cKDTree:
        return cKDTree(surfaces[i])

    @functools.cache
    def spacing(i: int) -> float:
        """Mean distance from a point of a surface to the next, as between two samples of one."""
        return float(tree(i).query(surfaces[i][:POINTS], 2)[0][:, 1].mean())

    for i, j in cKDTree(extents).query_pairs(EXTENT) if len(ids) else ():
        limit = max(2 * DISTANCE, SPACING * (spacing(i) + spacing(j)))
        distance = tree(i).query(surfaces[j][:POINTS])[0].mean()
        if distance < limit and distance + tree(j).query(surfaces[i][:POINTS])[0].mean() < limit:
            pairs.append((i, j))
    rows, columns = np.array(pairs, int).reshape(-1, 2).T
    graph = coo_array((np.ones(len(rows)), (rows, columns)), shape=(len(ids), len(ids)))
    return connected_components(graph, directed=False)[1]
