"""Points on and near the surface of a mesh, their colours and signed distances."""

import numpy as np

from utils.errors import UserError
from utils.mesh.mesh import albedo, face_areas, interpolate

DRAWS = 200  # rounds of drawing again where texels are absent; at 1 % of the faces present, 0.5 of them already suffice


def sample_surface(mesh, count, rng):
    """`count` points, uniform by area over all that is really there: points (count, 3), colours (count, 3) uint8.

    Colours are albedo (texture x factor x vertex colour); points on absent texels are drawn again.
    """
    cumulative = np.cumsum(face_areas(mesh))
    points, colours, missing = [], [], count
    for _ in range(DRAWS):
        draw = max(missing, min(count, 1000))  # a small remainder is drawn with some to spare
        face = np.minimum(
            np.searchsorted(cumulative, rng.random(draw) * cumulative[-1], side="right"), len(mesh.faces) - 1
        )
        a, b = np.sqrt(rng.random(draw)), rng.random(draw)
        weights = np.stack([1 - a, a * (1 - b), a * b], 1)
        rgba, there = albedo(mesh, face, weights)
        there = np.flatnonzero(there)[:missing]
        points.append(interpolate(mesh.vertices, mesh.faces[face[there]], weights[there]))
        colours.append(np.rint(255 * rgba[there, :3]).astype(np.uint8))
        missing -= len(there)
        if not missing:
            return np.concatenate(points), np.concatenate(colours)
    raise UserError("the whole surface is transparent")
