"""Colours of a reconstructed surface: the picture's where the camera sees it, else the field's.

Each point takes what is surest: the picture at the point itself; the picture at its mirror image,
where the object is symmetric; the field. The three are blended with smooth weights.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from utils.geometry import frames
from utils.mesh.mesh import face_areas
from utils.rendering.photo_view import PhotoView
from utils.rendering.ray_surface import RaySurface

COLOURS = ("photo", "field")  # where the colours of a mesh come from: from both as above, or from the field alone
# IoU of the mask with the silhouette of the mirrored surface from which an object is symmetric. The
# surface itself, not mirrored, has about 0.9.
SYMMETRIC = 0.8
GAINS = (0.5, 2.0)  # limits of the factors that match the field's colours to the picture's


class PhotoColours:
    """A photograph's colours for the points of a surface."""

    def __init__(self, rgba: np.ndarray, trans_mat: np.ndarray, surface: RaySurface, mirror: bool = True):
        """
        Args:
            rgba: (H, W, 4) uint8, alpha 255 where the object is.
            trans_mat: (4, 3) camera, object frame to pixels.
            surface: the whole surface, which hides points from the camera.
            mirror: whether hidden points may take the colours of the other side, if the mask says
                that the object is symmetric.
        """
        self._surface, self._view = surface, PhotoView(rgba, trans_mat, surface)
        self.overlap = self._view.mirrored_overlap() if mirror else 0.0
        self.mirrored = mirror and self.overlap >= SYMMETRIC
        self.gain = np.ones(3, np.float32)

    def described(self) -> dict[str, Any]:
        """Whether the object counts as symmetric, and the gains, for a table of results."""
        return {"symmetric": self.mirrored, "mirrored_overlap": self.overlap, "gain": self.gain.tolist()}

    def of_vertices(self, field: np.ndarray) -> np.ndarray:
        """The colours of the vertices of the surface, and the gain of the field for all points.

        The gain of each channel gives the field the mean colour of the picture, over what the
        picture shows. Otherwise the field would be darker or paler beside it.

        Args:
            field: (V, 3) the field's colours in [0, 1].

        Returns:
            (V, 3) in [0, 1].
        """
        points, normals = self._surface.vertices, self._surface.normals
        spacing = np.sqrt(face_areas(points, self._surface.faces).sum() / max(len(points), 1))
        weights = self._view.weights(points, normals)
        seen = np.flatnonzero(weights)
        if len(seen):
            means = weights[seen] @ self._view.colours(points[seen], spacing), weights[seen] @ field[seen]
            self.gain = np.clip(means[0] / np.maximum(means[1], 1e-6), *GAINS).astype(np.float32)
        return self._blend(points, normals, weights, lambda part: field[part], spacing)

    def __call__(
        self,
        points: np.ndarray,
        normals: np.ndarray,
        field: Callable[[np.ndarray], np.ndarray],
        spacing: float = 0.0,
    ) -> np.ndarray:
        """The colours of points of the surface.

        Args:
            points: (N, 3) object frame, vertices or texels.
            normals: (N, 3) unit, outwards.
            field: indices (n,) of points -> their colours (n, 3) in [0, 1]. It is asked for those
                points only which the picture does not decide.
            spacing: of the points (object-frame length).

        Returns:
            (N, 3) float32 in [0, 1].
        """
        return self._blend(points, normals, self._view.weights(points, normals), field, spacing)

    def _blend(
        self,
        points: np.ndarray,
        normals: np.ndarray,
        weights: np.ndarray,
        field: Callable[[np.ndarray], np.ndarray],
        spacing: float,
    ) -> np.ndarray:
        """As __call__, with the (N,) weights of the picture at the points."""
        colours = np.zeros((len(points), 3), np.float32)
        seen = np.flatnonzero(weights)
        colours[seen] = weights[seen, None] * self._view.colours(points[seen], spacing)
        rest = 1 - weights
        if self.mirrored:
            hidden = np.flatnonzero(rest)
            others = frames.MIRROR * points[hidden]
            share = rest[hidden] * self._view.weights_of_guesses(others, frames.MIRROR * normals[hidden])
            colours[hidden] += share[:, None] * self._view.colours(others, spacing)
            rest[hidden] -= share
        left = np.flatnonzero(rest > 1e-4)
        if len(left):
            colours[left] += rest[left, None] * np.minimum(self.gain * np.asarray(field(left), np.float32), 1)
        return colours
