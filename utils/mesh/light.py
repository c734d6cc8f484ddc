"""Display values (sRGB) and linear light, IEC 61966-2-1."""

import numpy as np


def linear_light(colours: np.ndarray) -> np.ndarray:
    """Display values (sRGB) in [0, 1] -> linear light."""
    return np.where(colours <= 0.04045, colours / 12.92, ((np.maximum(colours, 0.04045) + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(linear: np.ndarray) -> np.ndarray:
    """Linear light in [0, 1] -> display values (sRGB)."""
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055)
