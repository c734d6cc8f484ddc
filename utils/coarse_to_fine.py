"""The surface of a field that can be asked anywhere, coarse to fine: the field is asked near the surface only.

How a cell is found to be empty. The field is asked at the centres of a coarse grid. Within a cell of width h it can change
by about h/2 (sx + sy + sz), where s are its slopes along the axes: the largest differences between neighbours in the 3^3
cells around. Where its distance from the level is more than SAFETY times that, and no neighbour is on the other side, no finer
sample of the cell can lie beyond the level, and the cell is settled. All others are cut in eight and asked again.

That is an estimate, and a structure thinner than the coarse cells may hide between their centres. So every level is audited:
the cells that were settled by the smallest margins, and as many random ones, are asked at a random finer centre. If one of
them lies on the other side, SAFETY is doubled for that level and its cells decided again, until none does; past MOST all cells
are asked. At the finest level the surface is followed: where it leaves what was asked, the neighbours are asked too, so that
a piece that was found is found whole.
"""

import numpy as np

from utils.bricks import BRICK, Level
from utils.cli import UserError

COARSEST = 32  # cells along the axis of the first grid, at least
SAFETY, MOST = 2.0, 64.0
AUDITED = 2048  # cells of each kind
BATCH = 256  # bricks that are worked on at once: some 50 MB


def sample(ask, resolution, inside_positive, iso):
    """Ask a field for what its surface at a resolution needs.

    ask: (N, 3) object-frame points -> (N,) values; inside where they are > iso (inside_positive) or < iso.
    Returns the finest Level, its values > 0 inside and < 0 outside, all cubes with a surface in them known; and the number
    of points asked. UserError where the field has no surface or values that are not finite.
    """
    asked, low, high = 0, np.inf, -np.inf

    def signed(cells, n):
        nonlocal asked, low, high
        values = np.asarray(ask((cells + 0.5) / n - 0.5), np.float32)
        if not np.isfinite(values).all():
            raise UserError("the field has values that are not finite")
        asked, low, high = asked + len(cells), min(low, values.min()), max(high, values.max())
        values = values - np.float32(iso) if inside_positive else np.float32(iso) - values
        return np.where(values == 0, np.float32(-1e-12), values)  # the level itself is outside

    n = resolution
    while n % 2 == 0 and n >= 2 * COARSEST:
        n //= 2
    level = Level(n)
    cells = np.stack(np.meshgrid(*[np.arange(n)] * 3, indexing="ij"), -1).reshape(-1, 3)
    level.insert(cells, signed(cells, n))
    rng = np.random.default_rng(0)
    while level.n < resolution:
        level = _refined(level, signed, resolution, rng)
    _follow(level, signed)
    empty, full = (high <= iso, low > iso) if inside_positive else (low >= iso, high < iso)
    if empty or full:
        state = "empty" if empty else "full"
        raise UserError(f"field is {state}: min {low:.6g}, max {high:.6g}, level {iso:.6g}, {asked} points asked")
    return level, asked


def _refined(level, signed, resolution, rng):
    """The next level: every cell that is not settled cut in eight and asked."""
    finer = Level(2 * level.n, level)
    cells, margin = _margins(level, resolution)
    safety, done = SAFETY, np.zeros(len(cells), bool)
    while True:
        open_ = (margin <= safety) & ~done
        children = _children(cells[open_])
        if len(children):
            finer.insert(children, signed(children, finer.n))
        done |= open_
        if done.all() or not _audit(level, cells[~done], margin[~done], signed, resolution, rng):
            return finer
        safety = 2 * safety if safety < MOST else np.inf


def _children(cells):
    corners = np.stack(np.meshgrid(*[[0, 1]] * 3, indexing="ij"), -1).reshape(-1, 3)
    return (2 * cells[:, None] + corners).reshape(-1, 3)


def _margins(level, resolution):
    """Known cells (N, 3) of a level, and (N,) their distance from the level over what the field may change within them."""
    reach = 0.5 * (1 - level.n / resolution)  # from a cell's centre to its outermost finer centre, in cells
    found = []
    for first in range(0, len(level.values), BATCH):
        slots = np.arange(first, min(first + BATCH, len(level.values)))
        values, _, cells = level.windows(slots)
        change = sum(_slope(values, axis) for axis in (1, 2, 3)) * reach
        inside = values > 0
        mixed = _window(inside, np.maximum) != _window(inside, np.minimum)
        margin = np.where(mixed, 0, abs(level.values[slots]) / np.maximum(change, 1e-20))
        known = level.known[slots]
        found.append((cells[:, 1:-1, 1:-1, 1:-1][known], margin[known]))
    return tuple(np.concatenate(part) for part in zip(*found, strict=True))


def _slope(values, axis):
    """(K, 18, 18, 18) -> (K, 16, 16, 16): the largest difference of neighbours along an axis in the 3^3 cells around each."""
    difference = abs(np.diff(values, axis=axis))
    return _window(difference, np.maximum)


def _window(values, function):
    """Maximum or minimum over all windows that leave 16 cells along every axis."""
    for axis in (1, 2, 3):
        width = values.shape[axis] - BRICK + 1
        parts = [values.take(range(i, i + BRICK), axis) for i in range(width)]
        values = parts[0]
        for part in parts[1:]:
            values = function(values, part)
    return values


def _audit(level, cells, margin, signed, resolution, rng):
    """Ask a finer centre in cells that were settled; True if one lies on the other side."""
    count = min(AUDITED, len(cells))
    chosen = np.union1d(np.argpartition(margin, count - 1)[:count], rng.integers(len(cells), size=count))
    chosen = cells[chosen]
    factor = resolution // level.n
    fine = factor * chosen + rng.integers(factor, size=chosen.shape)
    wrong = (signed(fine, resolution) > 0) != (level.value(chosen) > 0)
    return bool(wrong.any())


def _follow(level, signed):
    """Ask the corners of cubes with a surface in them that are not known yet, until there are none."""
    slots = np.arange(len(level.values))
    while len(slots):
        wanted = []
        for first in range(0, len(slots), BATCH):
            values, known, cells = level.windows(slots[first : first + BATCH])
            mixed = _cubes(values > 0, np.logical_or) & ~_cubes(values > 0, np.logical_and)
            cubes = mixed & ~_cubes(known, np.logical_and)
            if cubes.any():
                corner = np.zeros(known.shape, bool)
                for x in (0, 1):
                    for y in (0, 1):
                        for z in (0, 1):
                            corner[:, x : x + 17, y : y + 17, z : z + 17] |= cubes
                wanted.append(np.clip(cells[corner & ~known], 0, level.n - 1))
        if not wanted:
            return
        wanted = np.unique(np.concatenate(wanted), axis=0)
        level.insert(wanted, signed(wanted, level.n))
        near = np.unique((wanted[:, None] + _AROUND).reshape(-1, 3) // BRICK, axis=0)
        near = near[((near >= 0) & (near < len(level.slot))).all(1)]
        slots = level.slot[tuple(near.T)]
        slots = slots[slots >= 0]


_AROUND = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), -1).reshape(-1, 3)


def _cubes(corners, function):
    """(K, 18, 18, 18) bool -> (K, 17, 17, 17): and, or of the eight corners of every cube."""
    for axis in (1, 2, 3):
        corners = function(corners.take(range(17), axis), corners.take(range(1, 18), axis))
    return corners
