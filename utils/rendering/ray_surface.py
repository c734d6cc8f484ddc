"""A surface in the object frame that answers rays: what they meet first, what hides a point."""

from typing import Any

import numpy as np

from utils.mesh.mesh import area_vectors, interpolate
from utils.processes import ray_threads


class RaySurface:
    """Triangles with smooth normals: (V, 3) vertices, (F, 3) faces, (V, 3) unit normals.

    Without normals they are the means of the normals of the faces, by area.
    """

    def __init__(self, vertices: np.ndarray, faces: np.ndarray, normals: np.ndarray | None = None):
        import open3d

        self.vertices, self.faces = np.asarray(vertices, np.float64), np.asarray(faces, np.int64)
        self.normals = smooth_normals(self.vertices, self.faces) if normals is None else np.asarray(normals, np.float64)
        self._threads = ray_threads()
        self._tensor = open3d.core.Tensor
        self._scene = open3d.t.geometry.RaycastingScene(nthreads=self._threads)
        self._scene.add_triangles(
            self._tensor(self.vertices.astype(np.float32)), self._tensor(self.faces.astype(np.uint32))
        )

    def depths(self, origin: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """Steps along each ray to the surface: (3,) origin, (N, 3) -> (N,), inf for none."""
        return self._scene.cast_rays(self._rays(origin, directions), nthreads=self._threads)["t_hit"].numpy()

    def first_hits(self, origin: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Steps along each ray to the surface (N,), inf for none, and its unit normals (N, 3)."""
        answer = self._scene.cast_rays(self._rays(origin, directions), nthreads=self._threads)
        steps, normals = answer["t_hit"].numpy(), np.zeros((len(directions), 3))
        hit = np.flatnonzero(np.isfinite(steps))
        corners = self.faces[answer["primitive_ids"].numpy()[hit].astype(np.int64)]
        second = answer["primitive_uvs"].numpy()[hit].astype(np.float64)
        weights = np.concatenate([1 - second.sum(1, keepdims=True), second], 1)
        normals[hit] = unit(interpolate(self.normals, corners, weights))
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
        rays = self._rays(eye, towards)
        return self._scene.test_occlusions(rays, tfar=1.0, nthreads=self._threads).numpy()

    def _rays(self, origin: np.ndarray, directions: np.ndarray) -> Any:
        rays = np.empty((len(directions), 6), np.float32)
        rays[:, :3], rays[:, 3:] = origin, directions
        return self._tensor.from_numpy(rays)


def smooth_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V, 3) vertices, (F, 3) faces -> (V, 3) unit normals, means of those of the faces by area."""
    area = area_vectors(vertices, faces)
    total = [sum(np.bincount(faces[:, corner], column, len(vertices)) for corner in range(3)) for column in area.T]
    return unit(np.stack(total, 1))


def unit(vectors: np.ndarray) -> np.ndarray:
    """(N, 3) vectors -> (N, 3) of length 1; zero stays zero."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
