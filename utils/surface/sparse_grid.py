"""Values of a field on a fine grid, stored near the surface only.

A sparse grid stores bricks of 16^3 cells. A cell outside its bricks has the value of the coarser
cell that it lies in, from the sparse grid of half the resolution.
"""

from __future__ import annotations

import numpy as np

BRICK = 16  # cells along each axis of a brick


class SparseGrid:
    """Values at the cell centres of a resolution^3 grid, stored in bricks of 16^3 cells.

    Attributes:
        resolution: cells along each axis of the grid.
        coarser: the SparseGrid of half the resolution, None for the coarsest.
        slot_of: brick indices [x, y, z] -> its slot, the index of its arrays below; -1 where the
            brick is not stored.
        origins: (K, 3) first cell of every stored brick.
        values: (K, 16, 16, 16) float32, indexed [slot, x, y, z]. A cell that is not known has the
            value of its coarser cell.
        known: (K, 16, 16, 16) bool: the value was queried, or interpolated where that gives the
            right side of the surface for sure.
    """

    def __init__(self, resolution: int, coarser: SparseGrid | None = None):
        self.resolution, self.coarser = resolution, coarser
        self.slot_of = np.full((-(-resolution // BRICK),) * 3, -1, np.int64)
        self.origins = np.zeros((0, 3), np.int64)
        self.values = np.zeros((0, *(BRICK,) * 3), np.float32)
        self.known = np.zeros((0, *(BRICK,) * 3), bool)

    def add_bricks(self, bricks: np.ndarray) -> None:
        """Store those of (N, 3) bricks that are not stored yet, filled from the coarser grid."""
        wanted = np.zeros(self.slot_of.shape, bool)
        wanted[tuple(bricks.T)] = True
        missing = np.argwhere(wanted & (self.slot_of < 0))
        if not len(missing):
            return
        self.slot_of[tuple(missing.T)] = len(self.values) + np.arange(len(missing))
        origins = missing * BRICK
        filled = np.zeros((len(missing), *(BRICK,) * 3), np.float32)
        if self.coarser is not None:
            filled = _doubled(self.coarser.blocks(origins // 2, BRICK // 2))
        self.origins = np.concatenate([self.origins, origins])
        self.values = np.concatenate([self.values, filled])
        self.known = np.concatenate([self.known, np.zeros(filled.shape, bool)])

    def flat_index(self, cells: np.ndarray) -> np.ndarray:
        """(..., 3) cells of stored bricks -> (...) indices into values.ravel()."""
        brick, local = cells // BRICK, cells % BRICK
        slot = self.slot_of[brick[..., 0], brick[..., 1], brick[..., 2]]
        return ((slot * BRICK + local[..., 0]) * BRICK + local[..., 1]) * BRICK + local[..., 2]

    def insert(self, cells: np.ndarray, values: np.ndarray) -> None:
        """Store known (N,) values at (N, 3) cells, adding bricks where they are missing."""
        self.add_bricks(cells // BRICK)
        self.store(self.flat_index(cells), values)

    def store(self, index: np.ndarray, values: np.ndarray) -> None:
        """Store known (N,) values at the cells of a flat_index (N,)."""
        self.values.ravel()[index] = values
        self.known.ravel()[index] = True

    def blocks(self, origins: np.ndarray, size: int) -> np.ndarray:
        """Values of cubic blocks of cells.

        Args:
            origins: (K, 3) first cells of the blocks, multiples of size.
            size: cells along each axis of a block, a power of 2, at most 16.

        Returns:
            (K, size, size, size) float32.
        """
        brick, part = origins // BRICK, origins % BRICK // size
        slot = self.slot_of[tuple(brick.T)]
        blocks = np.empty((len(origins), *(size,) * 3), np.float32)
        stored, count = slot >= 0, BRICK // size
        cut = self.values.reshape(-1, count, size, count, size, count, size)
        x, y, z = part[stored].T
        blocks[stored] = cut[slot[stored], x, :, y, :, z, :]
        if not stored.all():
            coarser_origins = origins[~stored] // 2
            if size > 1:
                blocks[~stored] = _doubled(self._coarser.blocks(coarser_origins, size // 2))
            else:
                blocks[~stored] = self._coarser.blocks(coarser_origins, 1)
        return blocks

    def look_up(self, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N, 3) cells of the grid -> (N,) values, (N,) whether they are known."""
        stored = self.slot_of[tuple((cells // BRICK).T)] >= 0
        values, known = np.empty(len(cells), np.float32), np.zeros(len(cells), bool)
        index = self.flat_index(cells[stored])
        values[stored], known[stored] = self.values.ravel()[index], self.known.ravel()[index]
        if not stored.all():
            values[~stored] = self._coarser.look_up(cells[~stored] // 2)[0]
        return values, known

    def windows(self, slots: np.ndarray, rim: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Bricks together with the cells around them.

        Cells beyond the border of the grid mirror its outermost cells as outside the object:
        -|value|, so that a surface is closed there. They are known where those are.

        Args:
            slots: (K,) slots of the bricks.
            rim: number of cells around a brick on every side.

        Returns:
            values (K, s, s, s) float32, known (K, s, s, s) bool, with s = 16 + 2 rim.
        """
        size = BRICK + 2 * rim
        values, known = np.empty((len(slots), *(size,) * 3), np.float32), np.empty((len(slots), *(size,) * 3), bool)
        inner, span = slice(rim, -rim), range(-rim, BRICK + rim)
        values[:, inner, inner, inner], known[:, inner, inner, inner] = self.values[slots], self.known[slots]
        bricks = self.origins[slots] // BRICK
        padded = np.pad(self.slot_of, 1, constant_values=-2)  # -2: beyond the border of the grid
        # part of a window, and part of the neighbouring brick that fills it, by the step to it
        target = {-1: slice(0, rim), 0: inner, 1: slice(size - rim, size)}
        source = {-1: slice(BRICK - rim, BRICK), 0: slice(0, BRICK), 1: slice(0, rim)}
        for side in np.ndindex(3, 3, 3):
            if side == (1, 1, 1):
                continue
            step = np.array(side) - 1
            neighbour = padded[tuple((bricks + step + 1).T)]
            (x, y, z), (sx, sy, sz) = (target[d] for d in step), (source[d] for d in step)
            stored, absent = np.flatnonzero(neighbour >= 0), np.flatnonzero(neighbour == -1)
            values[stored, x, y, z] = self.values[neighbour[stored], sx, sy, sz]
            known[stored, x, y, z] = self.known[neighbour[stored], sx, sy, sz]
            if len(absent):
                local = np.stack(np.meshgrid(*[np.array(span)[part] for part in (x, y, z)], indexing="ij"), -1)
                cells = self.origins[slots[absent]][:, None, None, None] + local
                nearest = np.minimum(cells, self.resolution - 1)  # cells beyond the border are set below
                coarse = self._coarser.look_up(nearest.reshape(-1, 3) // 2)[0]
                values[absent, x, y, z] = coarse.reshape(cells.shape[:-1])
                known[absent, x, y, z] = False
        low, high = self.origins[slots] - rim < 0, self.origins[slots] + BRICK + rim > self.resolution
        border = np.flatnonzero((low | high).any(1))
        first, place = self.origins[slots[border]][:, :, None] - rim, np.arange(size)
        nearest = np.clip(place, -first, self.resolution - 1 - first)  # (border, 3, s): in the same window
        inside, (beyond_x, beyond_y, beyond_z) = (
            (axes[:, 0, :, None, None], axes[:, 1, None, :, None], axes[:, 2, None, None, :])
            for axes in (nearest, nearest != place)
        )
        index = border[:, None, None, None], *inside
        values[border] = np.where(beyond_x | beyond_y | beyond_z, -abs(values[index]), values[index])
        known[border] = known[index]
        return values, known

    @property
    def _coarser(self) -> SparseGrid:
        """The coarser grid of a grid that is not the coarsest, which stores all its bricks."""
        assert self.coarser is not None
        return self.coarser


def _doubled(blocks: np.ndarray) -> np.ndarray:
    """(K, s, s, s) -> (K, 2 s, 2 s, 2 s), every value eight times."""
    for axis in (1, 2, 3):
        blocks = blocks.repeat(2, axis)
    return blocks
