"""Sample a field coarse to fine, so that it is queried near its surface only.

Most points of a fine grid are far from the surface. Only their side matters, inside or outside,
and a coarse grid tells it. So the field is first queried on a coarse grid. Then the cells that the
surface may go through are cut in eight, again and again, until they are as small as wanted. Every
grid on the way is a SparseGrid, and its values are positive inside and negative outside.

Which cells are cut. Within a cell of width h the field changes by about h/2 (sx + sy + sz), where
the slopes s are the largest differences between neighbours in the 3^3 cells around, along each
axis. A cell is settled, and not cut, if its value is more than SAFETY times this change and all
its neighbours are on the same side: no finer sample in it can then be on the other side.

Which finer cells are queried. The value at the centre of a finer cell is first interpolated from
the 27 coarse cells around. Linear interpolation is off by about 1/10 of the second differences
along the axes; CURVED times the slopes is added for kinks. An interpolated value of more than
SAFETY times this error is kept. Elsewhere the field is queried.

Audits. Both rules are estimates, and a structure thinner than the coarse cells may hide between
their centres. So every grid is audited: the field is queried at cells that either rule left out,
both where its margin was smallest and at as many random places. If a value is on the other side
than expected, SAFETY is doubled for this rule on this grid, the cells are decided again, and the
audit is repeated. Beyond MOST all cells are cut, or queried.

Following the surface. On the finest grid every cube of eight cells that the surface goes through
gets queried or safely interpolated values at all its corners, and so do its neighbours if the
surface goes on there. A piece of the surface that was found in part is thus found whole.
"""

from collections.abc import Callable

import numpy as np

from utils.errors import UserError
from utils.surface.sparse_grid import BRICK, SparseGrid
from utils.surface.stencils import AROUND, CORNERS, DIFFERENCES, INTERPOLATION, SECOND_DIFFERENCES, largest_sum

COARSEST = 32  # cells along an axis of the first grid, at least
SAFETY, MOST = 2.0, 64.0  # factor on both estimates: to begin with, and the largest
CURVED = 0.05  # share of the slopes that interpolation may be off by
AUDITED = 1024  # cells of the smallest margins in an audit, and as many random ones
BATCH = 128  # bricks worked on at a time: some 100 MB
CUBES = BRICK + 1  # along an axis, of eight cells each, in a brick with the cells around it


def sample_adaptively(
    query: Callable[[np.ndarray], np.ndarray],
    query_grid: Callable[[int], np.ndarray],
    resolution: int,
    inside_positive: bool,
    iso: float,
) -> tuple[SparseGrid, int]:
    """Query a field at what its surface at a resolution needs.

    Args:
        query: the field: (N, 3) object-frame points -> (N,) values.
        query_grid: the field on a whole grid: n -> (n^3,) values at frames.voxel_centres(n).
        resolution: cells along each axis of the finest grid.
        inside_positive: the inside has values > iso (as logits have), not < iso (distances).
        iso: value of the field at the surface.

    Returns:
        The finest grid, all cubes that the surface goes through known; and the number of queried
        points.

    Raises:
        UserError: the field has no surface, or values that are not finite.
    """
    field = _SignedField(query, query_grid, inside_positive, iso)
    n = coarsest(resolution)
    grid = SparseGrid(n)
    z, y, x = np.meshgrid(*[np.arange(n)] * 3, indexing="ij")  # x fastest, as in frames.voxel_centres
    grid.insert(np.stack([x.ravel(), y.ravel(), z.ravel()], 1), field.on_grid(n))
    rng = np.random.default_rng(0)
    while grid.resolution < resolution:
        grid = _refined(grid, field, resolution, rng)
    _follow_surface(grid, field)
    field.check_surface(grid)
    return grid, field.queried


def coarsest(resolution: int) -> int:
    """Cells along an axis of the first grid, which is queried whole."""
    n = resolution
    while n % 2 == 0 and n >= 2 * COARSEST:
        n //= 2
    return n


def check_resolution(name: str, resolution: int) -> None:
    """UserError if sample_adaptively would need too much memory or time for a resolution.

    name: how the message calls the setting, e.g. "resolution".
    """
    if not 2 <= resolution <= 512 or coarsest(resolution) > 128:
        raise UserError(f"{name} {resolution}: give 2 to 512, above 128 an even number, above 256 a multiple of 4")


