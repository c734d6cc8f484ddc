"""What a network sees of a view: its image, its camera, its object's frame."""

import functools

import numpy as np

from utils.geometry import frames
from utils.geometry.cameras import resize_camera
from utils.images.crop import object_square
from utils.images.resize import resize_image


def network_image(rgba, config, rng=None):
    """(H, W, 4) uint8 -> (img_h, img_w, 3 or 4) float32 in [0, 1] as the network sees it: cropped, resized, composited.

    rng: the source of the augmentations; None (evaluation) leaves them out.
    """
    if config.crop:
        rgba = object_square(rgba[..., 3], config.crop).cut(rgba)
    rgba = resize_image(rgba, (config.img_h, config.img_w))
    alpha, colour = rgba[..., 3:] / np.float32(255), rgba[..., :3] / np.float32(255)
    background = np.full(3, 1.0 if config.backcolorwhite else 0.0, np.float32)
    if rng is not None and config.augcolorfore:
        colour = np.clip(colour + rng.uniform(-30, 30, 3) / 255, 0, 1)
    if rng is not None and config.augcolorback:
        background = rng.random(3)
    image = colour * alpha + background * (1 - alpha)
    return np.concatenate([image, alpha], -1).astype(np.float32) if config.alpha else image.astype(np.float32)


def network_camera(trans_mat, rgba, config):
    """(4, 3) object-frame camera of a picture (H, W, 4) uint8 -> that of its network_image."""
    size = rgba.shape[:2]
    if config.crop:
        square = object_square(rgba[..., 3], config.crop)
        trans_mat, size = square.camera(trans_mat), (square.side, square.side)
    return resize_camera(trans_mat, size, (config.img_h, config.img_w))


def source_camera(trans_mat, rgba, config):
    """(4, 3) object-frame camera of network_image(rgba, config) -> that of the picture; the inverse of network_camera."""
    size = rgba.shape[:2]
    square = object_square(rgba[..., 3], config.crop) if config.crop else None
    trans_mat = resize_camera(trans_mat, (config.img_h, config.img_w), (square.side, square.side) if square else size)
    return square.source_camera(trans_mat) if square else trans_mat


@functools.lru_cache(4096)
def object_frame(config, database, entry):
    """The frames.ModelFrame that the network has for an object: with config.model_frame sphere it follows from the object's surface."""
    if config.model_frame == "sphere":
        return frames.sphere_frame(database.surface(entry)[0])
    return frames.cube_frame(config.binary)
