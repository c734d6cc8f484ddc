"""Random changes of training samples that change the object along with its image, or the light."""

import cv2
import numpy as np

from utils.geometry import frames
from utils.images.resize import straight, weighted

RECOLOURED = 0.7  # share of the samples
COMMON, MIXED, CONSTANT = 0.25, 0.15, 0.08  # standard deviations of a map of colours: all channels, each entry, offsets
GAIN, TINT, GAMMA = 0.12, 0.05, 0.15  # standard deviations of logarithms
STRETCHED, STRETCH = 0.5, 0.15  # share of the samples; largest logarithm of a factor
WARPED, TURN, SCALE = 0.4, 6.0, 0.1  # share; standard deviation, degrees; largest logarithm of a factor


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
    linear = np.eye(3) * (1 + COMMON * rng.standard_normal()) + MIXED * rng.standard_normal((3, 3))
    return np.concatenate([linear, CONSTANT * rng.standard_normal((1, 3))])


def recoloured(colours: np.ndarray, colour_map: np.ndarray) -> np.ndarray:
    """(..., 3) uint8 colours by a result of random_colours -> (..., 3) uint8."""
    affine = np.column_stack([colour_map[:3].T, 255 * colour_map[3]]).astype(np.float32)
    mapped = cv2.transform(colours.reshape(-1, 1, 3).astype(np.float32), affine)
    return np.clip(np.rint(mapped), 0, 255).astype(np.uint8).reshape(colours.shape)


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
        rgba = np.dstack([recoloured(rgba[..., :3], colour_map), rgba[..., 3]])
    return rgba, trans_mat, mirrored, colour_map


def relit(colours: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a brightness, a tint and a contrast: (..., 3) colours in [0, 1] -> the same changed."""
    gain = np.exp(GAIN * rng.standard_normal() + TINT * rng.standard_normal(3))
    return np.clip(colours * gain, 1e-4, 1) ** np.exp(GAMMA * rng.standard_normal())


def stretch_factors(extent: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw factors (3,) of an object's sides, mostly not 1. They leave the longest side as long.

    The image of the stretched object is that of the object, under the camera stretched_camera().
    That is no camera of the real world: its axes are not at right angles in the object's frame. But
    the field only asks where a point falls in the image, and what is there.

    Args:
        extent: (3,) sides of the object's bounding box.
        rng: they are drawn from it.
    """
    if rng.random() >= STRETCHED:
        return np.ones(3)
    factors = np.exp(rng.uniform(-STRETCH, STRETCH, 3))
    return factors * (extent.max() / (factors * extent).max())


def stretched_camera(trans_mat: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """(4, 3) that takes a point times factors to where trans_mat takes the point."""
    return np.diag([*(1 / factors), 1]) @ trans_mat


def warped_view(rgba: np.ndarray, trans_mat: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw a small turn of some views and other lengths of their sides.

    Args:
        rgba: (H, W, 4) uint8, straight alpha.
        trans_mat: (4, 3), object frame to pixels.
        rng: the turn and the lengths are drawn from it.

    Returns:
        The view, on a canvas that holds all of it, and its camera.
    """
    if rng.random() >= WARPED:
        return rgba, trans_mat
    angle = np.radians(TURN) * rng.standard_normal()
    cosine, sine = np.cos(angle), np.sin(angle)
    linear = np.array([[cosine, -sine], [sine, cosine]]) * np.exp(rng.uniform(-SCALE, SCALE, 2))
    last = np.array(rgba.shape[1::-1]) - 1.0  # the last pixel (u, v)
    size = np.ceil(np.abs(linear) @ last).astype(int) + 1
    affine = np.column_stack([linear, (size - 1) / 2 - linear @ (last / 2)])  # the middle stays the middle
    warped = straight(cv2.warpAffine(weighted(rgba), affine, size.tolist()))
    return warped, trans_mat @ np.vstack([affine, [0, 0, 1]]).T
