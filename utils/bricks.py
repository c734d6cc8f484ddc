"""Samples of a field on a fine grid, kept only where somebody asked: bricks of cells over coarser levels of the same."""

import numpy as np

BRICK = 16  # cells along a brick's axis


class Level:
    """Values at the cell centres of an n^3 grid, in bricks of 16^3 cells; cells of other bricks have their coarser cell's value.

    values (K, 16, 16, 16) float32, indexed [x, y, z] within a brick; known, the same shape: the field was asked there. A cell
    that was not asked has the value of the cell of the coarser level (n / 2) that it lies in.
    """

    def __init__(self, n, coarser=None):
        self.n, self.coarser = n, coarser
        self.slot = np.full((-(-n // BRICK),) * 3, -1, np.int32)  # brick -> its place in `values`, -1 where there is none
        self.origins = np.zeros((0, 3), np.int64)  # first cell of every brick
        self.values = np.zeros((0, *(BRICK,) * 3), np.float32)
        self.known = np.zeros((0, *(BRICK,) * 3), bool)

    def insert(self, cells, values):
        """Store what the field said at (N, 3) cells."""
        brick = cells // BRICK
        missing = np.unique(brick[self.slot[tuple(brick.T)] < 0], axis=0)
        if len(missing):
            self.slot[tuple(missing.T)] = len(self.values) + np.arange(len(missing))
            origins = missing * BRICK
            filled = np.zeros((len(missing), *(BRICK,) * 3), np.float32)
            if self.coarser is not None:
                filled = _doubled(self.coarser.block(origins // 2, BRICK // 2))
            self.origins = np.concatenate([self.origins, origins])
            self.values = np.concatenate([self.values, filled])
            self.known = np.concatenate([self.known, np.zeros(filled.shape, bool)])
        where = (self.slot[tuple(brick.T)], *(cells - brick * BRICK).T)
        self.values[where] = values
        self.known[where] = True

    def block(self, origins, size):
        """(K, size, size, size) values of the blocks whose first cells are `origins` (K, 3), multiples of size <= 16."""
        brick = origins // BRICK
        slot = self.slot[tuple(brick.T)]
        blocks = np.empty((len(origins), *(size,) * 3), np.float32)
        for k in np.flatnonzero(slot >= 0):
            x, y, z = origins[k] - brick[k] * BRICK
            blocks[k] = self.values[slot[k], x : x + size, y : y + size, z : z + size]
        absent = slot < 0
        if absent.any():
            blocks[absent] = _doubled(self.coarser.block(origins[absent] // 2, size // 2)) if size > 1 else \
                self.value(origins[absent])[:, None, None, None]  # fmt: skip
        return blocks

    def value(self, cells):
        """(N,) values of (N, 3) cells of the grid."""
        return self.look_up(cells)[0]

    def look_up(self, cells):
        """(N,) values, (N,) known of (N, 3) cells of the grid."""
        brick = cells // BRICK
        slot = self.slot[tuple(brick.T)]
        where = (slot, *(cells - brick * BRICK).T)
        values, known = self.values[where], self.known[where]
        absent = slot < 0
        if absent.any():
            values[absent] = self.coarser.value(cells[absent] // 2)
            known[absent] = False
        return values, known

    def mirrored(self, cells):
        """look_up of (N, 3) cells that may lie out of the grid; the values there are those at the border, as empty."""
        inside = np.clip(cells, 0, self.n - 1)
        values, known = self.look_up(inside)
        return np.where((inside == cells).all(-1), values, -abs(values)), known

    def windows(self, slots):
        """Bricks with one more cell all around -> values (K, 18, 18, 18), known, cells (K, 18, 18, 18, 3).

        Cells out of the grid mirror those at its border as empty (-|value|), so that a surface is closed there; they are as
        known as those.
        """
        line = np.arange(-1, BRICK + 1)
        local = np.stack(np.meshgrid(line, line, line, indexing="ij"), -1)
        cells = self.origins[slots][:, None, None, None] + local
        values = np.empty(cells.shape[:-1], np.float32)
        known = np.empty(cells.shape[:-1], bool)
        inner = (slice(None), *(slice(1, -1),) * 3)
        values[inner], known[inner] = self.values[slots], self.known[slots]
        rim = np.ones(local.shape[:-1], bool)
        rim[1:-1, 1:-1, 1:-1] = self.n % BRICK > 0  # then bricks at the border reach out of the grid
        found = self.mirrored(cells[:, rim].reshape(-1, 3))
        values[:, rim], known[:, rim] = (part.reshape(len(slots), -1) for part in found)
        return values, known, cells


def _doubled(blocks):
    """(K, s, s, s) -> (K, 2 s, 2 s, 2 s), every value eight times."""
    for axis in (1, 2, 3):
        blocks = blocks.repeat(2, axis)
    return blocks
