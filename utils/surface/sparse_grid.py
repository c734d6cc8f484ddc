"""Samples of a field on a fine grid, kept only where somebody asked: bricks of cells over coarser levels of the same."""

import numpy as np

BRICK = 16  # cells along a brick's axis


class Level:
    """Values at the cell centres of an n^3 grid, in bricks of 16^3 cells; cells of other bricks have their coarser cell's value.

    values (K, 16, 16, 16) float32, indexed [x, y, z] within a brick; known, the same shape: the value is the field's, or
    interpolated where that is sure to be on the right side. A cell that is not known has the value of the cell of the coarser
    level (n / 2) that it lies in.
    """

    def __init__(self, n, coarser=None):
        self.n, self.coarser = n, coarser
        self.slot = np.full(
            (-(-n // BRICK),) * 3, -1, np.int64
        )  # brick -> its place in `values`, -1 where there is none
        self.origins = np.zeros((0, 3), np.int64)  # first cell of every brick
        self.values = np.zeros((0, *(BRICK,) * 3), np.float32)
        self.known = np.zeros((0, *(BRICK,) * 3), bool)

    def make_room(self, bricks):
        """Add those of (N, 3) bricks that are not there, filled from the coarser level."""
        wanted = np.zeros(self.slot.shape, bool)
        wanted[tuple(bricks.T)] = True
        missing = np.argwhere(wanted & (self.slot < 0))
        if not len(missing):
            return
        self.slot[tuple(missing.T)] = len(self.values) + np.arange(len(missing))
        origins = missing * BRICK
        filled = np.zeros((len(missing), *(BRICK,) * 3), np.float32)
        if self.coarser is not None:
            filled = _doubled(self.coarser.blocks(origins // 2, BRICK // 2))
        self.origins = np.concatenate([self.origins, origins])
        self.values = np.concatenate([self.values, filled])
        self.known = np.concatenate([self.known, np.zeros(filled.shape, bool)])

    def places(self, cells):
        """(..., 3) cells of bricks that are there -> (...) indices into values.ravel()."""
        brick, local = cells // BRICK, cells % BRICK
        slot = self.slot[brick[..., 0], brick[..., 1], brick[..., 2]]
        return ((slot * BRICK + local[..., 0]) * BRICK + local[..., 1]) * BRICK + local[..., 2]

    def insert(self, cells, values):
        """Store what is known at (N, 3) cells."""
        self.make_room(cells // BRICK)
        self.store(self.places(cells), values)

    def store(self, places, values):
        self.values.ravel()[places] = values
        self.known.ravel()[places] = True

    def blocks(self, origins, size):
        """(K, size, size, size) values of the blocks whose first cells are `origins` (K, 3), multiples of size: a power of 2 <= 16."""
        brick, part = origins // BRICK, origins % BRICK // size
        slot = self.slot[tuple(brick.T)]
        blocks = np.empty((len(origins), *(size,) * 3), np.float32)
        here, count = slot >= 0, BRICK // size
        cut = self.values.reshape(-1, count, size, count, size, count, size)
        x, y, z = part[here].T
        blocks[here] = cut[slot[here], x, :, y, :, z, :]
        if not here.all():
            coarser = origins[~here] // 2
            if size > 1:
                blocks[~here] = _doubled(self.coarser.blocks(coarser, size // 2))
            else:
                blocks[~here] = self.coarser.blocks(coarser, 1)
        return blocks

    def look_up(self, cells):
        """(N,) values, (N,) known of (N, 3) cells of the grid."""
        brick = cells // BRICK
        here = self.slot[tuple(brick.T)] >= 0
        values, known = np.empty(len(cells), np.float32), np.zeros(len(cells), bool)
        places = self.places(cells[here])
        values[here], known[here] = self.values.ravel()[places], self.known.ravel()[places]
        if not here.all():
            values[~here] = self.coarser.look_up(cells[~here] // 2)[0]
        return values, known

    def mirrored(self, cells):
        """look_up of (N, 3) cells that may lie out of the grid; the values there are those at the border, as empty."""
        inside = np.clip(cells, 0, self.n - 1)
        values, known = self.look_up(inside)
        return np.where((inside == cells).all(-1), values, -abs(values)), known

    def windows(self, slots, rim=1):
        """Bricks with `rim` more cells all around -> values (K, s, s, s), known (K, s, s, s), s = 16 + 2 rim.

        Cells out of the grid mirror those at its border as empty (-|value|), so that a surface is closed there; they are as
        known as those.
        """
        size = BRICK + 2 * rim
        values, known = np.empty((len(slots), *(size,) * 3), np.float32), np.empty((len(slots), *(size,) * 3), bool)
        inner, span = slice(rim, -rim), range(-rim, BRICK + rim)
        values[:, inner, inner, inner], known[:, inner, inner, inner] = self.values[slots], self.known[slots]
        bricks = self.origins[slots] // BRICK
        beyond = np.pad(self.slot, 1, constant_values=-2)  # -2: out of the grid
        target = {-1: slice(0, rim), 0: inner, 1: slice(size - rim, size)}
        source = {-1: slice(BRICK - rim, BRICK), 0: slice(0, BRICK), 1: slice(0, rim)}
        for side in np.ndindex(3, 3, 3):
            if side == (1, 1, 1):
                continue
            step = np.array(side) - 1
            there = beyond[tuple((bricks + step + 1).T)]
            to, of = tuple(target[d] for d in step), tuple(source[d] for d in step)
            found, absent = np.flatnonzero(there >= 0), np.flatnonzero(there == -1)
            values[(found, *to)], known[(found, *to)] = (
                self.values[(there[found], *of)],
                self.known[(there[found], *of)],
            )
            if len(absent):
                local = np.stack(np.meshgrid(*[np.array(span)[t] for t in to], indexing="ij"), -1)
                cells = self.origins[slots[absent]][:, None, None, None] + local
                inside = np.minimum(cells, self.n - 1)  # what is out of the grid is set below
                values[(absent, *to)] = self.coarser.look_up(inside.reshape(-1, 3) // 2)[0].reshape(cells.shape[:-1])
                known[(absent, *to)] = False
        low, high = self.origins[slots] - rim < 0, self.origins[slots] + BRICK + rim > self.n
        for k in np.flatnonzero((low | high).any(1)):
            cells = self.origins[slots[k]] + np.stack(np.meshgrid(*[span] * 3, indexing="ij"), -1)
            out = ((cells < 0) | (cells >= self.n)).any(-1)
            values[k][out], known[k][out] = self.mirrored(cells[out])
        return values, known


def _doubled(blocks):
    """(K, s, s, s) -> (K, 2 s, 2 s, 2 s), every value eight times."""
    for axis in (1, 2, 3):
        blocks = blocks.repeat(2, axis)
    return blocks
