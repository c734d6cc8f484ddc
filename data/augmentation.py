"""Random changes of training samples that change the object along with its image, or the light."""

import numpy as np

from utils.geometry import frames

RECOLOURED = 0.7  # share of the samples
GAIN, TINT, GAMMA = 0.12, 0.05, 0.15  # standard deviations of logarithms


def mirrored_camera(trans_mat: np.ndarray, width: int) -> np.ndarray:
    """The camera of a mirrored object in a mirrored image.

    The object is mirrored at the plane x = 0 of its frame, the image of `width` pixels left to
    right. The result is a camera without a mirror image, like the given one.

    Args:
        trans_mat: (4, 3), object frame to pixels.
        width: of the image.
    """
    image = np.array([[-1, 0, 0], [0, 1, 0], [width - 1, 0, 1]])
    return np.diag([*frames.MIRROR, 1]) @ np.asarray(trans_mat) @ image


def random_colours(rng: np.random.Generator) -> np.ndarray:
    """Draw an affine map of colours in [0, 1]: (4, 3), [r g b 1] @ map; mostly not the identity."""
    if rng.random() >= RECOLOURED:
        return np.eye(4, 3)
    linear = np.eye(3) * (1 + 0.25 * rng.standard_normal()) + 0.15 * rng.standard_normal((3, 3))
    return np.concatenate([linear, 0.08 * rng.standard_normal((1, 3))])


def recoloured(colours: np.ndarray, colour_map: np.ndarray) -> np.ndarray:
    """(..., 3) uint8 colours by a result of random_colours -> (..., 3) uint8."""
    mapped = colours.astype(np.float32) @ colour_map[:3].astype(np.float32) + 255 * colour_map[3].astype(np.float32)
    return np.clip(np.rint(mapped), 0, 255).astype(np.uint8)


def changed_view(
    rgba: np.ndarray, trans_mat: np.ndarray, mirror: bool, recolour: bool, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, bool, np.ndarray | None]:
    """Draw whether a view is mirrored, and new colours for it.

    Args:
        rgba: (H, W, 4) uint8.
        trans_mat: (4, 3), object frame to pixels.
        mirror, recolour: whether they are drawn at all.
        rng: they are drawn from it.

    Returns:
        The changed view and its camera; whether the object is mirrored at x = 0; the map of its
        colours, or None.
    """
    mirrored = mirror and rng.random() < 0.5
    if mirrored:
        rgba, trans_mat = rgba[:, ::-1], mirrored_camera(trans_mat, rgba.shape[1])
    colour_map = random_colours(rng) if recolour else None
    if colour_map is not None:
        rgba = np.concatenate([recoloured(rgba[..., :3], colour_map), rgba[..., 3:]], -1)
    return rgba, trans_mat, mirrored, colour_map


def relit(colours: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a brightness, a tint and a contrast: (..., 3) colours in [0, 1] -> the same changed."""
    gain = np.exp(GAIN * rng.standard_normal() + TINT * rng.standard_normal(3))
    return np.clip(colours * gain, 1e-4, 1) ** np.exp(GAMMA * rng.standard_normal())
