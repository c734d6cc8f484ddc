"""Coloured points on the surface of a mesh."""

import numpy as np

from utils.errors import UserError
from utils.mesh.mesh import Mesh, albedo, face_areas, interpolate

# Rounds of drawing points again that fell into holes. With 1 % of the surface present, 0.5 % of
# these rounds suffice.
ROUNDS = 200


def sample_surface(mesh: Mesh, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw points uniformly by area from the surface of a mesh, holes of its textures left out.

    Args:
        mesh: the mesh.
        count: number of points.
        rng: source of the random numbers.

    Returns:
        points: (count, 3), in the frame of the mesh.
        colours: (count, 3) uint8 albedo (texture x factor x vertex colour).

    Raises:
        UserError: the whole surface is transparent.
    """
    cumulative = np.cumsum(face_areas(mesh.vertices, mesh.faces))
    points, colours, missing = [], [], count
    for _ in range(ROUNDS):
        draw = max(missing, min(count, 1000))  # a small remainder is drawn with some to spare
        place = rng.random(draw) * cumulative[-1]
        face = np.minimum(np.searchsorted(cumulative, place, side="right"), len(mesh.faces) - 1)
        a, b = np.sqrt(rng.random(draw)), rng.random(draw)
        weights = np.stack([1 - a, a * (1 - b), a * b], 1)
        rgba, present = albedo(mesh, face, weights)
        kept = np.flatnonzero(present)[:missing]
        points.append(interpolate(mesh.vertices, mesh.faces[face[kept]], weights[kept]))
        colours.append(np.rint(255 * rgba[kept, :3]).astype(np.uint8))
        missing -= len(kept)
        if not missing:
            return np.concatenate(points), np.concatenate(colours)
    raise UserError("the whole surface is transparent")