class _SignedField:
    """A field with its iso value subtracted: > 0 inside, < 0 outside, never 0. Counts its queries.

    Arguments as those of sample_adaptively.
    """

    def __init__(
        self,
        query: Callable[[np.ndarray], np.ndarray],
        query_grid: Callable[[int], np.ndarray],
        inside_positive: bool,
        iso: float,
    ):
        self.query, self.query_grid = query, query_grid
        self.inside_positive, self.iso = inside_positive, iso
        self.queried, self.low, self.high = 0, np.inf, -np.inf  # points, and the range of their values

    def at_cells(self, cells: np.ndarray, resolution: int) -> np.ndarray:
        """(N, 3) cells of a resolution^3 grid -> (N,) values at their centres."""
        return self._signed(self.query((cells + 0.5) / resolution - 0.5)) if len(cells) else np.zeros(0, np.float32)

    def on_grid(self, resolution: int) -> np.ndarray:
        """(resolution^3,) values at all cell centres, x fastest."""
        return self._signed(self.query_grid(resolution))

    def check_surface(self, grid: SparseGrid) -> None:
        """UserError if all that the finest grid knows is on one side of the iso value."""
        inside = grid.values[grid.known] > 0  # nothing is known where all coarser cells were settled: outside
        if inside.all() or not inside.any():
            raise UserError(
                f"field is {'full' if inside.any() else 'empty'}: min {self.low:.6g}, max {self.high:.6g}, "
                f"iso value {self.iso:.6g}, {self.queried} points queried"
            )

    def _signed(self, values: np.ndarray) -> np.ndarray:
        values = np.asarray(values, np.float32)
        if not np.isfinite(values).all():
            raise UserError("the field has values that are not finite")
        self.queried += len(values)
        self.low, self.high = min(self.low, values.min()), max(self.high, values.max())
        values = values - np.float32(self.iso) if self.inside_positive else np.float32(self.iso) - values
        return np.where(values == 0, np.float32(-1e-12), values)  # the iso value itself is outside


def _refined(grid: SparseGrid, field: _SignedField, resolution: int, rng: np.random.Generator) -> SparseGrid:
    """The grid of twice the resolution: every cell that is not settled is cut in eight.

    resolution: of the finest grid, to which all samples of a settled cell belong.
    """
    finer = SparseGrid(2 * grid.resolution, grid)
    cells, around = _neighbourhoods(grid)
    margin = _margins(around, grid.resolution / resolution)
    safety, cut = SAFETY, np.zeros(len(cells), bool)
    while True:
        new = np.flatnonzero((margin <= safety) & ~cut)
        _cut(finer, cells[new], around[:, new], field, rng)
        cut[new] = True
        settled = np.flatnonzero(~cut)
        if not len(settled):
            return finer
        audited = settled[_smallest_and_random(margin[settled], rng)]
        factor = resolution // grid.resolution
        fine = factor * cells[audited] + rng.integers(factor, size=(len(audited), 3))
        if not ((field.at_cells(fine, resolution) > 0) != (around[13, audited] > 0)).any():
            return finer
        safety = 2 * safety if safety < MOST else np.inf


