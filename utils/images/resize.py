"""Resizing of images with transparency."""

from collections.abc import Sequence

import cv2
import numpy as np


def resize_image(rgba: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Resize an image; cameras.resize_camera moves its camera accordingly.

    A side that shrinks is averaged (area filter), one that grows is interpolated linearly.

    Args:
        rgba: (H, W, 4) uint8, straight alpha.
        size: (height, width) of the result.

    Returns:
        (height, width, 4) uint8, straight alpha.
    """
    if rgba.shape[:2] == tuple(size):
        return rgba
    alpha = rgba[..., 3:].astype(np.float32) / 255
    # colours weighted by alpha: hidden colours of transparent pixels must not bleed into the object
    resized = np.concatenate([rgba[..., :3] * alpha, alpha], -1)
    height, width = np.minimum(size, rgba.shape[:2]).tolist()
    resized = cv2.resize(resized, (width, height), interpolation=cv2.INTER_AREA)
    resized = cv2.resize(resized, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    colour = resized[..., :3] / np.maximum(resized[..., 3:], 1e-6)
    return np.rint(np.clip(np.concatenate([colour, 255 * resized[..., 3:]], -1), 0, 255)).astype(np.uint8)
