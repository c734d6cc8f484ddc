"""A scalar field with colours on a regular grid, and guesses of its meaning: mode and iso value."""

import dataclasses
from typing import Literal

import numpy as np
from scipy.spatial import cKDTree

from utils.errors import UserError
from utils.geometry.frames import cell_centres

NEIGHBOURS = 8  # coloured cells that a vertex is coloured from, as many as a cube has corners


@dataclasses.dataclass
class FieldGrid:
    """A field on an R^3 grid, x fastest, then y, then z."""

    resolution: int
    geometry: np.ndarray  # (R^3,) float32 g0: logit of class 1 minus class 0, or signed distance
    colours: np.ndarray  # (R^3, 3) float32 in [0, 1], -1 in empty cells
    # (R,) cell centres along each axis, object frame; default: cell_centres(resolution)
    line: np.ndarray = dataclasses.field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        if not len(self.line):
            self.line = cell_centres(self.resolution)

    def coloured(self) -> np.ndarray:
        """(R^3,) bool: the cells that have a colour."""
        return np.all(self.colours >= 0, axis=1)

    def points(self, cells: np.ndarray) -> np.ndarray:
        """(N,) indices of cells, or a (R^3,) mask -> (N, 3) their centres, object frame."""
        indices = np.flatnonzero(cells) if cells.dtype == bool else cells
        z, y, x = np.unravel_index(indices, (self.resolution,) * 3)
        return np.stack([self.line[x], self.line[y], self.line[z]], 1)

    def grid(self) -> np.ndarray:
        """(R, R, R) g0 indexed [x, y, z]."""
        return self.geometry.reshape((self.resolution,) * 3).transpose(2, 1, 0)


def infer_mode(field: FieldGrid) -> Literal["binary", "sdf"] | None:
    """The mode of a field, by the values of g0 in coloured and in empty cells.

    Returns:
        "binary" if all coloured cells have larger values than the empty ones, "sdf" if all have
        smaller values, None if the values overlap or one of the two kinds is missing.
    """
    coloured, empty = _split(field)
    if not len(coloured) or not len(empty):
        return None
    if coloured.min() > empty.max():
        return "binary"
    return "sdf" if coloured.max() < empty.min() else None


def infer_iso(field: FieldGrid, binary: bool) -> float:
    """The iso value between coloured and empty cells.

    Returns:
        0 if it separates them, or if no value does; else the value halfway between them.
    """
    if infer_mode(field) != ("binary" if binary else "sdf"):
        return 0.0
    sign = 1 if binary else -1
    coloured, empty = (sign * values for values in _split(field))
    low, high = empty.max(), coloured.min()
    return 0.0 if low <= 0 < high else sign * float(low + high) / 2


def _split(field: FieldGrid) -> tuple[np.ndarray, np.ndarray]:
    """g0 of the coloured cells, and of the empty ones, float64."""
    coloured, geometry = field.coloured(), field.geometry.astype(np.float64)
    return geometry[coloured], geometry[~coloured]


def interpolate_colours(vertices: np.ndarray, field: FieldGrid) -> np.ndarray:
    """(V, 3) object-frame vertices -> (V, 3) colours in [0, 1]; UserError if no cell is coloured.

    A colour is the mean of the nearest coloured cells (KD-tree), weighted by the inverse of their
    squared distance.
    """
    coloured = field.coloured()
    if not coloured.any():
        raise UserError("the field has no coloured points")
    known = field.colours[coloured].astype(np.float64)
    k = min(NEIGHBOURS, len(known))
    distances, nearest = cKDTree(field.points(coloured)).query(vertices, k=list(range(1, k + 1)))
    cell = 1 / field.resolution
    weights = 1 / (distances**2 + (1e-3 * cell) ** 2)  # finite at a coloured centre, whose own colour then wins
    weights /= weights.sum(1, keepdims=True)
    return np.clip((weights[..., None] * known[nearest]).sum(1), 0, 1)
