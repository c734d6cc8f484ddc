"""Images of a mesh by ray casting: textured, lit, antialiased, with alpha."""

import cv2
import numpy as np

from utils.geometry.cameras import project
from utils.mesh.mesh import Mesh, albedo, area_vectors
from utils.mesh.ray_scene import RayScene
from utils.rendering.lights import CAMERA_LIGHT, Light

# A vertex normal further than this from the normal of its face belongs to a sharp edge, and is not
# used.
SMOOTH = np.cos(np.radians(45))
LAYERS = 64  # holes of textures that a ray passes through, at most
FAINT = 16  # alpha of parts thinner than the distance between two rays: one of 4 x 4 rays


class Scene:
    """A mesh in the object frame, ready for ray casting."""

    def __init__(self, mesh: Mesh):
        self.mesh, self._scene = mesh, RayScene(mesh.vertices, mesh.faces)
        used = np.zeros(len(mesh.vertices), bool)
        used[mesh.faces] = True
        self._vertices = mesh.vertices[used]
        normals = area_vectors(mesh.vertices, mesh.faces)
        self._face_normals = (normals / np.linalg.norm(normals, axis=1, keepdims=True)).astype(np.float32)
        corners = mesh.normals.T.astype(np.float32)[:, mesh.faces.T]  # (3 coordinates, 3 corners, F)
        smooth = np.einsum("ckf,cf->kf", corners, self._face_normals.T) >= SMOOTH
        self._corner_normals = np.where(smooth, corners, self._face_normals.T[:, None])

    def cast(self, origin: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Find the first surface along each ray. Rays pass through holes of textures.

        Args:
            origin: (3,) start of all rays, object frame.
            directions: (N, 3).

        Returns:
            For the H rays that hit: index of the ray (H,), face (H,), barycentric weights (H, 3),
            RGBA albedo (H, 4) float32.
        """
        directions = np.asarray(directions, np.float32)
        origins = np.broadcast_to(np.asarray(origin, np.float32), directions.shape)
        index, hits = np.arange(len(directions)), []
        for _ in range(LAYERS):
            first = self._scene.cast(origins, directions)
            hit = np.flatnonzero(np.isfinite(first["t_hit"]))
            face = first["primitive_ids"][hit].astype(np.int64)
            u, v = first["primitive_uvs"][hit].T
            weights = np.array([1 - (u + v), u, v]).T
            rgba, present = albedo(self.mesh, face, weights)
            if present.all():
                hits.append((index[hit], face, weights, rgba))
                break
            hits.append((index[hit[present]], face[present], weights[present], rgba[present]))
            behind = hit[~present]
            # 3e-6: a dozen roundings of a float32 coordinate near 1, and far less than any gap
            # between two surfaces
            index, origins, directions = index[behind], origins[behind], directions[behind]
            step = first["t_hit"][behind, None] + 3e-6 / np.linalg.norm(directions, axis=1, keepdims=True)
            origins = origins + step * directions
        if len(hits) == 1:
            return hits[0]
        ray, face, weights, rgba = (np.concatenate(arrays) for arrays in zip(*hits, strict=True))
        return ray, face, weights, rgba

    def render(self, trans_mat: np.ndarray, size: int, samples: int = 4, light: Light = CAMERA_LIGHT) -> np.ndarray:
        """Render a view. Transparent materials are drawn opaque.

        Pixel u covers [u - 0.5, u + 0.5]. Alpha is the share of its rays that hit the mesh, and
        colour is the mean of these rays, so that the silhouette is not darkened.

        Args:
            trans_mat: (4, 3) camera, object frame to pixels.
            size: pixels along a side.
            samples: rays along each side of a pixel.
            light: of the view; the default is the same for all views.

        Returns:
            (size, size, 4) uint8 RGBA with straight alpha.
        """
        P = np.asarray(trans_mat, np.float64).T
        inverse = np.linalg.inv(P[:, :3])
        origin = -inverse @ P[:, 3]
        columns, rows = self._window(P, size)
        u = (np.arange(columns[0] * samples, columns[1] * samples) + 0.5) / samples - 0.5
        v = (np.arange(rows[0] * samples, rows[1] * samples) + 0.5) / samples - 0.5
        image = np.zeros((size, size, 4), np.uint8)
        if not len(u) or not len(v):
            return image
        # w = 1: in front of the camera
        directions = [np.add.outer(v * inverse[k, 1], u * inverse[k, 0] + inverse[k, 2]).ravel() for k in range(3)]
        ray, face, weights, rgba = self.cast(origin, np.array(directions).T)
        brightness = self._brightness(light, P, face, weights, [axis[ray] for axis in directions])
        row, column = (np.repeat(np.arange(*span), samples) for span in (rows, columns))
        pixel = np.add.outer(row * size, column).ravel()[ray]
        count = np.bincount(pixel, minlength=size * size)
        for k in range(3):
            total = np.bincount(pixel, np.minimum(rgba[:, k] * brightness, 1), size * size)
            image[..., k] = np.rint(255 * (total / np.maximum(count, 1))).reshape(size, size)
        image[..., 3] = np.rint(255 * count / samples**2).reshape(size, size)
        return image

    def _window(self, P: np.ndarray, size: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Columns and rows, (start, end) each, of the part of the image that the mesh may cover."""
        h = self._vertices @ P[:, :3].T + P[:, 3]
        if h[:, 2].min() <= 0:  # a part is behind the camera: the projection bounds nothing
            return (0, size), (0, size)
        pixels = h[:, :2] / h[:, 2:]
        low = np.clip(np.floor(pixels.min(0)).astype(int) - 1, 0, size)
        high = np.clip(np.ceil(pixels.max(0)).astype(int) + 2, 0, size)
        return (low[0], high[0]), (low[1], high[1])

    def _brightness(
        self, light: Light, P: np.ndarray, face: np.ndarray, weights: np.ndarray, directions: list[np.ndarray]
    ) -> np.ndarray:
        """The light at points of the mesh. Both sides of a face are lit like the visible one.

        Args:
            light: of the view.
            P: (3, 4) camera, column vectors.
            face: (H,) face of each point.
            weights: (H, 3) barycentric weights.
            directions: of the rays that hit the points: x, y, z (H,) each.

        Returns:
            (H,) factors of the albedo.
        """
        normals = np.array(
            [sum(corner[face] * weights[:, k] for k, corner in enumerate(c)) for c in self._corner_normals]
        )
        lengths = np.sqrt((normals * normals).sum(0))
        normals /= np.maximum(lengths, 1e-6)  # normals of corners may cancel: unlit, not NaN
        away = sum(axis[face] * d.astype(np.float32) for axis, d in zip(self._face_normals.T, directions, strict=True))
        normals *= np.where(away > 0, np.float32(-1), np.float32(1))
        # The axes of the camera in the object frame. They are taken from the rows of P, not from a
        # rotation, so that mirrored cameras work too.
        rows = P[:, :3] / np.linalg.norm(P[2, :3])
        forward = rows[2]
        down = rows[1] - (rows[1] @ forward) * forward
        right = rows[0] - (rows[0] @ forward) * forward
        axes = np.stack([right / np.linalg.norm(right), down / np.linalg.norm(down), forward])
        brightness = np.full(len(face), light.ambient, np.float32)
        for strength, place in light.directional:
            towards = (np.array(place) / np.linalg.norm(place)) @ axes
            brightness += strength * np.maximum(towards.astype(np.float32) @ normals, 0)
        return brightness


def draw_missed_points(image: np.ndarray, points: np.ndarray, colours: np.ndarray, trans_mat: np.ndarray) -> None:
    """Draw the surface points that no ray came near, as the faintest pixels of a rendered view.

    A sheet seen exactly edge on has no area, so that no ray meets it. It stays visible as a line.
    A point is drawn if all pixels next to it are empty: then nothing hides it.

    Args:
        image: (size, size, 4) uint8 result of Scene.render, changed in place.
        points: (N, 3) surface points, object frame.
        colours: (N, 3) uint8.
        trans_mat: (4, 3) camera of the view.
    """
    pixels, depth = project(points, trans_mat)
    u, v = np.rint(pixels).astype(np.int64).T
    size = len(image)
    seen = (depth > 0) & (u >= 0) & (u < size) & (v >= 0) & (v < size)
    u, v, colours = u[seen], v[seen], colours[seen]
    # a cross of pixels: only the corners of covered pixels may touch those of an empty one
    near = cv2.dilate(image[..., 3], cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)))
    missed = near[v, u] == 0
    image[v[missed], u[missed]] = np.concatenate([colours[missed], np.full((missed.sum(), 1), FAINT, np.uint8)], 1)
