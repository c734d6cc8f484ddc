"""The pictures of textures, at the size that rendering needs."""

import io
import os
import pathlib
import warnings
from collections.abc import Callable

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from preprocessing.meshes.side_files import find_side_file
from utils.errors import UserError, first_of
from utils.images.contents import check_png, other_content
from utils.images.photo import ORIENTATION, TURNS
from utils.images.pixel_modes import eight_bit, scale_transparent_value
from utils.images.resize import fitted_size
from utils.mesh.mesh import shrink_texture

LARGEST_TEXTURE = 1024  # texels a side: a view of 138 pixels, supersampled, shows half of that
FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "BMP", "DIB", "TIFF", "GIF", "PPM", "TGA", "DDS", "PCX", "JPEG2000")
MAX_BYTES = 256_000_000  # of the file
MAX_DECODED = 640_000_000  # bytes that Pillow needs for the whole picture
BYTES_PER_PIXEL = {"1": 1, "L": 1, "P": 1, "I": 24}  # of Pillow; of `eight_bit` for I; other modes need 4
QUARTERS = Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270
TURNED_BACK = dict(zip(QUARTERS, QUARTERS[::-1], strict=True))  # all other turns undo themselves
STRIP = 8  # rows of the result that are made at a time


class MissingTextures(UserWarning):
    """The warning of a mesh file about textures that could not be used."""

    def __init__(self, text: str, count: int) -> None:
        super().__init__(text)
        self.count = count  # of the textures


class Textures:
    """The textures of one mesh file; each is read once.

    A picture that cannot be used is None, and `warn` tells of all of these in one warning: the
    mesh is still worth having in the colours of its materials.
    """

    def __init__(self, mesh: pathlib.Path) -> None:
        """`mesh`: the mesh file, for messages and as the place that names refer to."""
        self._mesh = mesh
        self._known: dict[tuple[str, str, bool], np.ndarray | None] = {}
        self._problems: list[str] = []

    def from_file(self, name: str, within: str = "", opaque: bool = False) -> np.ndarray | None:
        """The texture that the mesh file names, (H, W, 4) uint8 RGBA.

        Args:
            name, within: as in `find_side_file`.
            opaque: as in `decode_texture`.
        """
        if (name, within, opaque) not in self._known:
            self._known[name, within, opaque] = self.attempt(lambda: _read(name, self._mesh, within, opaque))
        return self._known[name, within, opaque]

    def warn(self) -> None:
        """Warn of the pictures that could not be used since the last warning, if there are any."""
        problems, self._problems = list(dict.fromkeys(self._problems)), []
        if problems:
            text = f"{self._mesh}: {first_of(problems, 4)}; plain colours are used instead"
            warnings.warn(MissingTextures(text, len(problems)), stacklevel=3)

    def attempt(self, read: Callable[[], np.ndarray]) -> np.ndarray | None:
        """What `read` returns; None, and its reason in the warning, if it raises a UserError."""
        try:
            return read()
        except UserError as error:
            self._problems.append(str(error))
            return None


def decode_texture(data: bytes, name: str, opaque: bool = False) -> np.ndarray:
    """The bytes of an image file -> (H, W, 4) uint8 RGBA, at most LARGEST_TEXTURE a side.

    Texture coordinates belong to the pixels as they are stored, so that no orientation tag counts.
    Pictures that Pillow would need more than MAX_DECODED bytes for are not decoded. Of a large
    JPEG, it only decodes an eighth of the size.

    Args:
        data: the file.
        name: the picture, for messages.
        opaque: its alpha is not to count, and becomes 255.

    Raises:
        UserError: begins with `name`, the picture, and says why it cannot be used.
    """
    if not data:
        raise UserError(f"{name} is empty")
    if len(data) > MAX_BYTES:
        raise UserError(f"{name} is larger than {MAX_BYTES // 1_000_000} MB")
    try:
        # Pillow warns of sizes, which _texels checks, and of odd metadata, which do no harm
        with warnings.catch_warnings(action="ignore"), _open(data) as picture:
            scale_transparent_value(picture)
            # Pillow turns pictures of this format alone
            turn = TURNS.get(picture.getexif().get(ORIENTATION, 1)) if isinstance(picture, TiffImageFile) else None
            texels = _texels(picture, name, opaque)
            if turn is None:
                return texels
            return np.asarray(Image.fromarray(texels).transpose(TURNED_BACK.get(turn, turn)))
    except UserError:
        raise
    except Image.DecompressionBombError:
        raise UserError(f"{name} has too many pixels: make it smaller") from None
    except UnidentifiedImageError:
        raise UserError(f"{name} {other_content(data)}") from None
    except Exception as error:  # every reader of Pillow raises its own kinds of errors for broken files
        reason = str(error).strip().splitlines()
        raise UserError(f"{name} is broken or cut off ({reason[0] if reason else type(error).__name__})") from None


