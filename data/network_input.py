"""A view as a network receives it: the image, its camera, the model frame of the object."""

import contextlib
import functools
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from data.augmentation import relit
from data.shards import Database, ObjectEntry
from data.spread import spread
from utils.errors import UserError
from utils.geometry import frames
from utils.geometry.cameras import resize_camera
from utils.images.crop import Square, object_square
from utils.images.resize import resize_image

MASKS = 8  # objects whose first views tell whether views have masks


class ViewSettings(Protocol):
    """The settings that the input of any network depends on (models.shared_settings)."""

    @property
    def img_h(self) -> int: ...
    @property
    def img_w(self) -> int: ...
    @property
    def alpha(self) -> bool: ...
    @property
    def image_channels(self) -> int: ...
    @property
    def crop(self) -> float: ...
    @property
    def augcolorfore(self) -> bool: ...
    @property
    def augcolorback(self) -> bool: ...
    @property
    def backcolorwhite(self) -> bool: ...
    @property
    def auglight(self) -> bool: ...
    @property
    def augmirror(self) -> bool: ...
    @property
    def augcolours(self) -> bool: ...
    @property
    def num_sample_points(self) -> int: ...
    @property
    def batch_size(self) -> int: ...
    @property
    def seed(self) -> int: ...


class FieldSettings(ViewSettings, Protocol):
    """The same of a network that predicts the field (models.config.Config)."""

    @property
    def binary(self) -> bool: ...
    @property
    def model_frame(self) -> str: ...
    @property
    def distance_offset(self) -> float: ...
    @property
    def augshape(self) -> bool: ...
    def __hash__(self) -> int: ...  # object_frame is cached


def network_view(
    rgba: np.ndarray, trans_mat: np.ndarray, config: ViewSettings, rng: np.random.Generator | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """network_image and network_camera of one view; the mask is searched for the crop only once.

    Args:
        rgba: the view, (H, W, 4) uint8.
        trans_mat: its camera, (4, 3), object frame to pixels.
        config: the settings of the network.
        rng: the source of the augmentations; None (evaluation) leaves them out.

    Returns:
        The image (img_h, img_w, 3 or 4) float32 in [0, 1], and its camera (4, 3).
    """
    square = _crop(rgba, config)
    return _image(rgba, square, config, rng), _camera(trans_mat, rgba, square, config)


def network_image(rgba: np.ndarray, config: ViewSettings, rng: np.random.Generator | None = None) -> np.ndarray:
    """The image that the network sees of a view: cropped, resized, composited on a background.

    Args:
        rgba: the view, (H, W, 4) uint8.
        config: the settings of the network.
        rng: the source of the augmentations; None (evaluation) leaves them out.

    Returns:
        (img_h, img_w, 3 or 4) float32 in [0, 1].
    """
    return _image(rgba, _crop(rgba, config), config, rng)


def network_camera(trans_mat: np.ndarray, rgba: np.ndarray, config: ViewSettings) -> np.ndarray:
    """(4, 3) object-frame camera of a view (H, W, 4) uint8 -> the camera of its network_image."""
    return _camera(trans_mat, rgba, _crop(rgba, config), config)


def source_camera(trans_mat: np.ndarray, rgba: np.ndarray, config: ViewSettings) -> np.ndarray:
    """(4, 3) object-frame camera of network_image(rgba, config) -> the camera of the view itself.

    The inverse of network_camera.
    """
    square = _crop(rgba, config)
    size = (square.side, square.side) if square else rgba.shape[:2]
    trans_mat = resize_camera(trans_mat, (config.img_h, config.img_w), size)
    return square.source_camera(trans_mat) if square else trans_mat


@functools.lru_cache(4096)
def object_frame(config: FieldSettings, database: Database, entry: ObjectEntry) -> frames.ModelFrame:
    """The model frame of an object; 'sphere' frames follow from the object's surface."""
    if config.model_frame == "sphere":
        return frames.sphere_frame(database.surface(entry)[0])
    return frames.cube_frame(config.binary)


def check_masks(database: Database, entries: Sequence[ObjectEntry], names: Sequence[str]) -> None:
    """UserError if the views of objects have no foreground mask (Im2Avatar's are plain RGB).

    Views that cannot be read do not tell.

    names: of the settings that need a mask; without any, nothing is wrong.
    """
    alphas = []
    for entry in spread(entries, MASKS) if names else ():
        with contextlib.suppress(UserError):
            alphas.append(database.image(entry, 0)[..., 3])
    if alphas and all((alpha == 255).all() for alpha in alphas):
        raise UserError(
            f"the views of {database.path} have no transparent background: {', '.join(names)} would do nothing right"
        )


def _crop(rgba: np.ndarray, config: ViewSettings) -> Square | None:
    """The square that is cut out of a view, or None where the settings ask for all of it."""
    return object_square(rgba[..., 3], config.crop) if config.crop else None


def _image(
    rgba: np.ndarray, square: Square | None, config: ViewSettings, rng: np.random.Generator | None
) -> np.ndarray:
    if square:
        rgba = square.cut(rgba)
    rgba = resize_image(rgba, (config.img_h, config.img_w))
    levels = np.repeat(np.arange(256)[:, None] / 255, 3, 1)  # what becomes of each of 256 levels, by channel
    background: np.ndarray = np.full(3, 1.0 if config.backcolorwhite else 0.0)
    if rng is not None and config.augcolorfore:
        levels = np.clip(levels + rng.uniform(-30, 30, 3) / 255, 0, 1)
    if rng is not None and config.auglight:
        levels = relit(levels, rng)
    if rng is not None and config.augcolorback:
        background = rng.random(3)
    image = np.empty((*rgba.shape[:2], config.image_channels), np.float32)
    alpha = rgba[..., 3] / np.float32(255)
    for channel, (of_level, behind) in enumerate(zip(levels.T.astype(np.float32), background.tolist(), strict=True)):
        image[..., channel] = (of_level[rgba[..., channel]] - behind) * alpha + behind
    if config.alpha:
        image[..., 3] = alpha
    return image


def _camera(trans_mat: np.ndarray, rgba: np.ndarray, square: Square | None, config: ViewSettings) -> np.ndarray:
    size = rgba.shape[:2]
    if square:
        trans_mat, size = square.camera(trans_mat), (square.side, square.side)
    return resize_camera(trans_mat, size, (config.img_h, config.img_w))
