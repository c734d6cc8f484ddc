"""Image files: photographs, views, masks, textures; bombs of pixels and of frames."""

import io
import pathlib
import struct
import zlib

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from preprocessing.meshes.textures import LARGEST_TEXTURE, decode_texture
from tests.fuzz.targets.target import Target
from utils.images.foreground import foreground
from utils.images.photo import LONGEST, MAX_PIXELS, read_photo

KINDS = {
    "png": ("RGBA", {}),
    "palette.png": ("P", {}),
    "deep.png": ("I;16", {}),
    "grey.png": ("LA", {}),
    "jpg": ("RGB", {}),
    "progressive.jpg": ("RGB", {"progressive": True}),
    "cmyk.jpg": ("CMYK", {}),
    "webp": ("RGBA", {}),
    "avif": ("RGBA", {}),
    "bmp": ("RGB", {}),
    "tif": ("RGBA", {}),
    "lzw.tif": ("RGB", {"compression": "tiff_lzw"}),
    "deflated.tif": ("RGB", {"compression": "tiff_adobe_deflate"}),
    "gif": ("P", {}),
    "ppm": ("RGB", {}),
}
ANIMATED = ("gif", "webp", "tif", "png")


def picture(mode: str = "RGBA", seed: int = 0) -> Image.Image:
    """A smooth image of 40 x 36 pixels with a disc that is opaque."""
    y, x = np.mgrid[:36, :40]
    disc = np.hypot(x - 20, y - 18) < 14
    rgba = np.stack([6 * x, 7 * y, 3 * (x + y) + seed, 255 * disc], -1).astype(np.uint8)
    if mode == "I;16":
        return Image.fromarray(257 * rgba[..., 0].astype(np.uint16))
    return Image.fromarray(rgba).convert("RGB" if mode == "P" else mode).convert(mode)


def encoded(name: str) -> bytes:
    mode, options = KINDS[name]
    out, suffix = io.BytesIO(), name.rpartition(".")[2]
    picture(mode).save(out, {"jpg": "JPEG", "tif": "TIFF"}.get(suffix, suffix).upper(), **options)
    return out.getvalue()


def animated(suffix: str) -> bytes:
    """An image file of three frames."""
    out, frames = io.BytesIO(), [picture("RGB", 40 * i) for i in range(3)]
    frames[0].save(out, {"tif": "TIFF"}.get(suffix, suffix).upper(), save_all=True, append_images=frames[1:])
    return out.getvalue()


def png_bomb(size: tuple[int, int], colour: int, rows: int) -> bytes:
    """A PNG that declares a size and stores so many rows of zeros."""
    width = min(size[0], 1 << 20)
    content = zlib.compress(bytes(rows * (width + 1)), 9)

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", *size, 8, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", content) + chunk(b"IEND", b"")


def tiff_frames(count: int, loop: bool, side: int = 16) -> bytes:
    """A TIFF of many frames that share their pixels; `loop`: the last is followed by the first."""
    pixels = bytes(range(256))[: side * side].ljust(min(side * side, 1 << 16), b"\x7f")
    tags = [(256, 3, side), (257, 3, side), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8), (277, 3, 1)]
    tags += [(278, 3, side), (279, 4, len(pixels))]
    first, length = 8 + len(pixels), 2 + 12 * len(tags) + 4
    body = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", tag, kind, 1, v) for tag, kind, v in tags)
    offsets = [first + length * (i + 1) for i in range(count - 1)] + [first if loop else 0]
    return b"II*\0" + struct.pack("<I", first) + pixels + b"".join(body + struct.pack("<I", at) for at in offsets)


def gif_frames(count: int, side: int) -> bytes:
    """A GIF of many frames of `side` pixels of one colour."""
    out = io.BytesIO()
    Image.new("P", (min(side, 1000),) * 2).save(out, "GIF")
    data = out.getvalue()
    start = 13 + 3 * (2 << (data[10] & 7))  # header and palette
    return data[:6] + struct.pack("<HH", side, side) + data[10:start] + data[start:-1] * count + data[-1:]


