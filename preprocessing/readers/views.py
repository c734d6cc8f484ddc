"""Views as other programs keep them, in picture files and in HDF5, and their cameras -> those of a shard."""

import io

import numpy as np
import PIL.Image

from preprocessing.readers.hdf5_files import checked, read_hdf5
from utils.errors import UserError
from utils.geometry.cameras import resize_camera
from utils.images.resize import resize_image

PNG_END = b"IEND\xaeB`\x82"  # the last chunk of every PNG, which is always the same


def read_picture(path):
    """(H, W, 4) uint8 RGBA, straight alpha; opaque (255) where the file has no alpha. Grey, palette, 16 bit as well."""
    try:
        data = path.read_bytes()
        with PIL.Image.open(io.BytesIO(data)) as picture:
            if (
                picture.format == "PNG" and PNG_END not in data[-1024:]
            ):  # Pillow forgives the loss of the last few bytes
                raise OSError("the end of the PNG is missing")
            if picture.mode.startswith("I"):  # 16-bit grey; convert() would clip it to 255
                picture = PIL.Image.fromarray((np.asarray(picture) / 257).round().astype(np.uint8))
            return np.asarray(picture.convert("RGBA"))
    except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError) as error:
        raise UserError(f"{path}: cannot be read, it is truncated or no picture ({error})") from None


def picture_size(path):
    """(height, width) of a picture, from its header."""
    try:
        with PIL.Image.open(path) as picture:
            return picture.size[::-1]
    except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError) as error:
        raise UserError(f"{path}: cannot be read, it is truncated or no picture ({error})") from None


def read_hdf5_view(path, channels):
    """A view of the original's or DISN's HDF5 (`img_arr`, `trans_mat`): RGBA (H, W, 4) uint8 and trans_mat (4, 3) float64.

    channels: 'rgb' or 'bgr', the order in the file; a fourth channel is alpha, without one the view is opaque. img_arr is
    uint8, or float in [0, 1]. The matrix is given as it is, for the frame of the file's own points.
    """
    data = read_hdf5(path, ["img_arr", "trans_mat"])[0]
    picture = data["img_arr"]
    if picture.ndim != 3 or picture.shape[2] not in (3, 4):
        raise UserError(
            f"{path}: img_arr is {' x '.join(map(str, picture.shape))}, it should be H x W x 3 or H x W x 4"
        )
    checked(picture, picture.shape, path, "img_arr")
    if picture.dtype.kind == "f":
        if picture.min() < 0 or picture.max() > 1.001:  # rounding may pass 1
            raise UserError(
                f"{path}: img_arr reaches from {picture.min():.4g} to {picture.max():.4g}, as floats it should be in [0, 1]"
            )
        picture = np.rint(255 * np.minimum(picture, 1))
    elif picture.min() < 0 or picture.max() > 255:
        raise UserError(
            f"{path}: img_arr reaches from {picture.min()} to {picture.max()}, as integers it should be in 0..255"
        )
    picture = picture.astype(np.uint8)
    colours = picture[..., 2::-1] if channels == "bgr" else picture[..., :3]
    alpha = picture[..., 3:] if picture.shape[2] == 4 else np.full((*picture.shape[:2], 1), 255, np.uint8)
    return np.concatenate([colours, alpha], -1), checked(data["trans_mat"], (4, 3), path, "trans_mat").astype(
        np.float64
    )


def views_for_shard(pictures, cameras, image_size):
    """RGBA pictures of any sizes and their cameras (V, 4, 3) -> the fields images and trans_mats of ObjectRecord."""
    new = (image_size, image_size)
    return {
        "images": np.stack([resize_image(picture, new) for picture in pictures]),
        "trans_mats": np.stack(
            [resize_camera(matrix, picture.shape[:2], new) for matrix, picture in zip(cameras, pictures, strict=True)]
        ),
    }
