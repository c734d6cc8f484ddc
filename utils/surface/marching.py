"""Marching cubes over bricks: the surface of a field that is known around it only."""

import dataclasses

import numpy as np

from utils.mesh.components import large_components, outer_walls
from utils.surface.sparse_grid import BRICK, Level

BATCH = 64  # bricks in one call of marching cubes
RATIO = 50.0  # of the largest to the smallest value that marching cubes sees: it decides the topology, not the place
_STEPS = np.concatenate(
    [np.eye(3, dtype=np.int64), np.zeros((1, 3), np.int64)]
)  # along an edge; 3: a vertex within a cube


@dataclasses.dataclass
class BrickMesh:
    """A closed surface whose V vertices lie on edges of an n^3 grid of cells, or within a cube of it; F faces."""

    n: int
    cells: np.ndarray  # (V, 3) lower cell of the edge, or first cell of the cube; -1 and n - 1 too, at the border
    axis: np.ndarray  # (V,) of the edge; 3: within a cube
    ends: np.ndarray  # (V, 2) the field at both ends, > 0 inside
    slopes: np.ndarray  # (V, 2, 3) central differences of the field at both ends, per cell
    faces: np.ndarray  # (F, 3) counter-clockwise seen from outside

    def __post_init__(self):
        a, b = self.ends.astype(np.float64).T
        self.along = np.where(
            self.axis < 3, a / np.where(self.axis < 3, a - b, 1), 0
        )  # where a straight line crosses the level

    def vertices(self):
        """(V, 3) float64, object frame."""
        places = self.cells + np.clip(self.along, 1e-4, 1 - 1e-4)[:, None] * _STEPS[self.axis]
        within = self.axis == 3
        if within.any():  # the mean of the vertices around it
            pairs = np.concatenate([self.faces[:, [i, j]] for i in range(3) for j in range(3) if i != j])
            pairs = pairs[within[pairs[:, 0]] & ~within[pairs[:, 1]]]
            number = np.bincount(pairs[:, 0], minlength=len(places))[:, None]
            total = np.stack([np.bincount(pairs[:, 0], places[pairs[:, 1], k], len(places)) for k in range(3)], 1)
            places[within] = (total / np.maximum(number, 1))[within]
        return (places + 0.5) / self.n - 0.5

    def refine(self, values):
        """Move the vertices along their edges to where the field itself crosses the level: one step of regula falsi.

        values (V,): the field at vertices(), > 0 inside.
        """
        value, t = values.astype(np.float64), self.along
        a, b = self.ends.astype(np.float64).T
        first = (value > 0) == (a > 0)  # the crossing lies between t and the edge's end
        low, a = np.where(first, t, 0), np.where(first, value, a)
        high, b = np.where(first, 1, t), np.where(first, b, value)
        edge = (self.axis < 3) & (a != b)
        self.along = np.where(edge, low + (high - low) * a / np.where(edge, a - b, 1), t)

    def normals(self):
        """(V, 3) unit vectors outward, from the central differences."""
        normals = -((1 - self.along[:, None]) * self.slopes[:, 0] + self.along[:, None] * self.slopes[:, 1])
        return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)

    def without_inner_walls(self):
        """The part that can be seen from outside (utils.mesh.components.outer_walls)."""
        return self._part(*outer_walls(self.vertices(), self.faces))

    def without_small_components(self):
        """The pieces that are not tiny (utils.mesh.components.large_components)."""
        kept = self.faces[large_components(self.faces, self.vertices())]
        used, faces = np.unique(kept, return_inverse=True)
        return self._part(used, faces.reshape(-1, 3))

    def _part(self, used, faces):
        return BrickMesh(self.n, *(each[used] for each in (self.cells, self.axis, self.ends, self.slopes)), faces)


