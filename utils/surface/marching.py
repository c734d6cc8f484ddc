"""Marching cubes over a sparse grid: the surface of a field whose values are known around it only.

Every batch of bricks is marched on its own. Vertices that two bricks share lie on the same edge of
the grid; they are found by it, and merged.
"""

import dataclasses

import numpy as np
from skimage.measure import marching_cubes

from utils.mesh.components import large_components, outer_walls
from utils.surface.sparse_grid import BRICK, SparseGrid

BATCH = 64  # bricks in one call of marching cubes
# Largest over smallest value that marching cubes sees. The values decide about the topology alone;
# the places of the vertices are computed afterwards.
RATIO = 50.0
WITHIN = 3  # axis of a vertex that lies within a cube of the grid, not on an edge
_STEPS = np.concatenate([np.eye(3, dtype=np.int64), np.zeros((1, 3), np.int64)])  # along an edge, by axis


@dataclasses.dataclass
class GridMesh:
    """A closed surface whose V vertices lie on edges of a resolution^3 grid of cell centres.

    A few vertices lie within a cube of eight cells instead, where marching cubes puts one there.
    """

    resolution: int
    cells: np.ndarray  # (V, 3) lower cell of the edge, or first cell of the cube; at the border also -1
    axis: np.ndarray  # (V,) axis of the edge, WITHIN for a vertex within a cube
    ends: np.ndarray  # (V, 2) the field at both ends of the edge, > 0 inside
    slopes: np.ndarray  # (V, 2, 3) central differences of the field at both ends, per cell
    faces: np.ndarray  # (F, 3) counter-clockwise seen from outside
    along: np.ndarray = dataclasses.field(init=False)  # (V,) place on the edge, from 0 to 1

    def __post_init__(self) -> None:
        a, b = self.ends.astype(np.float64).T
        on_edge = self.axis < WITHIN
        self.along = np.where(on_edge, a / np.where(on_edge, a - b, 1), 0)  # zero of the straight line

    def vertices(self) -> np.ndarray:
        """(V, 3) float64, object frame."""
        places = self.cells + np.clip(self.along, 1e-4, 1 - 1e-4)[:, None] * _STEPS[self.axis]
        within = self.axis == WITHIN
        if within.any():  # at the mean of the vertices around it
            pairs = np.concatenate([self.faces[:, [i, j]] for i in range(3) for j in range(3) if i != j])
            pairs = pairs[within[pairs[:, 0]] & ~within[pairs[:, 1]]]
            number = np.bincount(pairs[:, 0], minlength=len(places))[:, None]
            total = np.stack([np.bincount(pairs[:, 0], places[pairs[:, 1], k], len(places)) for k in range(3)], 1)
            places[within] = (total / np.maximum(number, 1))[within]
        return (places + 0.5) / self.resolution - 0.5

    def refine(self, values: np.ndarray) -> None:
        """Move the vertices along their edges to the surface of the field itself.

        This is one step of regula falsi.

        Args:
            values: (V,) the field at vertices(), > 0 inside.
        """
        value, t = values.astype(np.float64), self.along
        a, b = self.ends.astype(np.float64).T
        beyond = (value > 0) == (a > 0)  # the surface lies between t and the end of the edge
        low, a = np.where(beyond, t, 0), np.where(beyond, value, a)
        high, b = np.where(beyond, 1, t), np.where(beyond, b, value)
        on_edge = (self.axis < WITHIN) & (a != b)
        self.along = np.where(on_edge, low + (high - low) * a / np.where(on_edge, a - b, 1), t)

    def normals(self) -> np.ndarray:
        """(V, 3) unit vectors that point outward, from the central differences."""
        normals = -((1 - self.along[:, None]) * self.slopes[:, 0] + self.along[:, None] * self.slopes[:, 1])
        return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)

    def without_inner_walls(self) -> "GridMesh":
        """The part that can be seen from outside (utils.mesh.components.outer_walls)."""
        return self._part(outer_walls(self.vertices(), self.faces))

    def without_small_components(self) -> "GridMesh":
        """The components that are not small (utils.mesh.components.large_components)."""
        return self._part(large_components(self.vertices(), self.faces))

    def _part(self, kept: np.ndarray) -> "GridMesh":
        """The mesh of those faces for which `kept` (F,) is true."""
        used, faces = np.unique(self.faces[kept], return_inverse=True)
        cells, axis, ends, slopes = (values[used] for values in (self.cells, self.axis, self.ends, self.slopes))
        return GridMesh(self.resolution, cells, axis, ends, slopes, faces.reshape(-1, 3))


