"""From a field on a grid to a coloured surface mesh: marching cubes and colours from the field's own points."""

import dataclasses

import numpy as np

from utils.errors import UserError


@dataclasses.dataclass
class Solid:
    """The inside of a field: what is > 0 when `values` are read linearly between the cells."""

    values: (
        np.ndarray
    )  # (R+2, R+2, R+2) float32 [x, y, z], > 0 inside and < 0 outside, with a layer of outside around the grid
    line: np.ndarray  # (R,) cell centres along each axis, object frame

    def contains(self, points):
        """(N, 3) object-frame points -> (N,) bool."""
        from scipy.ndimage import map_coordinates

        place = (np.asarray(points, np.float64) - self.line[0]) / (self.line[1] - self.line[0]) + 1
        return map_coordinates(self.values, place.T, order=1, mode="nearest") > 0

    def surface(self):
        """Marching cubes: vertices (V, 3) float64 object frame, faces (F, 3) int, counter-clockwise seen from outside; closed."""
        from skimage.measure import marching_cubes

        vertices, faces = marching_cubes(self.values, 0, allow_degenerate=True)[:2]
        faces = faces[:, ::-1]  # scikit-image winds them for arrays indexed [z, y, x]
        return self.line[0] + (vertices.astype(np.float64) - 1) * (self.line[1] - self.line[0]), faces.astype(np.int64)


def solid(geometry, inside_positive, iso, fill=False, line=None):
    """The Solid of a field; UserError where the level has no surface.

    geometry (R, R, R) indexed [x, y, z]; inside where geometry > iso (inside_positive: logits) or < iso (distances).
    fill closes cavities: empty cells that are not connected (through faces of cells) to the outside become inside, so that
    the thick shell of occupied surface voxels gets one outer wall and no inner one. The outer wall stays where it is.
    line (R,): cell centres along each axis, object frame; default (i + 0.5)/R - 0.5.
    What touches the border of the grid is cut off half a cell outside the last centres.
    """
    signed = _inside_positive(geometry, inside_positive, iso)
    padded = np.pad(signed, 1, mode="edge")
    border = np.pad(np.zeros(signed.shape, bool), 1, constant_values=True)
    padded = np.where(border, -abs(padded), padded)  # mirrored at the level: the cut lies midway
    if fill:
        padded = np.where(_cavities(padded < 0), abs(padded), padded)
    # In a field of two values, like +1 and -1, all ambiguous faces are ties, which scikit-image decides differently from the
    # two sides of a face: the surface gets holes. A little less outside joins the inside cells every time.
    padded[padded < 0] *= np.float32(1 - 1e-4)
    return Solid(padded, (np.arange(len(signed)) + 0.5) / len(signed) - 0.5 if line is None else line)


def extract(geometry, inside_positive, iso, fill=False, line=None):
    """The surface of the `solid` of a field: vertices (V, 3) float64 object frame, faces (F, 3) int; arguments as there."""
    return solid(geometry, inside_positive, iso, fill, line).surface()


def _inside_positive(geometry, inside_positive, iso):
    """(R, R, R) float32, > 0 inside and < 0 outside, never 0; UserError where the level has no surface."""
    geometry = np.asarray(geometry, np.float64)
    low, high = float(geometry.min()), float(geometry.max())
    if not np.isfinite(geometry).all():
        raise UserError("the field has values that are not finite")
    inside = geometry > iso if inside_positive else geometry < iso
    rule = "inside is above the level" if inside_positive else "inside is below the level"
    numbers = f"min {low:.6g}, max {high:.6g}, level {iso:.6g} ({rule})"
    if not inside.any():
        raise UserError(f"field is empty: {numbers}")
    if inside.all():
        raise UserError(f"field is full: {numbers}; there is no surface inside the grid")
    distance = abs(geometry - iso)
    distance /= np.median(distance[distance > 0])  # scikit-image compares with absolute tolerances
    distance = np.maximum(distance, 1e-4)  # a value at the level itself would put several vertices on one point
    return np.where(inside, distance, -distance).astype(np.float32)


def _cavities(empty):
    """(N, N, N) bool -> the empty cells not connected through faces to the (empty) corner of the grid."""
    from scipy.ndimage import label

    labels = label(empty)[0]
    return empty & (labels != labels[0, 0, 0])
