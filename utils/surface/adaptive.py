"""The surface of a field that can be asked anywhere, coarse to fine: the field is asked near the surface only.

How a cell is found to be empty. The field is asked at the centres of a coarse grid. Within a cell of width h it can change
by about h/2 (sx + sy + sz), where s are its slopes along the axes: the largest differences between neighbours in the 3^3
cells around. Where its distance from the level is more than SAFETY times that, and no neighbour is on the other side, no finer
sample of the cell can lie beyond the level, and the cell is settled.

The others are cut in eight. The value at a finer centre is first interpolated from the 27 cells around; linear interpolation
is off by about 1/10 of the second differences along the axes, and CURVED of the slopes' change is added for kinks. Where
the interpolated value is farther from the level than SAFETY times that, it is taken; else the field is asked.

Both are estimates, and a structure thinner than the coarse cells may hide between their centres. So every level is audited:
the field is asked where the margins were smallest, and at as many random places, of both kinds. If one of them lies on the
other side, SAFETY is doubled for that level and kind, and its cells are decided again, until none does; past MOST all cells are
asked. At the finest level the surface is followed: where it leaves what is known, the neighbours are asked too, so that a
piece that was found is found whole.
"""

import numpy as np

from utils.errors import UserError
from utils.surface.sparse_grid import BRICK, Level

COARSEST = 32  # cells along the axis of the first grid, at least
SAFETY, MOST = 2.0, 64.0
CURVED = 0.05
AUDITED = 1024  # of each kind
BATCH = 128  # bricks that are worked on at once: some 100 MB


def sample_adaptively(ask, ask_grid, resolution, inside_positive, iso):
    """Ask a field for what its surface at a resolution needs.

    ask: (N, 3) object-frame points -> (N,) values; inside where they are > iso (inside_positive) or < iso.
    ask_grid: n -> (n^3,) values at frames.voxel_centres(n).
    Returns the finest Level, its values > 0 inside and < 0 outside, all cubes with a surface in them known; and the number
    of points asked. UserError where the field has no surface or values that are not finite.
    """
    asked, low, high = 0, np.inf, -np.inf

    def above(values):
        nonlocal asked, low, high
        values = np.asarray(values, np.float32)
        if not np.isfinite(values).all():
            raise UserError("the field has values that are not finite")
        asked, low, high = asked + len(values), min(low, values.min()), max(high, values.max())
        values = values - np.float32(iso) if inside_positive else np.float32(iso) - values
        return np.where(values == 0, np.float32(-1e-12), values)  # the level itself is outside

    def signed(cells, n):
        return above(ask((cells + 0.5) / n - 0.5)) if len(cells) else np.zeros(0, np.float32)

    n = coarsest(resolution)
    level = Level(n)
    z, y, x = np.meshgrid(*[np.arange(n)] * 3, indexing="ij")  # x fastest, as in frames.voxel_centres
    level.insert(np.stack([x.ravel(), y.ravel(), z.ravel()], 1), above(ask_grid(n)))
    rng = np.random.default_rng(0)
    while level.n < resolution:
        level = _refined(level, signed, resolution, rng)
    _follow(level, signed)
    empty, full = (high <= iso, low > iso) if inside_positive else (low >= iso, high < iso)
    if empty or full:
        state = "empty" if empty else "full"
        raise UserError(f"field is {state}: min {low:.6g}, max {high:.6g}, level {iso:.6g}, {asked} points asked")
    return level, asked


def coarsest(resolution):
    """Cells along the axis of the first grid, which is asked whole."""
    n = resolution
    while n % 2 == 0 and n >= 2 * COARSEST:
        n //= 2
    return n


def check_resolution(flag, resolution):
    """UserError for a resolution that sample_adaptively() cannot take within reasonable memory."""
    if not 2 <= resolution <= 512 or coarsest(resolution) > 128:
        raise UserError(f"{flag} {resolution}: give 2 to 512, above 128 an even number, above 256 a multiple of 4")


def _refined(level, signed, resolution, rng):
    """The next level: every cell that is not settled cut in eight, and asked where interpolation is not sure."""
    finer = Level(2 * level.n, level)
    cells, around = _neighbourhoods(level)
    margin = _margins(around, level.n / resolution)
    safety, done = SAFETY, np.zeros(len(cells), bool)
    while True:
        new = np.flatnonzero((margin <= safety) & ~done)
        _cut(finer, cells[new], around[:, new], signed, rng)
        done[new] = True
        settled = np.flatnonzero(~done)
        if not len(settled):
            return finer
        chosen = settled[_least_and_random(margin[settled], rng)]
        factor = resolution // level.n
        fine = factor * cells[chosen] + rng.integers(factor, size=(len(chosen), 3))
        if not ((signed(fine, resolution) > 0) != (around[13, chosen] > 0)).any():
            return finer
        safety = 2 * safety if safety < MOST else np.inf


