"""Images with transparency: resized, with their masks, and laid over a background."""

from collections.abc import Sequence

import cv2
import numpy as np


def weighted(rgba: np.ndarray) -> np.ndarray:
    """Colours weighted by alpha: (..., 4) uint8, straight alpha -> float32, alpha in [0, 1].

    Pixels are averaged in this form: hidden colours of transparent ones do not bleed into the
    object.
    """
    result = rgba.astype(np.float32)
    result[..., 3] /= 255
    for channel in range(3):  # broadcasting over so few channels takes several times as long
        result[..., channel] *= result[..., 3]
    return result


def straight(image: np.ndarray) -> np.ndarray:
    """The inverse of weighted()."""
    result, alpha = image.copy(), np.maximum(image[..., 3], 1e-6)
    for channel in range(3):
        result[..., channel] /= alpha
    result[..., 3] *= 255
    return np.clip(np.rint(result), 0, 255).astype(np.uint8)


def scaled_size(size: Sequence[int], factor: float) -> tuple[int, int]:
    """(height, width) times a factor, in whole pixels, at least 1; (width, height) likewise."""
    first, second = (max(1, round(side * factor)) for side in size)
    return first, second


def fitted_size(size: Sequence[int], longest: int) -> tuple[int, int]:
    """(height, width) reduced until the longer side is at most `longest`; smaller ones are kept."""
    return scaled_size(size, min(1.0, longest / max(size)))


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
    resized = weighted(rgba)
    height, width = np.minimum(size, rgba.shape[:2]).tolist()
    resized = cv2.resize(resized, (width, height), interpolation=cv2.INTER_AREA)
    resized = cv2.resize(resized, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    return straight(resized)


def resize_mask(mask: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Resize a mask (h, w) uint8 to another size (H, W)."""
    if mask.shape == size:
        return mask
    rows, columns = size
    shrinks = mask.shape[0] > rows
    return cv2.resize(mask, (columns, rows), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def lay_over(rgba: np.ndarray, background: np.ndarray | int = 255) -> np.ndarray:
    """(H, W, 4) uint8 view over an (H, W, 3) uint8 background, or one grey -> (H, W, 3) uint8."""
    alpha = rgba[..., 3:] / 255
    return np.rint(rgba[..., :3] * alpha + background * (1 - alpha)).astype(np.uint8)


def with_mask(rgba: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """An image whose transparency is replaced by a mask; white shows where the mask has more.

    What stands in transparent pixels is not to be seen: most programs leave black there, or
    remains of a background that was erased.

    Args:
        rgba: (H, W, 4) uint8, straight alpha.
        mask: (H, W) uint8.

    Returns:
        (H, W, 4) uint8, straight alpha: the mask.
    """
    alpha = rgba[..., 3]
    if (alpha >= mask).all():
        return np.dstack([rgba[..., :3], mask])
    share = np.minimum(alpha / np.maximum(mask, 1), 1)[..., None]  # of the image in what is seen
    return np.dstack([np.rint(255 - share * (255.0 - rgba[..., :3])).astype(np.uint8), mask])