def _read(name: str, mesh: pathlib.Path, within: str, opaque: bool) -> np.ndarray:
    """The texture that a mesh file names; UserError if it cannot be used."""
    shown = " ".join(name.split())[:200]
    path = find_side_file(name, mesh, within)
    if path is None or not os.path.exists(path):
        raise UserError(f"{shown} is missing")
    if not os.path.isfile(path):  # reading a named pipe would wait for ever
        raise UserError(f"{shown} is a folder" if os.path.isdir(path) else f"{shown} is not a file")
    if os.path.getsize(path) > MAX_BYTES:
        raise UserError(f"{shown} is larger than {MAX_BYTES // 1_000_000} MB")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{shown} cannot be read ({error.strerror})") from None
    return decode_texture(data, shown, opaque)


def _open(data: bytes) -> Image.Image:
    """Open the bytes of an image file.

    Image.open refuses large pictures by a limit of its own, even those that it need not decode in
    full; the classes of the two usual formats do not.
    """
    if data.startswith(b"\xff\xd8\xff"):
        return JpegImageFile(io.BytesIO(data))
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        check_png(data)
        return PngImageFile(io.BytesIO(data))
    return Image.open(io.BytesIO(data), formats=FORMATS)


def _texels(picture: Image.Image, name: str, opaque: bool) -> np.ndarray:
    """An open picture, which need not be decoded yet -> (H, W, 4) uint8 RGBA."""
    width, height = fitted_size(picture.size, LARGEST_TEXTURE)
    shown, whole = "x".join(map(str, picture.size)), picture.size
    if picture.size != (width, height):
        picture.draft(None, (width, height))  # only JPEG: it is decoded at a half, a quarter or an eighth
    # a progressive JPEG is kept in full until it is decoded, whatever the size
    decoded = whole if picture.info.get("progressive") else picture.size
    if decoded[0] * decoded[1] * BYTES_PER_PIXEL.get(picture.mode, 4) > MAX_DECODED:
        raise UserError(f"{name} has {shown} pixels, too many to decode: make it smaller")
    picture.load()
    if picture.size == (width, height):
        return np.asarray(_rgba(picture, picture, name, opaque))
    if picture.mode == "I":  # its white is found in the whole
        picture = eight_bit(picture, name)
    scale, strips = picture.height / height, []
    for start in range(0, height, STRIP):  # RGBA is larger than most modes
        stop = min(start + STRIP, height)
        first, last = int(start * scale), min(int(np.ceil(stop * scale)), picture.height)
        strip = np.asarray(_rgba(picture.crop((0, first, picture.width, last)), picture, name, opaque))
        rows = start * scale - first, min(stop * scale - first, len(strip))
        strips.append(shrink_texture(strip, (width, stop - start), rows))
    return np.concatenate(strips)


def _rgba(part: Image.Image, whole: Image.Image, name: str, opaque: bool) -> Image.Image:
    """A part of a loaded picture of any mode as RGBA; an `opaque` one without its alpha."""
    rgba = eight_bit(part, name, whole).convert("RGBA")
    if opaque:
        rgba.putalpha(255)
    return rgba
