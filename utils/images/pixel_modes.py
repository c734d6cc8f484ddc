"""The pixel modes of image files (16 bit, floating point, palettes, ICC profiles) as 8-bit sRGB."""

import io

import numpy as np
from PIL import Image, ImageCms

from utils.errors import UserError

# Pillow's names of pixels with less or more than 8 bits that it scales -> the scale of a value
STORED = {"L;2": lambda v: 85 * v, "L;4": lambda v: 17 * v, "RGB;16B": lambda v: tuple(x >> 8 for x in v)}


def scale_transparent_value(image: Image.Image) -> None:
    """Scale a PNG's value for transparent pixels to 8 bits, as Pillow scales the pixels alone.

    Args:
        image: open, not yet loaded.
    """
    tiles = getattr(image, "tile", [])
    stored = tiles[0].args if image.format == "PNG" and tiles else None
    if "transparency" in image.info and stored in STORED:
        image.info["transparency"] = STORED[stored](image.info["transparency"])


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
