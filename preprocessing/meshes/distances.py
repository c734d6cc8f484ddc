"""Points in space around a mesh and their signed distances to it."""

import pathlib
import warnings

import numpy as np

from preprocessing.meshes.inside import Solid, winding_inside
from utils.mesh.mesh import Mesh
from utils.mesh.ray_scene import RayScene

NEAR = ((0.5, 0.0125), (0.3, 0.05))  # share of the points, standard deviation of their distance from the surface
SIGNS = ("auto", "thick", "winding")  # rules for the inside of a mesh, see signed_distances
DEFAULT_SIGN = "auto"
UNRECORDED_SIGN = "winding"  # of raw folders and shards that do not record their sign
SIGN_HELP = (
    "what is inside a mesh. auto: what its closed parts enclose and what is hidden from outside; thick: sheets are "
    "plates besides; winding: by the winding number of the faces as they are"
)
CELLS = 16  # along each side of the points
THICKNESS = 0.01  # of the plates that 'thick' makes of sheets, over the extent


def sample_space(surface_points: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw points of the cube [-0.5, 0.5]^3, mostly near a surface (object frame).

    50 % are surface points plus normal noise of standard deviation 0.0125, 30 % with 0.05, and
    20 % are uniform in the cube. Points outside the cube are drawn again.

    Args:
        surface_points: (N, 3) points on the surface.
        count: number of points to draw.
        rng: source of the random numbers.

    Returns:
        (count, 3) points in random order.
    """
    parts = []
    for share, deviation in NEAR:
        part = np.full((round(share * count), 3), np.inf)
        outside = np.arange(len(part))
        while len(outside):
            centres = surface_points[rng.integers(len(surface_points), size=len(outside))]
            part[outside] = centres + rng.normal(0, deviation, (len(outside), 3))
            outside = outside[(np.abs(part[outside]) > 0.5).any(1)]
        parts.append(part)
    parts.append(rng.uniform(-0.5, 0.5, (count - sum(map(len, parts)), 3)))
    order = np.arange(count)
    rng.shuffle(order)  # the same order as that of shuffled points, which numpy swaps one by one
    return np.concatenate(parts)[order]


def signed_distances(mesh: Mesh, points: np.ndarray, sign: str = DEFAULT_SIGN) -> np.ndarray:
    """(N,) distances of (N, 3) points from the mesh, negative inside.

    Args:
        mesh: need not be watertight or consistently oriented.
        points: in the frame of the mesh.
        sign: one of SIGNS. 'auto': the inside of preprocessing.meshes.inside.Solid, in which sheets
            have none. 'thick': the same, but sheets are plates of THICKNESS. 'winding': where the
            absolute value of the winding number of the faces, as they are, exceeds one half.
    """
    order = _by_cell(points)
    distances = np.empty(len(points))
    distances[order] = _in_this_order(mesh, np.asarray(points)[order], sign)
    return distances


def _by_cell(points: np.ndarray) -> np.ndarray:
    """(N,) order of points (N, 3) in which neighbours follow each other.

    Trees of faces are then read in parts that stay in the cache of the processor.
    """
    if not len(points):
        return np.zeros(0, np.int64)
    scale = (CELLS - 1) / max(np.ptp(points), np.finfo(float).tiny)
    cells = ((points - points.min(0)) * scale).astype(np.int64)
    return np.argsort(np.ravel_multi_index(cells.T, (CELLS,) * 3).astype(np.uint16), kind="stable")


def _in_this_order(mesh: Mesh, points: np.ndarray, sign: str) -> np.ndarray:
    """The same as signed_distances."""
    distances = RayScene(mesh.vertices, mesh.faces).distances(points).astype(np.float64)
    if sign == "winding":
        return np.where(winding_inside(mesh.vertices, mesh.faces, points), -distances, distances)
    solid = Solid(mesh)
    distances = np.where(solid.contains(points), -distances, distances)
    if sign == "thick" and len(solid.sheets):
        extent = np.ptp(mesh.vertices[mesh.faces.ravel()], axis=0).max()
        plates = RayScene(solid.vertices, solid.sheets).distances(points).astype(np.float64)
        distances = np.minimum(distances, plates - THICKNESS / 2 * extent)
    return distances


def warn_without_inside(distances: np.ndarray, sign: str, path: pathlib.Path) -> None:
    """Warn, with the name of the mesh file `path`, if no distance (N,) is negative.

    Args:
        distances: of signed_distances.
        sign: the rule that they were computed with.
        path: of the mesh.
    """
    if not (distances < 0).any():
        remedy = "" if sign == "thick" else "; the sign 'thick' gives sheets a thickness"
        warnings.warn(f"{path} has no inside, all of its distances are positive{remedy}", stacklevel=2)
