"""The pixel modes of image files (16 bit, palettes, ICC profiles, gamma) as 8-bit sRGB."""

import io

import numpy as np
from PIL import Image, ImageCms, TiffImagePlugin

from utils.errors import UserError

TiffImagePlugin.READ_LIBTIFF = True  # Pillow's own decoder takes 16-bit colours in planes for 8-bit ones

DISPLAY = 2.2  # exponent of a display
ROUNDED = 0.05  # difference from the gamma of a display that is none (libpng's PNG_GAMMA_THRESHOLD)
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


def eight_bit(image: Image.Image, name: str, file: Image.Image | None = None) -> Image.Image:
    """A loaded Pillow image of any mode -> L, LA, RGB, RGBA or CMYK.

    Args:
        image: a loaded image.
        name: the file, for messages.
        file: what the image is a part of, since parts have no tags; None: nothing else.

    Raises:
        UserError: black or white of the image is not known.
    """
    mode = image.mode
    if mode == "I" or mode.startswith("I;16") or (mode == "L" and _is_signed(file or image)):
        return _grey(*_stored_numbers(image, file or image), image.info.get("transparency"), name)
    if mode == "F":
        raise UserError(f"{name} has floating-point pixels, whose white is not known: save it with 8 or 16 bits")
    if mode in ("La", "RGBa", "PA"):
        return image.convert({"La": "LA"}.get(mode, "RGBA"))
    if "transparency" in image.info and mode in ("1", "L", "P", "RGB"):
        return image.convert("RGBA")
    if mode in ("L", "LA", "RGB", "RGBA", "CMYK"):
        return image
    return image.convert("L" if mode == "1" else "RGB")  # P, YCbCr, RGBX, HSV; ValueError where that is impossible


def _is_signed(file: Image.Image) -> bool:
    """Whether a file is a TIFF of signed integers."""
    return isinstance(file, TiffImagePlugin.TiffImageFile) and file.tag_v2.get(TiffImagePlugin.SAMPLEFORMAT) == (2,)


def _stored_numbers(image: Image.Image, file: Image.Image) -> tuple[np.ndarray, int, bool]:
    """The grey values of a part of a file, with what Pillow leaves out of those of a TIFF.

    Returns:
        The (H, W) values, the largest one of their type, and whether 0 is white.
    """
    values = np.asarray(image)
    if not isinstance(file, TiffImagePlugin.TiffImageFile):
        return values, 2**32 - 1, False
    bits, signed = (file.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE) or (16,))[0], _is_signed(file)
    if signed:
        values = values.astype(f"i{bits // 8}")
        if file.tag_v2.prefix == b"MM":  # libtiff puts the bytes in order, and Pillow swaps them again
            values = values.byteswap()
    elif bits == 32:
        values = values.view(np.uint32)
    white_is_zero = file.tag_v2.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0
    return values, 2 ** (bits - signed) - 1, white_is_zero


def _grey(values: np.ndarray, largest: int, white_is_zero: bool, transparent: int | None, name: str) -> Image.Image:
    """Integer grey values as an 8-bit image.

    Args:
        values: (H, W).
        largest: value of their type, which is white; but 2^16 - 1 is where no value is larger.
        white_is_zero: whether the scale is upside down.
        transparent: the value that stands for transparent pixels.
        name: the file, for messages.
    """
    values = values.astype(np.float64)
    if values.min() < 0:
        raise UserError(f"{name} has negative pixels, whose black is not known: save it without any, in 8 or 16 bits")
    white = largest if values.max() >= 2**16 else min(largest, 2**16 - 1)
    shares = np.minimum(values / white, 1)
    grey = Image.fromarray(np.rint(255 * (1 - shares if white_is_zero else shares)).astype(np.uint8))
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


def gamma_of(image: Image.Image) -> float | None:
    """The gamma of a PNG whose values are to be converted by it; None: they are those to display.

    An ICC profile and the mark of sRGB come before it (PNG, Third Edition, section 4.3).

    Args:
        image: open.
    """
    gamma = image.info.get("gamma")
    if image.format != "PNG" or not gamma or "srgb" in image.info or "icc_profile" in image.info:
        return None
    return gamma if abs(gamma * DISPLAY - 1) > ROUNDED else None


def without_gamma(image: Image.Image, gamma: float) -> Image.Image:
    """An L, LA, RGB or RGBA image whose values are light to the power of `gamma`, as displayed."""
    table = np.rint(255 * (np.arange(256) / 255) ** (1 / (gamma * DISPLAY))).astype(int).tolist()
    colours = len(image.getbands()) - (image.mode in ("LA", "RGBA"))
    return image.point(table * colours + list(range(256)) * (len(image.getbands()) - colours))
