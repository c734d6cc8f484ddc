"""A photograph as it comes, from a file or an upload -> upright 8-bit RGBA; all that Pillow would do behind our back is done here."""

import dataclasses
import io
import pathlib
import warnings

import numpy as np

from utils.errors import UserError

FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "BMP", "TIFF", "GIF", "PPM")  # Pillow's EPS reader would start Ghostscript
MAX_BYTES = 50_000_000  # of the file
MAX_PIXELS = 50_000_000  # of the picture it holds, known from the header: decoded it takes four times as many bytes
LONGEST = 2048  # pixels: the network sees far fewer, and a mask of this size is sharp enough
SHORTEST = 16  # pixels: nothing can be seen in less
ORIENTATION = 0x0112  # EXIF tag
TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
SIDEWAYS = ("TRANSPOSE", "ROTATE_270", "TRANSVERSE", "ROTATE_90")  # rows become columns
HINT = "give a PNG, JPEG or WebP"
FOREIGN = {b"%PDF": "a PDF", b"%!PS": "PostScript", b"<svg": "an SVG drawing", b"<?xm": "an SVG drawing or other XML", b"<!DO": "a web page",
           b"<htm": "a web page", b"PK\x03\x04": "a ZIP archive"}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Photo:
    """A photograph, display (sRGB) values."""

    rgba: np.ndarray  # (H, W, 4) uint8, straight alpha, upright
    name: str  # of its file, for messages
    size: tuple[int, int]  # (height, width) of the file, upright: larger than rgba's where that was reduced to LONGEST
    notes: list[str]  # what the user should know, one line each

    @property
    def transparent(self):
        """Whether anything in it is transparent."""
        return bool((self.rgba[..., 3] < 255).any())


def read_photo(path):
    """Path of a picture file -> Photo. UserError (file, reason, what to do) where it cannot be used."""
    path = pathlib.Path(path)
    if path.is_dir():
        raise UserError(f"{path} is a folder: give a picture file")
    if not path.is_file():
        raise UserError(f"{path} is missing" if not path.exists() else f"{path} is not a file: {HINT}")
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    return decode_photo(data, str(path))


def decode_photo(data, name):
    """Bytes of a picture file and its name, for messages -> Photo. UserError as read_photo."""
    from PIL import Image

    if not data:
        raise UserError(f"{name} is empty")
    if len(data) > MAX_BYTES:
        raise UserError(f"{name} is larger than {MAX_BYTES // 1_000_000} MB: make it smaller")
    # what Pillow warns of is either checked here, such as sizes, or harms nothing, such as odd metadata
    warnings.filterwarnings("ignore", module=r"PIL\b")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_size(image.size, name)
            image.verify()  # PNG's checksums, which decoding does not look at; the picture must be opened anew after it
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            return _decode(image, name)
    except UserError:
        raise
    except Image.DecompressionBombError:
        raise UserError(f"{name} has more than {MAX_PIXELS // 1_000_000} megapixels: make it smaller") from None
    except Image.UnidentifiedImageError:
        raise UserError(f"{name} {_what(data)}: {HINT}") from None
    except Exception as error:  # every reader of Pillow has its own kinds of error for files that are broken
        reason = str(error).strip().splitlines()
        raise UserError(
            f"{name} is broken or cut off ({reason[0] if reason else type(error).__name__}): {HINT}"
        ) from None


def _check_size(size, name):
    """UserError where (width, height) cannot be used."""
    if size[0] * size[1] > MAX_PIXELS:
        raise UserError(
            f"{name} has {size[0]}x{size[1]} pixels, more than {MAX_PIXELS // 1_000_000} megapixels: make it smaller"
        )
    if min(_reduced(size)) < SHORTEST:
        raise UserError(
            f"{name} has {size[0]}x{size[1]} pixels, too few to see an object: it takes {SHORTEST} a side at least"
        )


def _reduced(size):
    """(width, height) -> that of the same picture with its longest side at most LONGEST."""
    ratio = min(1.0, LONGEST / max(size))
    return tuple(max(1, round(side * ratio)) for side in size)