def triangulate(level: Level):
    """The surface of the finest Level of utils.surface.adaptive.sample_adaptively, all vertices where a straight line crosses the level.

    What touches the border of the grid is cut off half a cell outside the last centres.
    """
    # one scale for all bricks: two that share an ambiguous face have to decide alike, or the surface has a hole between them
    scale = np.median(abs(level.values[level.known]))
    found, faces, count = [], [], 0
    for first in range(0, len(level.values), BATCH):
        part = _march(level, np.arange(first, min(first + BATCH, len(level.values))), scale)
        if part is not None:
            faces.append(part[-1] + count)
            found.append(part[:-1])
            count += len(part[0])
    cells, axis, ends, slopes = (np.concatenate(each) for each in zip(*found, strict=True))
    side = level.n + 2  # cells are -1 .. n
    keys = (((cells[:, 0] + 1) * side + cells[:, 1] + 1) * side + cells[:, 2] + 1) * 4 + axis
    _, first, welded = np.unique(keys, return_index=True, return_inverse=True)
    faces = welded.reshape(-1)[np.concatenate(faces)]
    faces = faces[(faces != np.roll(faces, 1, 1)).all(1)]
    return BrickMesh(level.n, cells[first], axis[first], ends[first], slopes[first], faces)


def _march(level, slots, scale):
    """Marching cubes in the windows of some bricks, or None where no surface is. scale: a usual size of the field's values.

    Returns of V vertices the lower cells (V, 3) of the grid edges they lie on and the edges' axes (V,), or a cube's first cell and
    3 for a vertex within it; the values (V, 2) at both ends and the field's slopes there (V, 2, 3), per cell; faces (F, 3).
    """
    from skimage.measure import marching_cubes

    wide, _ = level.windows(slots, rim=2)
    values = wide[:, 1:-1, 1:-1, 1:-1]
    inside = values > 0
    mixed = inside.any((1, 2, 3)) & ~inside.all((1, 2, 3))
    wide, values, slots = wide[mixed], values[mixed], slots[mixed]
    if not len(slots):
        return None
    size = BRICK + 2
    seen = np.sign(values) * np.clip(abs(values) / scale, RATIO**-0.5, RATIO**0.5)
    seen = np.where(values < 0, seen * (1 - 1e-4), seen)  # ties, as in utils.surface.dense.extract
    mask = np.zeros((len(slots), size, size, size), bool)
    mask[:, 1:, 1:, 1:] = _own_cubes(level, slots)  # scikit-image looks at the last corner of a cube
    stacked = (len(slots) * size, size, size)
    try:
        vertices, faces = marching_cubes(
            seen.astype(np.float32).reshape(stacked), 0, mask=mask.reshape(stacked), allow_degenerate=True
        )[:2]
    except RuntimeError:  # the surface passes through the rims of these windows alone, which are other bricks' cubes
        return None
    place = np.floor(vertices[:, 0] / size).astype(np.int64)
    local = vertices - np.stack([place * size, 0 * place, 0 * place], 1)
    rounded = np.rint(local)
    off = abs(local - rounded)
    on_edge = np.sort(off, 1)[:, 1] < 0.5 / RATIO
    axis = np.where(on_edge, off.argmax(1), 3)
    moved = (axis[:, None] == np.arange(3)) | (axis[:, None] == 3)
    lower = np.where(moved, np.floor(local), rounded).astype(np.int64)
    flat = np.stack([_flat(place, lower), _flat(place, lower + _STEPS[axis])], 1)
    field, wide_size = wide.ravel(), size + 2
    slopes = (
        np.stack([field[flat + step] - field[flat - step] for step in (wide_size * wide_size, wide_size, 1)], -1) / 2
    )
    return level.origins[slots][place] + lower - 1, axis, field[flat], slopes, faces[:, ::-1].astype(np.int64)


def _flat(place, local):
    """Window and cell within the narrow window -> index into all values of the wide ones."""
    size = BRICK + 4
    return ((place * size + local[:, 0] + 1) * size + local[:, 1] + 1) * size + local[:, 2] + 1


def _own_cubes(level, slots):
    """(K, 17, 17, 17): cubes whose first cell is in the brick, or in front of it where the grid begins; none out of the grid."""
    first = level.origins[slots][:, :, None] + np.arange(-1, BRICK)  # (K, 3, 17)
    own = ((np.arange(-1, BRICK) >= 0) | (first == -1)) & (first < level.n)
    return own[:, 0, :, None, None] & own[:, 1, None, :, None] & own[:, 2, None, None, :]
