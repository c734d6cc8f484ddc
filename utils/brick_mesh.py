"""Marching cubes over bricks: the surface of a field that is known around it only."""

import numpy as np

from utils.bricks import Level

BATCH = 64  # bricks in one call of marching cubes
RATIO = 50.0  # of the largest to the smallest value that marching cubes sees: it decides the topology, not the place


def triangulate(level: Level, ask=None):
    """The surface of the finest Level of utils.coarse_to_fine.sample.

    ask: (N, 3) object-frame points -> (N,) values, > 0 inside; given, every vertex on a grid edge is moved along it to where
    the field itself crosses the level (one step of regula falsi) instead of where a straight line would.

    Returns vertices (V, 3) float64 object frame, faces (F, 3) int, counter-clockwise seen from outside. The surface is closed:
    what touches the border of the grid is cut off half a cell outside the last centres.
    """
    keys, faces, count = [], [], 0
    for first in range(0, len(level.values), BATCH):
        slots = np.arange(first, min(first + BATCH, len(level.values)))
        found = _march(level, slots)
        if found is not None:
            keys.append(found[0])
            faces.append(found[1] + count)
            count += len(found[0])
    keys, welded = np.unique(np.concatenate(keys), axis=0, return_inverse=True)
    faces = welded.reshape(-1)[np.concatenate(faces)]
    faces = faces[(faces != np.roll(faces, 1, 1)).all(1)]
    vertices = _places(level, keys, faces, ask)
    return (vertices + 0.5) / level.n - 0.5, faces


def _march(level, slots):
    """Marching cubes in the windows of some bricks -> keys of vertices (V, 4), faces (F, 3), or None.

    A key is the lower cell of the grid edge that a vertex lies on, and the edge's axis; or a cube's first cell and 3, for a
    vertex within it.
    """
    from skimage.measure import marching_cubes

    values, _, cells = level.windows(slots)
    # a brick's own cubes are those whose first cell is in it, or in front of it where the grid begins; none out of the grid
    own = ((cells[:, :17, :17, :17] >= level.origins[slots][:, None, None, None]) | (cells[:, :17, :17, :17] == -1)).all(-1)
    own &= (cells[:, :17, :17, :17] < level.n).all(-1)
    inside = values > 0
    mixed = (inside != inside[:, :1, :1, :1]).any((1, 2, 3))
    values, own, slots = values[mixed], own[mixed], slots[mixed]
    if not len(slots):
        return None
    size = values.shape[1]
    scale = np.median(abs(values))
    seen = np.sign(values) * np.clip(abs(values) / scale, RATIO**-0.5, RATIO**0.5)
    seen = np.where(values < 0, seen * (1 - 1e-4), seen)  # ties, as in utils.surface_mesh.extract
    mask = np.zeros((len(slots), size, size, size), bool)
    mask[:, 1:, 1:, 1:] = own  # scikit-image looks at the last corner of a cube
    stacked = (len(slots) * size, size, size)
    vertices, faces = marching_cubes(seen.astype(np.float32).reshape(stacked), 0, mask=mask.reshape(stacked), allow_degenerate=True)[:2]
    place = np.floor(vertices[:, 0] / size).astype(int)
    local = vertices - np.stack([place * size, 0 * place, 0 * place], 1)
    rounded = np.rint(local)
    off = abs(local - rounded)
    on_edge = np.sort(off, 1)[:, 1] < 0.5 / RATIO
    axis = np.where(on_edge, off.argmax(1), 3)
    lower = rounded.astype(np.int64)
    for k in range(3):
        moved = (axis == k) | (axis == 3)
        lower[moved, k] = np.floor(local[moved, k])
    keys = np.concatenate([level.origins[slots][place] + lower - 1, axis[:, None]], 1)
    return keys, faces[:, ::-1].astype(np.int64)


def _places(level, keys, faces, ask):
    """Keys (V, 4) -> (V, 3) places in cells."""
    cells, axis = keys[:, :3], keys[:, 3]
    edge = np.flatnonzero(axis < 3)
    step = np.eye(3, dtype=np.int64)[axis[edge]]
    a, b = (level.mirrored(c)[0].astype(np.float64) for c in (cells[edge], cells[edge] + step))
    t = a / (a - b)
    if ask is not None:
        low, high = np.zeros(len(t)), np.ones(len(t))
        value = ask((cells[edge] + t[:, None] * step + 0.5) / level.n - 0.5).astype(np.float64)
        first = (value > 0) == (a > 0)  # the crossing lies between t and the edge's end
        low, a = np.where(first, t, low), np.where(first, value, a)
        high, b = np.where(first, high, t), np.where(first, b, value)
        t = low + (high - low) * a / (a - b)
    places = cells.astype(np.float64)
    places[edge] += np.clip(t, 1e-4, 1 - 1e-4)[:, None] * step
    within = axis == 3
    if within.any():  # the mean of the vertices around it
        pairs = np.concatenate([faces[:, [i, j]] for i in range(3) for j in range(3) if i != j])
        pairs = pairs[within[pairs[:, 0]] & ~within[pairs[:, 1]]]
        number = np.bincount(pairs[:, 0], minlength=len(keys))[:, None]
        total = np.stack([np.bincount(pairs[:, 0], places[pairs[:, 1], k], len(keys)) for k in range(3)], 1)
        places[within] = (total / np.maximum(number, 1))[within]
    return places
