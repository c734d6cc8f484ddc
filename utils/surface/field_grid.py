"""A scalar field with colours on a regular grid."""

import dataclasses

import numpy as np

from utils.errors import UserError


@dataclasses.dataclass
class FieldGrid:
    """A field on an R^3 grid, x fastest, then y, then z."""

    resolution: int
    geometry: np.ndarray  # (R^3,) float32 g0
    colours: np.ndarray  # (R^3, 3) float32 in [0, 1], -1 where empty
    line: np.ndarray = None  # (R,) cell centres along each axis, object frame; None: (i + 0.5)/R - 0.5

    def __post_init__(self):
        if self.line is None:
            self.line = (np.arange(self.resolution) + 0.5) / self.resolution - 0.5

    def coloured(self):
        """(R^3,) bool: the cells that carry a colour."""
        return (self.colours >= 0).all(1)

    def points(self, cells):
        """(N,) indices of cells, or a (R^3,) mask -> (N, 3) their centres, object frame."""
        indices = np.flatnonzero(cells) if cells.dtype == bool else cells
        z, y, x = np.unravel_index(indices, (self.resolution,) * 3)
        return np.stack([self.line[x], self.line[y], self.line[z]], 1)

    def grid(self):
        """(R, R, R) g0 indexed [x, y, z]."""
        return self.geometry.reshape((self.resolution,) * 3).transpose(2, 1, 0)


def infer_mode(field):
    """'binary' where every coloured cell has a larger g0 than every empty one, 'sdf' where smaller, else None."""
    coloured, empty = _split(field)
    if not len(coloured) or not len(empty):
        return None
    if coloured.min() > empty.max():
        return "binary"
    return "sdf" if coloured.max() < empty.min() else None


def infer_iso(field, binary):
    """The iso value between coloured and empty cells: 0 if that separates them (or if nothing does), else halfway."""
    if infer_mode(field) != ("binary" if binary else "sdf"):
        return 0.0
    sign = 1 if binary else -1
    coloured, empty = (sign * each for each in _split(field))
    low, high = empty.max(), coloured.min()
    return 0.0 if low <= 0 < high else sign * float(low + high) / 2


def _split(field):
    """g0 of the coloured cells, g0 of the empty ones, float64."""
    coloured, geometry = field.coloured(), field.geometry.astype(np.float64)
    return geometry[coloured], geometry[~coloured]


NEIGHBOURS = 8  # coloured points that a vertex is coloured from: the corners of a cell


def interpolate_colours(vertices, field):
    """(V, 3) object-frame vertices, FieldGrid -> (V, 3) colours in [0, 1].

    Mean of the nearest coloured points (KD-tree), weighted by the inverse of their squared distance.
    """
    from scipy.spatial import cKDTree

    coloured = field.coloured()
    if not coloured.any():
        raise UserError("the field has no coloured points")
    known = field.colours[coloured].astype(np.float64)
    k = min(NEIGHBOURS, len(known))
    distances, nearest = cKDTree(field.points(coloured)).query(vertices, k=list(range(1, k + 1)))
    cell = 1 / field.resolution
    weights = 1 / (distances**2 + (1e-3 * cell) ** 2)  # finite at a coloured point, whose own colour then wins
    weights /= weights.sum(1, keepdims=True)
    return np.clip((weights[..., None] * known[nearest]).sum(1), 0, 1)