def _cut(
    finer: SparseGrid, cells: np.ndarray, around: np.ndarray, field: _SignedField, rng: np.random.Generator
) -> None:
    """Cut cells in eight, and store interpolated or queried values at the centres of the eighths.

    Args:
        finer: the grid that stores the values.
        cells: (M, 3) cells of the coarser grid.
        around: (27, M) values of the 3^3 cells around each.
        field: the field to query.
        rng: chooses the random cells of audits.
    """
    if not len(cells):
        return
    finer.add_bricks(cells // (BRICK // 2))
    values = INTERPOLATION @ around  # (8, M)
    error = 0.1 * largest_sum(SECOND_DIFFERENCES, around) + CURVED * largest_sum(DIFFERENCES, around)
    margin = abs(values) / np.maximum(error, 1e-20)
    children = (2 * cells + CORNERS[:, None]).reshape(-1, 3)  # in the order of values.ravel()
    margin, values, safety, queried = margin.ravel(), values.ravel(), SAFETY, np.zeros(values.size, bool)
    while True:
        new = np.flatnonzero((margin <= safety) & ~queried)
        values[new] = field.at_cells(children[new], finer.resolution)
        queried[new] = True
        interpolated = np.flatnonzero(~queried)
        if not len(interpolated):
            break
        audited = interpolated[_smallest_and_random(margin[interpolated], rng)]
        exact = field.at_cells(children[audited], finer.resolution)
        wrong = (exact > 0) != (values[audited] > 0)
        values[audited], queried[audited] = exact, True
        if not wrong.any():
            break
        safety = 2 * safety if safety < MOST else np.inf
    finer.store(finer.flat_index(children), values)


def _smallest_and_random(margin: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Indices of the AUDITED smallest of (N,) margins, and of as many random ones."""
    count = min(AUDITED, len(margin))
    return np.union1d(np.argpartition(margin, count - 1)[:count], rng.integers(len(margin), size=count))


def _neighbourhoods(grid: SparseGrid) -> tuple[np.ndarray, np.ndarray]:
    """The known cells (M, 3) of a grid, and the values (27, M) of the 3^3 cells around each.

    Row 13 holds the cells themselves.
    """
    size = BRICK + 2
    offsets = ((AROUND @ [size * size, size, 1]) + (size * size + size + 1))[:, None]
    cells, around = [np.zeros((0, 3), np.int64)], [np.zeros((27, 0), np.float32)]  # of a grid without bricks
    for first in range(0, len(grid.values), BATCH):
        slots = np.arange(first, min(first + BATCH, len(grid.values)))
        values, _ = grid.windows(slots)
        slot, x, y, z = np.nonzero(grid.known[slots])
        around.append(values.ravel()[((slot * size + x) * size + y) * size + z + offsets])
        cells.append(grid.origins[slots[slot]] + np.stack([x, y, z], 1))
    return np.concatenate(cells), np.concatenate(around, 1)


def _margins(around: np.ndarray, width: float) -> np.ndarray:
    """How far cells are from the surface: the value over its estimated change within the cell.

    Args:
        around: (27, M) values of the 3^3 cells around each cell.
        width: width of the finest cells over that of these.

    Returns:
        (M,) margins, 0 where a neighbour is on the other side.
    """
    reach = 0.5 * (1 - width)  # from a cell's centre to its outermost finest centre, in cells
    change = largest_sum(DIFFERENCES, around) * reach
    mixed = (around.max(0) > 0) != (around.min(0) > 0)
    return np.where(mixed, 0, abs(around[13]) / np.maximum(change, 1e-20))


def _follow_surface(grid: SparseGrid, field: _SignedField) -> None:
    """Query unknown corners of the cubes that the surface goes through, until all are known."""
    slots = np.arange(len(grid.values))
    while len(slots):
        unknown = []
        for first in range(0, len(slots), BATCH):
            batch = slots[first : first + BATCH]
            values, known = grid.windows(batch)
            mixed = _over_cubes(values > 0, np.logical_or) & ~_over_cubes(values > 0, np.logical_and)
            incomplete = mixed & ~_over_cubes(known, np.logical_and)
            if incomplete.any():
                corner = np.zeros(known.shape, bool)
                for x, y, z in CORNERS:
                    corner[:, x : x + CUBES, y : y + CUBES, z : z + CUBES] |= incomplete
                brick, *local = np.nonzero(corner & ~known)
                cells = grid.origins[batch[brick]] + np.stack(local, 1) - 1
                unknown.append(np.clip(cells, 0, grid.resolution - 1))
        if not unknown:
            return
        cells = np.unique(np.concatenate(unknown), axis=0)
        grid.insert(cells, field.at_cells(cells, grid.resolution))
        bricks = np.unique((cells[:, None] + AROUND).reshape(-1, 3) // BRICK, axis=0)
        bricks = bricks[((bricks >= 0) & (bricks < len(grid.slot_of))).all(1)]
        slots = grid.slot_of[tuple(bricks.T)]
        slots = slots[slots >= 0]


def _over_cubes(corners: np.ndarray, function: np.ufunc) -> np.ndarray:
    """(K, 18, 18, 18) bool -> (K, 17, 17, 17): and, or of the corners of every cube."""
    for axis in (1, 2, 3):
        corners = function(corners.take(range(CUBES), axis), corners.take(range(1, CUBES + 1), axis))
    return corners
