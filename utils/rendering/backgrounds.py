"""Procedural backgrounds, and views as photographs before them.

A background is a (size, size, 3) float image in [0, 1], up to a little overshoot, of random
colours. The functions of BACKGROUNDS all have the same arguments:

    rng     source of the random numbers
    alpha   (size, size) uint8, where the object will be
    size    pixels along a side
"""

from collections.abc import Callable

import cv2
import numpy as np


def photograph(rgba: np.ndarray, background: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A view over a background, with the noise of a sensor, as if it were a photograph.

    Args:
        rgba: (H, W, 4) uint8 view.
        background: (H, W, 3) float, clipped to [0, 1].
        rng: source of the noise: normal, with a standard deviation of 2 of 255.

    Returns:
        (H, W, 4) uint8, opaque.
    """
    alpha = rgba[..., 3:] / 255
    noiseless = rgba[..., :3] * alpha + 255 * np.clip(background, 0, 1) * (1 - alpha)
    colour = noiseless + rng.normal(0, 2, noiseless.shape)
    return np.concatenate([np.rint(np.clip(colour, 0, 255)), np.full_like(alpha, 255)], -1).astype(np.uint8)


def smooth_noise(rng: np.random.Generator, grain: int, size: int, channels: int = 3) -> np.ndarray:
    """(size, size, channels) float in [0, 1]: random spots of `grain` pixels."""
    count = max(2, size // grain)
    small = rng.random((count, count, channels)).astype(np.float32)
    return cv2.resize(small, (size, size), interpolation=cv2.INTER_CUBIC).reshape(size, size, channels)


def plain(rng: np.random.Generator, alpha: np.ndarray, size: int) -> np.ndarray:
    """One colour."""
    return np.broadcast_to(rng.random(3), (size, size, 3))


def gradient(rng: np.random.Generator, alpha: np.ndarray, size: int) -> np.ndarray:
    """From one colour to another, in a random direction."""
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:size, :size] / size - 0.5
    share = np.clip(np.cos(angle) * x + np.sin(angle) * y + 0.5, 0, 1)[..., None]
    return rng.random(3) * (1 - share) + rng.random(3) * share


def room(rng: np.random.Generator, alpha: np.ndarray, size: int) -> np.ndarray:
    """Wall and floor of different colours, lit unevenly, with a soft shadow under the object."""
    rows = np.flatnonzero(alpha.any(1))
    row = np.arange(size)[:, None, None]
    edge = int(rows[0] + rng.uniform(0.4, 0.8) * np.ptp(rows))
    image = np.where(row < edge, rng.random(3), rng.random(3))
    shadow = cv2.GaussianBlur(np.roll(alpha, (20, 15), (0, 1)).astype(np.float32) / 255, (0, 0), 15)[..., None]
    shadow = shadow * (row > rows[0] + 0.7 * np.ptp(rows))
    return image * (0.85 + 0.15 * smooth_noise(rng, 256, size, 1)) * (1 - 0.5 * shadow)


def blobs(rng: np.random.Generator, alpha: np.ndarray, size: int) -> np.ndarray:
    """Blurred spots of random colours."""
    return cv2.GaussianBlur(smooth_noise(rng, 64, size), (0, 0), 12)


def stripes(rng: np.random.Generator, alpha: np.ndarray, size: int) -> np.ndarray:
    """Stripes of two colours, 12 to 40 pixels wide, in a random direction."""
    angle, width = rng.uniform(0, np.pi), rng.uniform(12, 40)
    y, x = np.mgrid[:size, :size]
    stripe = np.sin((np.cos(angle) * x + np.sin(angle) * y) * np.pi / width)[..., None] > 0
    return np.where(stripe, rng.random(3), rng.random(3))


def noise(rng: np.random.Generator, alpha: np.ndarray, size: int) -> np.ndarray:
    """Grains of all sizes around one colour, the larger the stronger, like gravel or a lawn."""
    total = sum(2.0**octave * (smooth_noise(rng, 2 ** (octave + 1), size) - 0.5) for octave in range(5)) / 16
    return rng.uniform(0.2, 0.8, 3) + 0.5 * total


BACKGROUNDS: dict[str, Callable[[np.random.Generator, np.ndarray, int], np.ndarray]] = {
    function.__name__: function for function in (plain, gradient, room, blobs, stripes, noise)
}