def _cut(finer, cells, around, signed, rng):
    """Cut (M, 3) cells in eight: store at the finer centres what interpolation from (27, M) values is sure of, or what the field says."""
    if not len(cells):
        return
    finer.make_room(cells // (BRICK // 2))
    values = _INTERPOLATION @ around  # (8, M)
    margin = abs(values) / np.maximum(0.1 * _largest(_SECOND, around) + CURVED * _largest(_FIRST, around), 1e-20)
    children = (2 * cells + _CORNERS[:, None]).reshape(-1, 3)  # in the order of values.ravel()
    margin, values, safety, done = margin.ravel(), values.ravel(), SAFETY, np.zeros(values.size, bool)
    while True:
        new = np.flatnonzero((margin <= safety) & ~done)
        values[new] = signed(children[new], finer.n)
        done[new] = True
        sure = np.flatnonzero(~done)
        if not len(sure):
            break
        chosen = sure[_least_and_random(margin[sure], rng)]
        found = signed(children[chosen], finer.n)
        wrong = (found > 0) != (values[chosen] > 0)
        values[chosen], done[chosen] = found, True
        if not wrong.any():
            break
        safety = 2 * safety if safety < MOST else np.inf
    finer.store(finer.places(children), values)


def _least_and_random(margin, rng):
    """Indices of the AUDITED smallest of (N,) margins, and of as many random ones."""
    count = min(AUDITED, len(margin))
    return np.union1d(np.argpartition(margin, count - 1)[:count], rng.integers(len(margin), size=count))


def _neighbourhoods(level):
    """Known cells (M, 3) of a level, and the values of the 3^3 cells around each (27, M), itself in the middle."""
    size = BRICK + 2
    offsets = ((_AROUND @ [size * size, size, 1]) + (size * size + size + 1))[:, None]
    cells, around = [], []
    for first in range(0, len(level.values), BATCH):
        slots = np.arange(first, min(first + BATCH, len(level.values)))
        values, _ = level.windows(slots)
        slot, x, y, z = np.nonzero(level.known[slots])
        around.append(values.ravel()[((slot * size + x) * size + y) * size + z + offsets])
        cells.append(level.origins[slots[slot]] + np.stack([x, y, z], 1))
    return np.concatenate(cells), np.concatenate(around, 1)


def _margins(around, width):
    """(27, M) values of 3^3 cells -> (M,) distance of the middle one from the level over what the field may change within it.

    width: of the finest cells over these. 0 where one of the neighbours is on the other side.
    """
    reach = 0.5 * (1 - width)  # from a cell's centre to its outermost finer centre, in cells
    change = _largest(_FIRST, around) * reach
    mixed = (around.max(0) > 0) != (around.min(0) > 0)
    return np.where(mixed, 0, abs(around[13]) / np.maximum(change, 1e-20))


def _largest(differences, around):
    """(27, M) values of 3^3 cells -> (M,) largest of the differences along each axis, the three added."""
    result = np.empty(around.shape[1], np.float32)
    for first in range(0, len(result), 1 << 15):  # stays in cache
        part = slice(first, first + (1 << 15))
        result[part] = abs(differences @ around[:, part]).reshape(3, len(differences) // 3, -1).max(1).sum(0)
    return result


def _follow(level, signed):
    """Ask the corners of cubes with a surface in them that are not known yet, until there are none."""
    slots = np.arange(len(level.values))
    while len(slots):
        wanted = []
        for first in range(0, len(slots), BATCH):
            part = slots[first : first + BATCH]
            values, known = level.windows(part)
            mixed = _cubes(values > 0, np.logical_or) & ~_cubes(values > 0, np.logical_and)
            cubes = mixed & ~_cubes(known, np.logical_and)
            if cubes.any():
                corner = np.zeros(known.shape, bool)
                for x, y, z in _CORNERS:
                    corner[:, x : x + 17, y : y + 17, z : z + 17] |= cubes
                brick, *local = np.nonzero(corner & ~known)
                wanted.append(np.clip(level.origins[part[brick]] + np.stack(local, 1) - 1, 0, level.n - 1))
        if not wanted:
            return
        wanted = np.unique(np.concatenate(wanted), axis=0)
        level.insert(wanted, signed(wanted, level.n))
        near = np.unique((wanted[:, None] + _AROUND).reshape(-1, 3) // BRICK, axis=0)
        near = near[((near >= 0) & (near < len(level.slot))).all(1)]
        slots = level.slot[tuple(near.T)]
        slots = slots[slots >= 0]


def _cubes(corners, function):
    """(K, 18, 18, 18) bool -> (K, 17, 17, 17): and, or of the eight corners of every cube."""
    for axis in (1, 2, 3):
        corners = function(corners.take(range(17), axis), corners.take(range(1, 18), axis))
    return corners


_AROUND = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), -1).reshape(-1, 3)
_CORNERS = np.stack(np.meshgrid(*[[0, 1]] * 3, indexing="ij"), -1).reshape(-1, 3)


def _functionals(of_axis):
    """Rows that act on a line of three cells, for all nine lines along each axis -> (3 x 9 x rows, 27)."""
    line = np.array(of_axis, np.float32)
    rows = []
    for axis in range(3):
        for place in np.ndindex(3, 3):
            for weights in line:
                row = np.zeros((3, 3, 3), np.float32)
                index = [*place]
                index.insert(axis, slice(None))
                row[tuple(index)] = weights
                rows.append(row.ravel())
    return np.stack(rows)


_FIRST = _functionals([[-1, 1, 0], [0, -1, 1]])  # differences of neighbours
_SECOND = _functionals([[1, -2, 1]])
# trilinear interpolation at the centres of the eight finer cells, a quarter of a cell from the middle
_QUARTER = np.array([[0.25, 0.75, 0], [0, 0.75, 0.25]], np.float32)
_INTERPOLATION = np.stack([np.einsum("i,j,k->ijk", *_QUARTER[corner]).ravel() for corner in _CORNERS])
