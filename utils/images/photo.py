"""Image files, or uploads, as upright 8-bit RGBA in sRGB; the only reader of image files."""

import contextlib
import dataclasses
import io
import os
import pathlib
import warnings
from collections.abc import Iterator

import cv2
import numpy as np
from PIL import Image
from PIL.Image import Transpose

from utils.errors import UserError
from utils.images.contents import check_png, other_content
from utils.images.pixel_modes import eight_bit, gamma_of, scale_transparent_value, to_srgb, without_gamma
from utils.images.resize import fitted_size

FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "BMP", "TIFF", "GIF", "PPM")  # Pillow's EPS reader would start Ghostscript
# of the files of a folder that are images, whatever their contents turn out to be (HEIC is told)
SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".webp", ".avif", ".bmp", ".tif", ".tiff", ".gif", ".ppm"),
    *(".jfif", ".jpe", ".mpo", ".apng", ".dib", ".pgm", ".pbm", ".pnm", ".heic", ".heif"),
)
MAX_BYTES = 50_000_000  # of the file
MAX_PIXELS = 50_000_000  # by the header of the file: a decoded image takes four times as many bytes
LONGEST = 2048  # pixels: the network sees far fewer, and a mask of this size is sharp enough
SHORTEST = 16  # pixels: no object can be recognised in fewer
ORIENTATION = 0x0112  # EXIF tag
TURNS = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
SIDEWAYS = (Transpose.TRANSPOSE, Transpose.ROTATE_270, Transpose.TRANSVERSE, Transpose.ROTATE_90)  # rows to columns
ALPHA_MODES = ("LA", "La", "PA", "RGBA", "RGBa")
HINT = "give a PNG, JPEG or WebP"


@dataclasses.dataclass(frozen=True)
class Photo:
    """A decoded image.

    Attributes:
        rgba: (H, W, 4) uint8, display (sRGB) values, straight alpha, upright.
        name: the name of the file, for messages.
        size: (height, width) of the file, upright; larger than that of rgba where the image was
            reduced.
        notes: remarks for the user, one line each.
        has_alpha: whether the file stores transparency, even where no pixel is transparent.
    """

    rgba: np.ndarray
    name: str
    size: tuple[int, int]
    notes: list[str]
    has_alpha: bool = True


