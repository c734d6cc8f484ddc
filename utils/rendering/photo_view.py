"""What a photograph shows of a surface: which points of it, how surely, and their colours."""

import cv2
import numpy as np
from scipy.ndimage import map_coordinates

from utils.geometry.cameras import camera_centre, decompose, pixel_rays, pixel_to_image, project, resize_camera
from utils.images.mask_parts import OBJECT, OPAQUE
from utils.images.resize import resize_image, scaled_size
from utils.mesh.mesh import sample_texture
from utils.rendering.ray_surface import RaySurface

# Cosine of normal and viewing direction below which a point gets nothing, and from which it gets
# all: there a pixel of the picture is stretched over twenty, and over four.
GRAZING = (0.05, 0.25)
TOLERANCE = 0.004  # object-frame length by which a point may lie below the surface: half a cell of 128
# Distance of a guessed point to the surface (object-frame length), and cosine of the angle between
# the guessed normal and its own, between which a guess turns from right to wrong.
ALIKE, PARALLEL = (0.015, 0.05), (0.0, 0.7)
# Object-frame length by which rays pass guessed points: a ray to a vertex itself may slip through
# between its faces, and the mirror image of a symmetric mesh has its vertices where the mesh has.
NUDGE = np.array([1.1e-4, 0.7e-4, 0.9e-4])
# Distance to the outline of the mask, or to an edge behind which the surface is further away, below
# which a pixel counts nothing and from which it counts fully: in pixels at least, and in shares of
# the object's size. The estimated surface and the mask are not exact to the pixel.
LEAST_MARGIN, MARGIN = (1.5, 3.0), (0.004, 0.016)
LONGEST = 384  # pixels along the longer side of the depth map, at most
JUMP, STEEP = 0.02, 5.0  # object-frame length, and pixel widths, from which a step in depth is an edge


