"""A surface in the object frame that answers rays: what they meet first, what hides a point."""

import numpy as np

from utils.mesh.mesh import area_vectors, interpolate
from utils.mesh.ray_scene import RayScene, barycentric


class RaySurface:
    """Triangles with smooth normals: (V, 3) vertices, (F, 3) faces, (V, 3) unit normals.

    Without normals they are the means of the normals of the faces, by area.
    """

    def __init__(self, vertices: np.ndarray, faces: np.ndarray, normals: np.ndarray | None = None):
        self.vertices, self.faces = np.asarray(vertices, np.float64), np.asarray(faces, np.int64)
        self.normals = smooth_normals(self.vertices, self.faces) if normals is None else np.asarray(normals, np.float64)
        self._scene = RayScene(self.vertices, self.faces)

    def depths(self, origin: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """Steps along each ray to the surface: (3,) origin, (N, 3) -> (N,), inf for none."""
        return self._scene.cast(origin, directions)["t_hit"]

    def first_hits(self, origin: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Steps along each ray to the surface (N,), inf for none, and its unit normals (N, 3)."""
        hits = self._scene.cast(origin, directions)
        steps, normals = hits["t_hit"], np.zeros((len(directions), 3))
        hit = np.flatnonzero(np.isfinite(steps))
        corners = self.faces[hits["primitive_ids"][hit].astype(np.int64)]
        normals[hit] = unit(interpolate(self.normals, corners, barycentric(hits["primitive_uvs"][hit])))
        return steps, normals

    def hidden(self, points: np.ndarray, eye: np.ndarray, tolerance: float) -> np.ndarray:
        """Whether the surface lies between an eye and points.

        Args:
            points: (N, 3).
            eye: (3,).
            tolerance: length before each point that does not count, since it lies on the surface.

        Returns:
            (N,) bool.
        """
        towards = points - eye
        length = np.linalg.norm(towards, axis=1, keepdims=True)
        towards = towards * (1 - tolerance / np.maximum(length, tolerance))
        return self._scene.hidden(eye, towards)


def smooth_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V, 3) vertices, (F, 3) faces -> (V, 3) unit normals, means of those of the faces by area."""
    area = area_vectors(vertices, faces)
    total = [sum(np.bincount(faces[:, corner], column, len(vertices)) for corner in range(3)) for column in area.T]
    return unit(np.stack(total, 1))


def unit(vectors: np.ndarray) -> np.ndarray:
    """(N, 3) vectors -> (N, 3) of length 1; zero stays zero."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