SIZES = [(60_000, 60_000), (1 << 31, 1), (1, 1 << 20), (7000, 7000), (7100, 7100), (40_000, 1200), (0, 5), (16, 16)]


def bombs(suffix: str) -> list[st.SearchStrategy]:
    """Files that are small and would be large in memory."""
    if suffix == "png":
        made = st.builds(png_bomb, st.sampled_from(SIZES), st.sampled_from([0, 2, 3, 6]), st.sampled_from([0, 40]))
    elif suffix == "tif":
        made = st.builds(tiff_frames, st.sampled_from([1, 2, 3000, 86_000]), st.booleans(), st.sampled_from([16, 9000]))
    elif suffix == "gif":
        made = st.builds(gif_frames, st.sampled_from([1, 2, 3000, 86_000]), st.sampled_from([16, 1000, 7000, 65_535]))
    elif suffix == "ppm":
        made = st.builds(
            lambda kind, w, h, white: f"{kind} {w} {h} {white}\n".encode() + bytes(3000),
            st.sampled_from(["P1", "P3", "P4", "P5", "P6", "Pf", "P7"]),
            *[st.sampled_from([-1, 0, 1, 10, 40, 7000, 60_000, 10**12])] * 2,
            st.sampled_from([-1, 0, 1, 255, 256, 65_535, 65_536, 10**12, "1e5"]),
        )
    else:
        return []
    return [made.map(lambda data: {f"image.{suffix}": data})]


def read_as_photo(folder: pathlib.Path) -> None:
    (path,) = folder.iterdir()
    photo = read_photo(path)
    height, width = photo.size
    assert photo.rgba.dtype == np.uint8 and photo.rgba.shape[2:] == (4,) and min(photo.rgba.shape[:2]) >= 16
    assert max(photo.rgba.shape[:2]) <= LONGEST and height * width <= MAX_PIXELS
    assert all("\n" not in note for note in photo.notes)
    ratio = photo.rgba.shape[0] / photo.rgba.shape[1]
    assert abs(ratio / (height / width) - 1) < 0.2 or max(height, width) > LONGEST


def read_as_texture(folder: pathlib.Path) -> None:
    (path,) = folder.iterdir()
    pixels = decode_texture(path.read_bytes(), path.name)
    assert pixels.dtype == np.uint8 and pixels.shape[2:] == (4,) and max(pixels.shape) <= LARGEST_TEXTURE


def read_as_mask(folder: pathlib.Path) -> None:
    photo = read_photo(folder / "photo.png")
    mask = foreground(photo, folder / "image.png")
    assert mask.alpha.shape == photo.rgba.shape[:2] and mask.alpha.dtype == np.uint8 and mask.alpha.max() > 0


def write_mask(folder: pathlib.Path) -> None:
    picture("RGB").save(folder / "photo.png")
    picture("RGBA").getchannel("A").save(folder / "image.png")


def _targets() -> list[Target]:
    targets = []
    for name in KINDS:
        suffix = name.rpartition(".")[2]

        def write(folder: pathlib.Path, name: str = name, suffix: str = suffix) -> None:
            (folder / f"image.{suffix}").write_bytes(encoded(name))

        for use, read in (("photo", read_as_photo), ("texture", read_as_texture)):
            targets.append(Target(f"{use} {name}", "images", write, read, bombs(name)))
    for suffix in ANIMATED:

        def write(folder: pathlib.Path, suffix: str = suffix) -> None:
            (folder / f"image.{suffix}").write_bytes(animated(suffix))

        targets.append(Target(f"animated {suffix}", "images", write, read_as_photo))
    targets.append(Target("mask", "images", write_mask, read_as_mask, bombs("png"), ("photo.png",)))
    return targets


TARGETS = _targets()
