"""How well the outline of a surface agrees with the mask of a photograph."""

import cv2
import numpy as np

from utils.geometry.cameras import pixel_rays, resize_camera
from utils.images.mask_parts import OBJECT
from utils.images.resize import fitted_size
from utils.rendering.ray_surface import RaySurface

LONGEST = 96  # pixels along the longer side of the compared outlines, at most


def outline_overlap(surface: RaySurface, mask: np.ndarray, trans_mat: np.ndarray) -> float:
    """Intersection over union of a mask and the silhouette of a surface.

    Args:
        surface: object frame.
        mask: (H, W) uint8, 255 where the object is.
        trans_mat: (4, 3) camera, object frame to pixels of the mask.

    Returns:
        From 0 to 1; 0 where both are empty.
    """
    height, width = fitted_size(mask.shape, LONGEST)
    wanted = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA) >= OBJECT
    v, u = np.indices((height, width)).reshape(2, -1)
    steps = surface.depths(*pixel_rays(resize_camera(trans_mat, mask.shape, (height, width)), u, v))
    seen = np.isfinite(steps).reshape(height, width)
    return float((seen & wanted).sum() / max((seen | wanted).sum(), 1))