def _decode(image, name):
    """An open Pillow image of a size that was checked -> Photo."""
    from PIL.Image import Resampling, Transpose

    notes = _notes_of_frames(image, name)
    turn, profile, header_size = _turn(image), image.info.get("icc_profile"), image.size
    smaller = _reduced(header_size)
    image.draft(None, smaller)  # JPEG alone: a large one is decoded at a half, a quarter or an eighth
    image.load()
    picture = _eight_bit(image, name)
    if picture.size != smaller:
        picture = picture.resize(
            smaller, Resampling.BOX
        )  # area averaging, colours weighted by alpha, as utils.images.resize does
    if turn:
        picture = picture.transpose(Transpose[turn])
    if profile:
        picture = _to_srgb(picture, profile)
    size = header_size if turn in SIDEWAYS else header_size[::-1]
    return Photo(np.asarray(picture.convert("RGBA")), name, size, notes)


def _turn(image):
    """What the EXIF orientation asks for: a name of TURNS, or None. Pillow's TIFF reader turns by itself."""
    if image.format == "TIFF":
        return None
    try:
        return TURNS.get(image.getexif().get(ORIENTATION))
    except Exception:  # broken EXIF: the picture itself may be fine
        return None


def _notes_of_frames(image, name):
    """A note where a file holds several pictures; the smaller pictures beside a phone's photograph (MPO) are no news."""
    frames = getattr(image, "n_frames", 1)
    image.seek(0)
    return [f"{name} holds {frames} pictures, the first is used"] if frames > 1 and image.format != "MPO" else []


def _eight_bit(image, name):
    """A loaded Pillow image of any mode -> L, LA, RGB, RGBA or CMYK."""
    from PIL import Image

    mode = image.mode
    if mode == "I" or mode.startswith("I;16"):
        return Image.fromarray(_grey(np.asarray(image), name))
    if mode == "F":
        raise UserError(f"{name} has floating-point pixels, whose white is not known: save it with 8 or 16 bits")
    if mode in ("La", "RGBa", "PA"):
        return image.convert({"La": "LA"}.get(mode, "RGBA"))
    if "transparency" in image.info and mode in ("1", "L", "P", "RGB"):
        return image.convert("RGBA")
    if mode in ("L", "LA", "RGB", "RGBA", "CMYK"):
        return image
    return image.convert(
        "L" if mode == "1" else "RGB"
    )  # P, YCbCr, RGBX, HSV; what cannot be converted raises ValueError


def _grey(values, name):
    """Integer grey values of more than 8 bits -> uint8, 0 .. 2^16 - 1 (or 2^32 - 1, where there are larger ones) -> 0 .. 255."""
    values = values.astype(np.float64)
    if values.min() < 0:
        raise UserError(f"{name} has negative pixels, whose black is not known: save it with 8 or 16 bits")
    top = 2**16 - 1 if values.max() < 2**16 else 2**32 - 1
    return np.rint(values * (255 / top)).astype(np.uint8)


def _to_srgb(picture, profile):
    """L, LA, RGB, RGBA or CMYK picture, bytes of its ICC profile -> RGB or RGBA in sRGB; as it is where the profile cannot be used."""
    from PIL import ImageCms

    alpha = picture.getchannel("A") if picture.mode in ("LA", "RGBA") else None
    colour = picture.convert(picture.mode[:-1]) if alpha is not None else picture
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() == "RGB" and colour.mode == "L":
            colour = colour.convert("RGB")
        result = ImageCms.profileToProfile(
            colour, source, ImageCms.createProfile("sRGB"), ImageCms.Intent.RELATIVE_COLORIMETRIC, "RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )  # fmt: skip
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return picture
    if alpha is not None:
        result.putalpha(alpha)
    return result


def _what(data):
    """What a file that is no picture of FORMATS seems to be."""
    if data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"heif", b"mif1", b"msf1", b"hevc"):
        return "is a HEIC photo, which cannot be read"
    head = data[:200].lstrip(b"\xef\xbb\xbf \t\r\n")
    for start, what in FOREIGN.items():
        if head[: len(start)].lower() == start.lower():
            return f"is {what}, not a picture of pixels"
    return "is not a picture that can be read"
