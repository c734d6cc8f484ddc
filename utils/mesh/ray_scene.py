"""Triangles that answer rays and distances: Open3D's scene, from and to NumPy arrays."""

import numpy as np

from utils.processes import ray_threads


class RayScene:
    """The triangles of a surface, in float32, with the share of the cores that this process has."""

    def __init__(self, vertices: np.ndarray, faces: np.ndarray) -> None:
        """(V, 3) vertices, (F, 3) faces."""
        import open3d

        self._tensor, self._threads = open3d.core.Tensor, ray_threads()
        self._scene = open3d.t.geometry.RaycastingScene(nthreads=self._threads)
        self._scene.add_triangles(
            self._tensor(np.asarray(vertices, np.float32)), self._tensor(np.asarray(faces, np.uint32))
        )

    def cast(self, origins: np.ndarray, directions: np.ndarray) -> dict[str, np.ndarray]:
        """What rays meet first, from either side.

        Args:
            origins: (..., 3).
            directions: (..., 3), of any length.

        Returns:
            By Open3D's names: t_hit (...), the steps along the direction, inf where nothing is;
            primitive_ids (...), the faces; primitive_uvs (..., 2), of `barycentric`;
            primitive_normals (..., 3), unit, of the order of the corners.
        """
        hits = self._scene.cast_rays(self._rays(origins, directions), nthreads=self._threads)
        return {name: values.numpy() for name, values in hits.items()}

    def hidden(self, origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """(...) bool: whether something lies between origins (..., 3) and origins + directions."""
        rays = self._rays(origins, directions)
        return self._scene.test_occlusions(rays, tfar=1.0, nthreads=self._threads).numpy()

    def distances(self, points: np.ndarray) -> np.ndarray:
        """(..., 3) points -> (...) float32 distances to the surface, without sign."""
        return self._scene.compute_distance(self._points(points), nthreads=self._threads).numpy()

    def closest(self, points: np.ndarray) -> dict[str, np.ndarray]:
        """The nearest point of the surface to each of (..., 3) points: its face and weights, as of
        `cast`.
        """
        nearest = self._scene.compute_closest_points(self._points(points), nthreads=self._threads)
        return {name: nearest[name].numpy() for name in ("primitive_ids", "primitive_uvs")}

    def _points(self, points: np.ndarray):
        return self._tensor(np.asarray(points, np.float32))

    def _rays(self, origins: np.ndarray, directions: np.ndarray):
        shape = np.broadcast_shapes(np.shape(origins), np.shape(directions))
        rays = np.empty((*shape[:-1], 6), np.float32)
        rays[..., :3], rays[..., 3:] = origins, directions
        return self._tensor.from_numpy(rays)


def barycentric(uvs: np.ndarray) -> np.ndarray:
    """(N, 2) weights of the second and third corner of a face -> (N, 3) of all, float64."""
    second = uvs.astype(np.float64)
    return np.concatenate([1 - second.sum(1, keepdims=True), second], 1)
