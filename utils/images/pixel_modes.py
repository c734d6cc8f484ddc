"""The pixel modes of image files (16 bit, floating point, palettes, ICC profiles) as 8-bit sRGB."""

import io

import numpy as np
from PIL import Image, ImageCms

from utils.errors import UserError


def eight_bit(image: Image.Image, name: str) -> Image.Image:
    """A loaded Pillow image of any mode -> L, LA, RGB, RGBA or CMYK.

    Args:
        image: a loaded image.
        name: the file, for messages.

    Raises:
        UserError: black or white of the image is not known.
    """
    mode = image.mode
    if mode == "I" or mode.startswith("I;16"):
        return _grey(np.asarray(image), image.info.get("transparency"), name)
    if mode == "F":
        raise UserError(f"{name} has floating-point pixels, whose white is not known: save it with 8 or 16 bits")
    if mode in ("La", "RGBa", "PA"):
        return image.convert({"La": "LA"}.get(mode, "RGBA"))
    if "transparency" in image.info and mode in ("1", "L", "P", "RGB"):
        return image.convert("RGBA")
    if mode in ("L", "LA", "RGB", "RGBA", "CMYK"):
        return image
    return image.convert("L" if mode == "1" else "RGB")  # P, YCbCr, RGBX, HSV; ValueError where that is impossible


def _grey(values: np.ndarray, transparent: int | None, name: str) -> Image.Image:
    """Integer grey values of more than 8 bits as an 8-bit image.

    Args:
        values: (H, W). White is 2^16 - 1, or 2^32 - 1 where there are larger values than that.
        transparent: the value that stands for transparent pixels.
        name: the file, for messages.
    """
    values = values.astype(np.float64)
    if values.min() < 0:
        raise UserError(f"{name} has negative pixels, whose black is not known: save it with 8 or 16 bits")
    white = 2**16 - 1 if values.max() < 2**16 else 2**32 - 1
    grey = Image.fromarray(np.rint(values * (255 / white)).astype(np.uint8))
    if transparent is not None:
        grey.putalpha(Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8)))
    return grey


def to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Convert an L, LA, RGB, RGBA or CMYK image to RGB or RGBA in sRGB by its ICC profile.

    An image whose profile cannot be used is returned unchanged.
    """
    alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
    colour = image.convert(image.mode[:-1]) if alpha is not None else image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() == "RGB" and colour.mode == "L":
            colour = colour.convert("RGB")
        result = ImageCms.profileToProfile(
            colour,
            source,
            ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")),
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            "RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image
    if result is None:  # for the type checker: only a conversion in place returns nothing
        return image
    if alpha is not None:
        result.putalpha(alpha)
    return result