def triangulate(grid: SparseGrid) -> GridMesh:
    """The surface of the grid that utils.surface.adaptive.sample_adaptively returns.

    A vertex lies where a straight line between the values at the ends of its edge is zero. Parts
    that reach the border of the grid are cut off half a cell beyond its outermost centres.
    """
    # One scale for all bricks: two bricks that share an ambiguous face must decide alike about it,
    # or the surface has a hole between them.
    scale = np.median(abs(grid.values[grid.known]))
    parts, faces, count = [], [], 0
    for first in range(0, len(grid.values), BATCH):
        part = _march(grid, np.arange(first, min(first + BATCH, len(grid.values))), scale)
        if part is not None:
            faces.append(part[-1] + count)
            parts.append(part[:-1])
            count += len(part[0])
    cells, axis, ends, slopes = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    side = grid.resolution + 2  # cells are -1 .. resolution
    keys = (((cells[:, 0] + 1) * side + cells[:, 1] + 1) * side + cells[:, 2] + 1) * 4 + axis
    _, first_of_key, merged = np.unique(keys, return_index=True, return_inverse=True)
    all_faces = merged.reshape(-1)[np.concatenate(faces)]
    all_faces = all_faces[(all_faces != np.roll(all_faces, 1, 1)).all(1)]
    cells, axis, ends, slopes = (values[first_of_key] for values in (cells, axis, ends, slopes))
    return GridMesh(grid.resolution, cells, axis, ends, slopes, all_faces)


def _march(grid: SparseGrid, slots: np.ndarray, scale: np.floating) -> tuple[np.ndarray, ...] | None:
    """Marching cubes in the windows of some bricks.

    Args:
        grid: the sparse grid.
        slots: (K,) slots of the bricks.
        scale: a typical absolute value of the field.

    Returns:
        None where no surface is, else cells (V, 3), axis (V,), ends (V, 2), slopes (V, 2, 3) and
        faces (F, 3) as in GridMesh.
    """
    wide, _ = grid.windows(slots, rim=2)
    values = wide[:, 1:-1, 1:-1, 1:-1]
    inside = values > 0
    mixed = inside.any((1, 2, 3)) & ~inside.all((1, 2, 3))
    wide, values, slots = wide[mixed], values[mixed], slots[mixed]
    if not len(slots):
        return None
    size = BRICK + 2
    limited = np.sign(values) * np.clip(abs(values) / scale, RATIO**-0.5, RATIO**0.5)
    limited = np.where(values < 0, limited * (1 - 1e-4), limited)  # against ties, as in utils.surface.dense.solid
    mask = np.zeros((len(slots), size, size, size), bool)
    mask[:, 1:, 1:, 1:] = _own_cubes(grid, slots)  # scikit-image looks at the last corner of a cube
    stacked = (len(slots) * size, size, size)
    try:
        vertices, faces = marching_cubes(
            limited.astype(np.float32).reshape(stacked), 0, mask=mask.reshape(stacked), allow_degenerate=True
        )[:2]
    except RuntimeError:  # the surface passes through the rims of these windows alone, cubes of other bricks
        return None
    window = np.floor(vertices[:, 0] / size).astype(np.int64)
    local = vertices - np.stack([window * size, 0 * window, 0 * window], 1)
    rounded = np.rint(local)
    off = abs(local - rounded)
    on_edge = np.sort(off, 1)[:, 1] < 0.5 / RATIO
    axis = np.where(on_edge, off.argmax(1), WITHIN)
    moved = (axis[:, None] == np.arange(3)) | (axis[:, None] == WITHIN)
    lower = np.where(moved, np.floor(local), rounded).astype(np.int64)
    flat = np.stack([_flat_index(window, lower), _flat_index(window, lower + _STEPS[axis])], 1)
    field, wide_size = wide.ravel(), size + 2
    steps = (wide_size * wide_size, wide_size, 1)
    slopes = np.stack([field[flat + step] - field[flat - step] for step in steps], -1) / 2
    return grid.origins[slots][window] + lower - 1, axis, field[flat], slopes, faces[:, ::-1].astype(np.int64)


def _flat_index(window: np.ndarray, local: np.ndarray) -> np.ndarray:
    """Windows (N,), cells in windows of rim 1 (N, 3) -> (N,) indices into windows of rim 2."""
    size = BRICK + 4
    return ((window * size + local[:, 0] + 1) * size + local[:, 1] + 1) * size + local[:, 2] + 1


def _own_cubes(grid: SparseGrid, slots: np.ndarray) -> np.ndarray:
    """(K, 17, 17, 17) bool: the cubes that belong to the bricks, so that each is marched once.

    Their first cell lies in the brick, or in front of it where the grid begins. Cubes that begin
    beyond the end of the grid belong to none.
    """
    first = grid.origins[slots][:, :, None] + np.arange(-1, BRICK)  # (K, 3, 17)
    own = ((np.arange(-1, BRICK) >= 0) | (first == -1)) & (first < grid.resolution)
    return own[:, 0, :, None, None] & own[:, 1, None, :, None] & own[:, 2, None, None, :]
