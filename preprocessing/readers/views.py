"""Views that other programs keep in HDF5, and the step from images of any size to a shard's."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from preprocessing.readers.hdf5_files import checked, read_hdf5
from utils.errors import UserError
from utils.geometry.cameras import resize_camera
from utils.images.resize import resize_image


def read_hdf5_view(path: str | os.PathLike[str], channels: str) -> tuple[np.ndarray, np.ndarray]:
    """A view of the original's or DISN's HDF5, with the datasets img_arr and trans_mat.

    Args:
        path: the file. Its img_arr is uint8, or float in [0, 1]. A fourth channel is alpha;
            without one the view is opaque.
        channels: 'rgb' or 'bgr', the order in the file.

    Returns:
        RGBA (H, W, 4) uint8, and trans_mat (4, 3) float64, which acts on the file's own points.

    Raises:
        UserError: the file is missing or damaged, or its arrays are not as described.
    """
    data = read_hdf5(path, ["img_arr", "trans_mat"])[0]
    image = data["img_arr"]
    if image.ndim != 3 or image.shape[2] not in (3, 4) or not image.size:
        shape = " x ".join(map(str, image.shape))
        raise UserError(f"{path}: img_arr is {shape}, it should be H x W x 3 or H x W x 4")
    checked(image, image.shape, path, "img_arr")
    low, high = image.min(), image.max()
    if image.dtype.kind == "f":
        if low < 0 or high > 1.001:  # rounding may exceed 1
            span = f"from {low:.4g} to {high:.4g}"
            raise UserError(f"{path}: img_arr reaches {span}, as floats it should be in [0, 1]")
        image = np.rint(255 * np.minimum(image, 1))
    elif low < 0 or high > 255:
        raise UserError(f"{path}: img_arr reaches from {low} to {high}, as integers it should be in 0..255")
    image = image.astype(np.uint8)
    colours = image[..., 2::-1] if channels == "bgr" else image[..., :3]
    alpha = image[..., 3:] if image.shape[2] == 4 else np.full((*image.shape[:2], 1), 255, np.uint8)
    trans_mat = checked(data["trans_mat"], (4, 3), path, "trans_mat").astype(np.float64)
    return np.concatenate([colours, alpha], -1), trans_mat


def views_for_shard(images: Sequence[np.ndarray], cameras: np.ndarray, image_size: int) -> dict[str, Any]:
    """The fields images and trans_mats of ObjectRecord.

    Args:
        images: RGBA (H, W, 4) uint8 of any sizes.
        cameras: their cameras (V, 4, 3), object frame to pixels.
        image_size: side of the stored views, pixels.
    """
    size = (image_size, image_size)
    matrices = [resize_camera(matrix, image.shape[:2], size) for matrix, image in zip(cameras, images, strict=True)]
    return {"images": np.stack([resize_image(image, size) for image in images]), "trans_mats": np.stack(matrices)}
