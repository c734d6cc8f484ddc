"""A reconstructed model over its image, seen by a camera that a visitor turns."""

import base64
import dataclasses
import math
from typing import Any, Protocol

import cv2
import numpy as np

from utils.geometry.cameras import project, resize_camera
from utils.rendering.raycast import Scene
from utils.rendering.turntable import over_photo, scene_of
from utils.reports.reconstruction import Reconstruction

LOWEST, HIGHEST = -85, 85  # degrees of elevation that can be chosen
COMPASS = (255, 120, 0)  # colour, RGB
RADIUS = 0.55  # of the compass: somewhat more than half of the longest side
QUALITY = 85  # of the JPEG


class Turner(Protocol):
    """The part of models.inference.reconstruct.Reconstructor that turns a camera."""

    def turned(self, rgba: np.ndarray, camera: np.ndarray, azimuth: float, elevation: float) -> np.ndarray:
        """The (4, 3) camera of an image (H, W, 4), with the direction of other angles."""


@dataclasses.dataclass(frozen=True)
class CameraView:
    """What is drawn again for every camera."""

    scene: Scene
    photo: np.ndarray  # (H, W, 3) uint8
    mask: np.ndarray  # (H, W) uint8
    camera: np.ndarray  # (4, 3) of the reconstruction
    floor: float  # height of the lowest point of the model, object frame

    @classmethod
    def of(cls, result: Reconstruction) -> "CameraView":
        """What a reconstruction shows."""
        scene = scene_of(result.vertices, result.faces, result.colours)
        return cls(scene, result.photo, result.mask, result.photo_camera, float(result.vertices[:, 1].min()))

    def image(self, camera: np.ndarray | None = None) -> np.ndarray:
        """The image, and beside it the model over it, with a compass that points to its front.

        Args:
            camera: (4, 3) of the image; None: that of the reconstruction.

        Returns:
            (h, 2 w, 3) uint8.
        """
        camera = self.camera if camera is None else camera
        image = over_photo(self.scene, self.photo, self.mask, camera)
        height, width = image.shape[0], image.shape[1] // 2
        small = resize_camera(camera, self.mask.shape, (height, width))
        half = np.ascontiguousarray(image[:, width:])
        angles = np.linspace(0, 2 * np.pi, 65)
        ring = np.array([np.sin(angles), np.zeros(65), np.cos(angles)]).T * RADIUS
        arrow = np.array([[0, 0, 0.5], [0, 0, 1], [-0.12, 0, 0.85], [0.12, 0, 0.85]]) * RADIUS
        for points, pairs in ((ring, zip(range(64), range(1, 65), strict=True)), (arrow, ((0, 1), (2, 1), (3, 1)))):
            pixels, depth = project(points + [0, self.floor, 0], small)
            for start, end in pairs:
                if min(depth[start], depth[end]) > 0 and np.abs(pixels[[start, end]]).max() < 1 << 14:
                    cv2.line(half, *np.rint(pixels[[start, end]]).astype(int).tolist(), COMPASS, 2, cv2.LINE_AA)
        return np.hstack([image[:, :width], half])

    def turned(self, turner: Turner, azimuth: Any, elevation: Any) -> np.ndarray | None:
        """The same from other angles in degrees; None where they are none."""
        angles = azimuth, elevation
        if not all(isinstance(angle, (int, float)) and math.isfinite(angle) for angle in angles):
            return None
        rgba = np.dstack([self.photo, self.mask])
        return self.image(turner.turned(rgba, self.camera, azimuth, min(max(elevation, LOWEST), HIGHEST)))


def html_image(image: np.ndarray, words: str) -> str:
    """An (H, W, 3) uint8 image as HTML; words: without special characters, for screen readers.

    The page holds the image itself: a file for every position of a slider would fill its folder.
    """
    data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
    return f"<img alt='{words}' src='data:image/jpeg;base64,{base64.b64encode(data).decode()}'>"