class PhotoView:
    """A photograph with the camera and the mask of its object, and a surface in front of it."""

    def __init__(self, rgba: np.ndarray, trans_mat: np.ndarray, surface: RaySurface):
        """
        Args:
            rgba: (H, W, 4) uint8, alpha 255 where the object is. Colours elsewhere do not matter.
            trans_mat: (4, 3) camera, object frame to pixels.
            surface: of the object.
        """
        self.surface, self._trans_mat = surface, np.asarray(trans_mat, np.float64)
        self.eye = camera_centre(self._trans_mat)
        opaque = np.where(rgba[..., 3] >= OPAQUE, 255, 0).astype(np.uint8)
        self._picture = np.dstack([rgba[..., :3], opaque])
        self._readings: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}
        size = np.sqrt(np.count_nonzero(opaque))
        margin = np.maximum(LEAST_MARGIN, np.multiply(MARGIN, size))
        # the edge of the image is an outline too: the object may go on behind it
        inside = cv2.distanceTransform(np.pad(opaque, 1), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
        self._inside = smoothstep(inside, *margin)
        scale = min(1, LONGEST / max(opaque.shape))
        self._small = scaled_size(opaque.shape, scale)
        away = cv2.distanceTransform(1 - self._depth_edges(), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        self._unbroken = smoothstep(away, 1.0, max(LEAST_MARGIN[1], margin[1] * scale))

    def weights(self, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """How much the colour of the picture counts at points of the surface.

        Visible, times inside the mask and away from edges of the surface, times facing the camera.

        Args:
            points: (N, 3) object frame.
            normals: (N, 3) unit, outwards.

        Returns:
            (N,) float32 in [0, 1].
        """
        weights = self._weights_if_visible(points, normals)
        some = np.flatnonzero(weights)
        weights[some] *= ~self.surface.hidden(points[some], self.eye, TOLERANCE)
        return weights

    def weights_of_guesses(self, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """The same for points where the surface is expected: less, the further it is from there.

        The distance is that to the plane of what the picture shows in their place.
        """
        weights = self._weights_if_visible(points, normals)
        some = np.flatnonzero(weights)
        towards = points[some] - self.eye + NUDGE
        steps, seen = self.surface.first_hits(self.eye, towards)
        hit = np.isfinite(steps)
        distance = abs((np.where(hit, steps, 1) - 1) * (seen * towards).sum(1))
        distance[~hit] = np.inf
        weights[some] *= (1 - smoothstep(distance, *ALIKE)) * smoothstep((seen * normals[some]).sum(1), *PARALLEL)
        return weights

    def _weights_if_visible(self, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """As `weights`, without regard to what lies before the points."""
        towards = self.eye - points
        facing = (normals * towards).sum(1) / np.maximum(np.linalg.norm(towards, axis=1), 1e-12)
        weights = smoothstep(facing, *GRAZING)
        some = np.flatnonzero(weights)
        pixels, w = project(points[some], self._trans_mat)
        small = project(points[some], resize_camera(self._trans_mat, self._inside.shape, self._small))[0]
        weights[some] *= np.where(w > 0, _read_map(self._inside, pixels) * _read_map(self._unbroken, small), 0)
        return weights

    def colours(self, points: np.ndarray, spacing: float = 0.0) -> np.ndarray:
        """The colours of the picture at points, where the mask has them: nothing of its background.

        Args:
            points: (N, 3) object frame.
            spacing: of the points (object-frame length). A picture with more pixels than points is
                averaged, so that its details do not turn into noise.

        Returns:
            (N, 3) float32 in [0, 1].
        """
        picture, trans_mat = self._reading(spacing)
        uv = pixel_to_image(project(points, trans_mat)[0], np.array(picture.shape[1::-1]))
        uv[:, 1] = 1 - uv[:, 1]
        rgba = sample_texture(picture, np.clip(uv, 0, 1), ("clamp", "clamp"))
        return np.minimum(rgba[:, :3] / np.maximum(rgba[:, 3:], 1e-3), 1)

    def mirrored_overlap(self) -> float:
        """IoU of the mask with the silhouette of the surface mirrored at x = 0."""
        height, width = (max(1, side // 2) for side in self._small)
        mask = resize_image(self._picture, (height, width))[..., 3] >= OBJECT
        everywhere = np.arange(height * width)
        silhouette = np.isfinite(self._depths((height, width), everywhere, np.array([-1.0, 1.0, 1.0])))
        silhouette = silhouette.reshape(mask.shape)
        union = np.count_nonzero(silhouette | mask)
        return float(np.count_nonzero(silhouette & mask) / union) if union else 0.0

    def _reading(self, spacing: float) -> tuple[np.ndarray, np.ndarray]:
        """The picture at a size that suits such points, its colours times alpha; its camera."""
        K, RT = decompose(self._trans_mat)
        pixel = abs(RT[2, 3]) / np.sqrt(abs(K[0, 0] * K[1, 1]))  # object-frame length at the origin
        shape = self._picture.shape[:2]
        scale = min(1, pixel / max(spacing, 1e-9))
        size = scaled_size(shape, scale)
        if size not in self._readings:
            rgba = resize_image(self._picture, size)
            rgba[..., :3] = np.rint(rgba[..., :3] * (rgba[..., 3:] / 255))
            self._readings[size] = rgba, resize_camera(self._trans_mat, shape, size)
        return self._readings[size]

    def _depths(self, size: tuple[int, int], pixels: np.ndarray, sides: np.ndarray) -> np.ndarray:
        """How far away the surface is in pixels of the image resized.

        Args:
            size: (height, width) of the resized image.
            pixels: (N,) row * width + column.
            sides: (3,) +1 or -1: the factors of the surface's coordinates.

        Returns:
            (N,) object-frame lengths along the viewing direction, inf where nothing is.
        """
        camera = resize_camera(self._trans_mat, self._inside.shape, size)
        _, directions = pixel_rays(camera, pixels % size[1], pixels // size[1])
        # a step of 1 is w = 1, which is the depth times this length
        return self.surface.depths(sides * self.eye, sides * directions) / np.linalg.norm(camera[:3, 2])

    def _depth_edges(self) -> np.ndarray:
        """(h, w) uint8, 1 on both sides of a step from one part of the surface to one behind it."""
        inside = cv2.resize(self._inside, self._small[::-1], interpolation=cv2.INTER_AREA)
        pixels = np.flatnonzero(cv2.dilate(inside, np.ones((3, 3))))  # the weights are 0 elsewhere
        depths = np.full(self._small, np.inf)
        depths.flat[pixels] = self._depths(self._small, pixels, np.ones(3))
        K = decompose(resize_camera(self._trans_mat, self._inside.shape, self._small))[0]
        edges = np.zeros(self._small, np.uint8)
        for first, second, focal in (
            (np.s_[:-1], np.s_[1:], K[1, 1]),
            (np.s_[:, :-1], np.s_[:, 1:], K[0, 0]),
        ):
            near, far = np.minimum(depths[first], depths[second]), np.maximum(depths[first], depths[second])
            step = (far > near + np.maximum(JUMP, STEEP * near / focal)) & (far < np.inf)
            edges[first] |= step
            edges[second] |= step
        return edges


def smoothstep(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 below `low`, 1 above `high`, and in between a cubic without kinks; float32."""
    t = np.clip((np.asarray(values, np.float32) - np.float32(low)) / np.float32(high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _read_map(image: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Bilinear lookup: (h, w), (N, 2) pixels -> (N,), 0 outside the image."""
    height, width = image.shape
    u, v = pixels.T
    within = (u >= -0.5) & (u <= width - 0.5) & (v >= -0.5) & (v <= height - 0.5)
    values = map_coordinates(image, [np.where(within, v, 0), np.where(within, u, 0)], order=1, mode="nearest")
    return np.where(within, values, 0)
