"""The solid and the surface of a field that is known on a whole grid, by marching cubes."""

import dataclasses

import numpy as np
from scipy.ndimage import label, map_coordinates
from skimage.measure import marching_cubes

from utils.errors import UserError
from utils.geometry.frames import cell_centres
from utils.surface.field_grid import FieldGrid, interpolate_colours


@dataclasses.dataclass
class Solid:
    """The inside of a field: where `values`, read linearly between the cells, are > 0."""

    # (R+2, R+2, R+2) float32 [x, y, z], > 0 inside and < 0 outside; a layer of outside is around
    # the grid
    values: np.ndarray
    line: np.ndarray  # (R,) cell centres along each axis, object frame

    def contains(self, points: np.ndarray) -> np.ndarray:
        """(N, 3) object-frame points -> (N,) bool."""
        index = (np.asarray(points, np.float64) - self.line[0]) / (self.line[1] - self.line[0]) + 1
        return map_coordinates(self.values, index.T, order=1, mode="nearest") > 0

    def surface(self) -> tuple[np.ndarray, np.ndarray]:
        """The closed surface by marching cubes.

        Returns:
            vertices (V, 3) float64 object frame, faces (F, 3) int64, counter-clockwise seen from
            outside.
        """
        vertices, faces = marching_cubes(self.values, 0, allow_degenerate=True)[:2]
        faces = faces[:, ::-1]  # scikit-image winds them for arrays indexed [z, y, x]
        return self.line[0] + (vertices.astype(np.float64) - 1) * (self.line[1] - self.line[0]), faces.astype(np.int64)


def solid(
    geometry: np.ndarray, inside_positive: bool, iso: float, fill: bool = False, line: np.ndarray | None = None
) -> Solid:
    """The Solid of a field. Parts at the border of the grid are cut off half a cell beyond it.

    Args:
        geometry: (R, R, R) values, indexed [x, y, z].
        inside_positive: the inside has values > iso (as logits have), not < iso (distances).
        iso: value of the field at the surface.
        fill: close the cavities: outside cells that are not connected to the border (through faces
            of cells) become inside. The thick shell of occupied surface voxels then has its outer
            wall, which stays in place, and no inner one.
        line: (R,) cell centres along each axis, object frame; default: cell_centres(R).

    Raises:
        UserError: the field has no surface, or values that are not finite.
    """
    signed = _signed(geometry, inside_positive, iso)
    padded = np.pad(signed, 1, mode="edge")
    border = np.pad(np.zeros(signed.shape, bool), 1, constant_values=True)
    padded = np.where(border, -abs(padded), padded)  # mirrored values: the cut lies midway
    if fill:
        padded = np.where(_cavities(padded < 0), abs(padded), padded)
    # In a field of two values, like +1 and -1, all ambiguous faces are ties. scikit-image decides
    # them differently from the two sides of a face, and the surface gets holes. With outside values
    # that are a little smaller, the inside cells are joined every time.
    padded[padded < 0] *= np.float32(1 - 1e-4)
    return Solid(padded, cell_centres(len(signed)) if line is None else line)


def extract(
    geometry: np.ndarray, inside_positive: bool, iso: float, fill: bool = False, line: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The surface of a field: arguments as for solid(), result as of Solid.surface()."""
    return solid(geometry, inside_positive, iso, fill, line).surface()


def coloured_surface(
    field: FieldGrid, binary: bool, iso: float, fill: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The surface of a field with its colours.

    Args:
        field: the field.
        binary: whether it holds occupancy logits (True) or signed distances.
        iso: value of the field at the surface.
        fill: leave out the walls of closed cavities.

    Returns:
        Vertices (V, 3) object frame, faces (F, 3), colours (V, 3) in [0, 1].

    Raises:
        UserError: there is no surface at the iso value, or no cell has a colour.
    """
    vertices, faces = extract(field.grid(), binary, iso, fill, field.line)
    return vertices, faces, interpolate_colours(vertices, field)


def _signed(geometry: np.ndarray, inside_positive: bool, iso: float) -> np.ndarray:
    """(R, R, R) float32, > 0 inside and < 0 outside, never 0; UserError if there is no surface."""
    geometry = np.asarray(geometry, np.float64)
    low, high = float(geometry.min()), float(geometry.max())
    if not np.isfinite(geometry).all():
        raise UserError("the field has values that are not finite")
    inside = geometry > iso if inside_positive else geometry < iso
    rule = "inside is above it" if inside_positive else "inside is below it"
    numbers = f"min {low:.6g}, max {high:.6g}, iso value {iso:.6g} ({rule})"
    if not inside.any():
        raise UserError(f"field is empty: {numbers}")
    if inside.all():
        raise UserError(f"field is full: {numbers}; there is no surface inside the grid")
    distance = abs(geometry - iso)
    distance /= np.median(distance[distance > 0])  # scikit-image compares with absolute tolerances
    distance = np.maximum(distance, 1e-4)  # exactly at the iso value, several vertices would lie on one point
    return np.where(inside, distance, -distance).astype(np.float32)


def _cavities(outside: np.ndarray) -> np.ndarray:
    """(N, N, N) bool -> the outside cells not connected through faces to the corner of the grid."""
    labels = label(outside)[0]
    return outside & (labels != labels[0, 0, 0])