def read_photo(path: str | os.PathLike[str], longest: int | None = LONGEST, shortest: int = SHORTEST) -> Photo:
    """Read an image file.

    Args:
        path: the file.
        longest: pixels; a larger image is reduced to this longest side. None: never reduce.
        shortest: pixels; an image with a shorter side is refused.

    Raises:
        UserError: names the file, the reason it cannot be used and what to do.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        raise UserError(f"{path} is a folder: give an image file")
    try:
        if not path.is_file():
            raise UserError(f"{path} is missing" if not path.exists() else f"{path} is not a file: {HINT}")
        _check_bytes(path.stat().st_size, str(path))
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    return decode_photo(data, str(path), longest, shortest)


def expanded(paths: list[str]) -> list[str]:
    """The images among files and folders; a folder stands for the image files in it.

    Raises:
        UserError: there are none in a folder.
    """
    images = []
    for path in map(pathlib.Path, paths):
        if not path.is_dir():
            images.append(str(path))
            continue
        visible = (file for file in path.iterdir() if not file.name.startswith("."))  # macOS: ._photo.jpg
        inside = sorted(file for file in visible if file.suffix.lower() in SUFFIXES and file.is_file())
        if not inside:
            raise UserError(f"{path} holds no image ({' '.join(SUFFIXES)})")
        images += map(str, inside)
    return images


def as_photo(image: str | os.PathLike[str] | Image.Image | np.ndarray | Photo) -> Photo:
    """An image in any form as a Photo.

    Args:
        image: a path; a PIL image, at the frame it is at; an array (H, W), (H, W, 3) or (H, W, 4),
            uint8 or float in [0, 1], straight alpha; or a Photo.
    """
    if isinstance(image, Photo):
        return image
    if isinstance(image, np.ndarray):
        return _photo_of_array(image)
    if isinstance(image, Image.Image):
        name = getattr(image, "filename", "") or "the image"
        with _broken(name):
            _check_size(image.size, name, LONGEST, SHORTEST)
            return _decode(image, name, LONGEST, draft=False)  # it would change the caller's image
    return read_photo(image)


def _photo_of_array(values: np.ndarray) -> Photo:
    channels = values.shape[2] if values.ndim == 3 else 1
    if values.ndim not in (2, 3) or channels not in (1, 3, 4) or not values.size:
        raise UserError(f"an image array is (H, W), (H, W, 3) or (H, W, 4), not {values.shape}")
    if values.dtype != np.uint8:
        if values.dtype.kind != "f" or not (values.min() >= 0 and values.max() <= 1):
            described = f"{values.dtype} from {values.min()} to {values.max()}"
            raise UserError(f"an image array is uint8, or float in [0, 1], not {described}")
        values = np.rint(255 * values).astype(np.uint8)
    image = Image.fromarray(values.reshape(values.shape[:2]) if channels == 1 else values)
    return as_photo(image)


def read_view(path: str | os.PathLike[str]) -> Photo:
    """Read an image of any size whose pixels a camera refers to: it keeps its size."""
    return read_photo(path, longest=None, shortest=1)


def decode_photo(data: bytes, name: str, longest: int | None = LONGEST, shortest: int = SHORTEST) -> Photo:
    """Decode the bytes of an image file; `name` stands for it in messages. Else as read_photo."""
    if not data:
        raise UserError(f"{name} is empty")
    _check_bytes(len(data), name)
    # Pillow warns of sizes, which are checked here, and of odd metadata, which do no harm
    warnings.filterwarnings("ignore", module=r"PIL\b")
    with _broken(name):
        try:
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                _check_size(image.size, name, longest, shortest)
                if image.format == "PNG":
                    check_png(data)
                return _decode(image, name, longest)
        except Image.UnidentifiedImageError:
            raise UserError(f"{name} {other_content(data)}: {HINT}") from None


@contextlib.contextmanager
def _broken(name: str) -> Iterator[None]:
    """Turn errors of Pillow in the block into a UserError that names the image."""
    try:
        yield
    except UserError:
        raise
    except Image.DecompressionBombError:
        raise UserError(f"{name} has more than {MAX_PIXELS // 1_000_000} megapixels: make it smaller") from None
    except Exception as error:  # every reader of Pillow raises its own kinds of error for broken files
        reason = str(error).strip().splitlines()
        raise UserError(
            f"{name} is broken or cut off ({reason[0] if reason else type(error).__name__}): {HINT}"
        ) from None


def _check_bytes(count: int, name: str) -> None:
    """UserError if a file is too large."""
    if count > MAX_BYTES:
        raise UserError(f"{name} is larger than {MAX_BYTES // 1_000_000} MB: make it smaller")


def _check_size(size: tuple[int, int], name: str, longest: int | None, shortest: int) -> None:
    """UserError if an image of (width, height) is too large, too small or too narrow."""
    if size[0] * size[1] > MAX_PIXELS:
        raise UserError(
            f"{name} has {size[0]}x{size[1]} pixels, more than {MAX_PIXELS // 1_000_000} megapixels: make it smaller"
        )
    if min(size) < shortest:
        raise UserError(
            f"{name} has {size[0]}x{size[1]} pixels, too few to see an object: each side needs at least {shortest}"
        )
    if min(_reduced(size, longest)) < shortest:
        raise UserError(
            f"{name} has {size[0]}x{size[1]} pixels, too long and narrow to see an object: crop it to the object"
        )


def _reduced(size: tuple[int, int], longest: int | None) -> tuple[int, int]:
    """(width, height) -> that of the same image with its longest side at most `longest`."""
    return size if longest is None else fitted_size(size, longest)


def _decode(image: Image.Image, name: str, longest: int | None, draft: bool = True) -> Photo:
    """Decode an open Pillow image whose size was checked; `draft`: it may be changed."""
    scale_transparent_value(image)
    if draft:
        image.seek(0)  # else the frame is the caller's choice
    notes = _notes_of_frames(image, name)
    turn, profile, gamma, (width, height) = _turn(image), image.info.get("icc_profile"), gamma_of(image), image.size
    size = _reduced((width, height), longest)
    if draft and size != image.size:
        # only JPEG: a large one is decoded at a half, a quarter or an eighth, where that is exact;
        # other sides are rounded up, which would shift the far end by up to a pixel
        factor = max(k for k in (1, 2, 4, 8) if not (width % k or height % k or size[0] * k > width))
        image.draft(None, (width // factor, height // factor))
    image.load()
    has_alpha = image.mode in ALPHA_MODES or "transparency" in image.info
    image = eight_bit(image, name)
    if image.size != size:
        image = _averaged(image, size)
    if turn is not None:
        image = image.transpose(turn)
    if profile:
        image = to_srgb(image, profile)
    elif gamma:
        image = without_gamma(image, gamma)
    upright = (width, height) if turn in SIDEWAYS else (height, width)
    return Photo(np.asarray(image.convert("RGBA")), name, upright, notes, has_alpha)


def _averaged(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Reduce an image to (width, height): means over areas, colours weighted by alpha.

    resize.py does the same with four times the memory. Pillow's BOX filter averages whole pixels
    only, which moves edges by up to half of one.
    """
    mode = {"LA": "La", "RGBA": "RGBa"}.get(image.mode, image.mode)
    small = cv2.resize(np.asarray(image.convert(mode)), size, interpolation=cv2.INTER_AREA)
    return Image.frombytes(mode, size, small.tobytes()).convert(image.mode)


def _turn(image: Image.Image) -> Transpose | None:
    """The turn or flip that the EXIF orientation asks for. Pillow's TIFF reader turns by itself."""
    if image.format == "TIFF":
        return None
    try:
        return TURNS.get(image.getexif().get(ORIENTATION, 1))
    except Exception:  # broken EXIF: the image itself may be fine
        return None


def _notes_of_frames(image: Image.Image, name: str) -> list[str]:
    """A note where a file holds several images, which is usual only for a phone's photo (MPO).

    They are not counted: Pillow would go through all of them, and a small file can have thousands.
    """
    several = getattr(image, "is_animated", False) and image.tell() == 0
    return [f"{name} holds more than one image, the first is used"] if several and image.format != "MPO" else []
