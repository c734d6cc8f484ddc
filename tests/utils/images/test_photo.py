"""Image files of every kind as upright RGBA, and refusals in one line that names the file."""

import dataclasses
import io
import struct
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, PngImagePlugin

from preprocessing.meshes.textures import decode_texture
from utils.errors import UserError
from utils.images import photo
from utils.images.photo import LONGEST, as_photo, decode_photo, expanded, read_photo, read_view

RAMP = np.linspace(0, 65535, 64 * 64).round().astype(np.uint16).reshape(64, 64)


def colours(height=24, width=40):
    """(height, width, 3) uint8: red, green, blue and grey quarters, to tell turns and flips."""
    rgb = np.full((height, width, 3), 128, np.uint8)
    rgb[: height // 2, : width // 2] = 255, 0, 0
    rgb[: height // 2, width // 2 :] = 0, 255, 0
    rgb[height // 2 :, : width // 2] = 0, 0, 255
    return rgb


def saved(path, image, **options):
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **options)
    return path


def refusal(path, read=read_photo):
    """The message of the UserError, which must be one line and name the file."""
    with pytest.raises(UserError) as error:
        read(path)
    message = str(error.value)
    assert "\n" not in message
    assert str(path) in message
    return message


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.gif", "a.ppm", "a.webp"])
def test_exact_formats(tmp_path, name):
    result = read_photo(saved(tmp_path / name, colours(), **({"lossless": True} if name == "a.webp" else {})))
    np.testing.assert_array_equal(result.rgba[..., :3], colours())
    assert (result.rgba[..., 3] == 255).all() and not result.has_alpha
    assert result.rgba.dtype == np.uint8
    assert result.size == (24, 40)
    assert result.notes == []


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P"])
def test_grey_and_palette_modes(tmp_path, mode):
    image = Image.fromarray(colours()).convert("RGBA" if mode == "LA" else "RGB").convert(mode)
    result = read_photo(saved(tmp_path / "a.png", image))
    np.testing.assert_array_equal(result.rgba, np.asarray(image.convert("RGBA")))
    assert result.has_alpha == (mode == "LA") and (result.rgba[..., 3] == 255).all()


def test_alpha_stays_straight(tmp_path):
    rgba = np.concatenate([colours(), np.full((24, 40, 1), 77, np.uint8)], -1)
    result = read_photo(saved(tmp_path / "a.png", rgba))
    np.testing.assert_array_equal(result.rgba, rgba)
    assert result.has_alpha


@pytest.mark.parametrize("mode", ["P", "L", "RGB"])
def test_transparent_colour(tmp_path, mode):
    """The one colour of a PNG or GIF that stands for transparent."""
    grey = np.full((20, 20), 200, np.uint8)
    grey[5:15, 5:15] = 10
    image = Image.fromarray(grey).convert(mode)
    index = {"P": image.getpixel((0, 0)), "L": 200, "RGB": (200, 200, 200)}[mode]
    result = read_photo(saved(tmp_path / "a.png", image, transparency=index))
    np.testing.assert_array_equal(result.rgba[..., 3], np.where(grey == 10, 255, 0))
    assert result.has_alpha


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("channels", [1, 3])
def test_transparent_value_of_any_depth(depth, channels):
    """The value in the file counts, whatever the pixels are scaled to."""
    if channels == 3 and depth < 8:
        return
    top = 2**depth - 1
    values = np.full((16, 16, channels), top // 2, int)
    values[4:12, 4:12] = top
    bits = np.unpackbits(values.astype(">u2").view(np.uint8).reshape(16, -1, 2), axis=-1)[..., -depth:]
    rows = b"".join(b"\0" + np.packbits(row).tobytes() for row in bits)
    key = struct.pack(f">{channels}H", *[top // 2] * channels)
    chunks = {b"IHDR": struct.pack(">IIBBBBB", 16, 16, depth, channels - 1, 0, 0, 0), b"tRNS": key}
    chunks |= {b"IDAT": zlib.compress(rows), b"IEND": b""}
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks.items()
    )
    photo = decode_photo(data, "a.png")
    np.testing.assert_array_equal(photo.rgba[..., 3], np.where(values[..., 0] == top, 255, 0))


def test_a_pillow_image_stays_as_it_is_and_a_broken_one_is_refused(tmp_path):
    path = saved(tmp_path / "a.jpg", Image.fromarray(np.zeros((400, 5000, 3), np.uint8)))
    with Image.open(path) as image:
        assert as_photo(image).size == as_photo(image).size == (400, 5000) and image.size == (5000, 400)
    path.write_bytes(path.read_bytes()[:2000])
    with Image.open(path) as image, pytest.raises(UserError, match="broken or cut off"):
        as_photo(image)


def test_hidden_files_of_a_folder_are_no_photographs(tmp_path):
    for name in ("a.png", "._a.png"):
        saved(tmp_path / name, Image.new("L", (20, 20)))
    assert expanded([str(tmp_path)]) == [str(tmp_path / "a.png")]


def test_photographs_of_a_folder_under_every_usual_suffix(tmp_path):
    """What browsers and telephones save is not passed over, even if it cannot be read."""
    pixels = Image.fromarray(np.full((20, 30, 3), 120, np.uint8))
    kinds = {"jfif": "JPEG", "jpe": "JPEG", "JPEG": "JPEG", "mpo": "MPO", "apng": "PNG", "dib": "BMP", "pnm": "PPM"}
    for suffix, kind in kinds.items():
        pixels.save(tmp_path / f"a.{suffix}", kind)
    (tmp_path / "b.HEIC").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    (tmp_path / "notes.txt").write_text("no photograph")
    found = expanded([str(tmp_path)])
    assert len(found) == len(kinds) + 1 and found[-1].endswith("b.HEIC")
    assert all(read_photo(path).size == (20, 30) for path in found[:-1])
    with pytest.raises(UserError, match="HEIC photo"):
        read_photo(found[-1])


def test_transparent_palette_entry_keeps_the_colours_of_the_others(tmp_path):
    rgb = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    palette = Image.fromarray(rgb).quantize(8)
    rgba = read_view(saved(tmp_path / "palette.png", palette, transparency=0)).rgba
    np.testing.assert_array_equal(rgba[..., 3], np.where(np.asarray(palette) == 0, 0, 255))
    np.testing.assert_array_equal(rgba[..., :3], np.asarray(palette.convert("RGB")))


def test_transparent_value_of_sixteen_bit_grey(tmp_path):
    values = np.full((20, 20), 60_000, np.uint16)
    values[5:15, 5:15] = 1000
    rgba = read_photo(saved(tmp_path / "a.png", Image.fromarray(values), transparency=60_000)).rgba
    np.testing.assert_array_equal(rgba[..., 3], np.where(values == 1000, 255, 0))
    np.testing.assert_array_equal(rgba[..., 0], np.rint(values / 257))


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm"])
def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path, name):
    result = read_photo(saved(tmp_path / name, Image.fromarray(RAMP)))
    expected = np.rint(RAMP / 257)
    np.testing.assert_array_equal(result.rgba, np.dstack([expected] * 3 + [np.full_like(expected, 255)]))


def test_sixteen_bit_colour(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.stack([RAMP, RAMP, RAMP[::-1]], -1))
    red, green, blue = np.moveaxis(read_photo(tmp_path / "a.png").rgba[..., :3].astype(int), -1, 0)
    assert abs(green - RAMP / 257).max() <= 1
    assert abs(blue - RAMP / 257).max() <= 1
    assert abs(red - RAMP[::-1] / 257).max() <= 1


@pytest.mark.parametrize("mode", ["CMYK", "RGB", "L"])
def test_jpeg_modes_look_right(tmp_path, mode):
    expected = Image.fromarray(colours(64, 96))
    result = read_photo(saved(tmp_path / "a.jpg", expected.convert(mode), quality=95))
    rgb = np.asarray(expected.convert("L").convert("RGB") if mode == "L" else expected)
    for row, column in ((8, 8), (8, 80), (56, 8), (56, 80)):
        np.testing.assert_allclose(result.rgba[row, column, :3], rgb[row, column].astype(int), atol=12)


def held(upright, orientation):
    """An image as a camera stores it that is held in this orientation."""
    turns = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    return upright if orientation == 1 else upright.transpose(turns[orientation])


def exif_of(orientation):
    exif = Image.Exif()
    exif[photo.ORIENTATION] = orientation
    return exif


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a.webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path, name, orientation):
    upright = Image.fromarray(colours(64, 96))
    result = read_photo(saved(tmp_path / name, held(upright, orientation), exif=exif_of(orientation)))
    assert result.rgba.shape == (64, 96, 4)
    assert result.size == (64, 96)
    for row, column in ((8, 8), (8, 80), (56, 8), (56, 80)):
        np.testing.assert_allclose(result.rgba[row, column, :3], colours(64, 96)[row, column].astype(int), atol=12)


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png", "a.tif"])
def test_first_of_several_frames(tmp_path, name):
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "lime", "blue")]
    result = read_photo(saved(tmp_path / name, frames[0], save_all=True, append_images=frames[1:]))
    np.testing.assert_allclose(result.rgba[10, 10], [255, 0, 0, 255], atol=4)
    assert len(result.notes) == 1
    assert "more than one image" in result.notes[0]


def srgb_profile():
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def test_srgb_profile_changes_nothing_and_a_broken_one_is_ignored(tmp_path):
    rgba = np.concatenate([colours(), np.full((24, 40, 1), 77, np.uint8)], -1)
    for profile in (srgb_profile(), b"no profile at all" * 20):
        result = read_photo(saved(tmp_path / "a.png", rgba, icc_profile=profile))
        assert abs(result.rgba.astype(int) - rgba).max() <= 1


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P"])
def test_the_gamma_of_a_png_is_applied_as_in_browsers(tmp_path, mode):
    ramp = np.dstack([np.tile(np.arange(0, 256, 5, np.uint8), (20, 1))] * 3 + [np.full((20, 52), 200, np.uint8)])
    for gamma, exponent in ((1.0, 1 / 2.2), (0.55, 1 / 1.21), (0.45455, 1), (0.46, 1)):
        chunks = PngImagePlugin.PngInfo()
        chunks.add(b"gAMA", struct.pack(">I", round(gamma * 100_000)))
        image = Image.fromarray(ramp).convert(mode)
        result = read_photo(saved(tmp_path / "a.png", image, pnginfo=chunks))
        plain = np.asarray(image.convert("RGBA"))
        np.testing.assert_allclose(result.rgba[..., :3], 255 * (plain[..., :3] / 255) ** exponent, atol=0.51)
        np.testing.assert_array_equal(result.rgba[..., 3], plain[..., 3])
        marked = PngImagePlugin.PngInfo()
        marked.chunks = [*chunks.chunks, (b"sRGB", b"\0")]
        for options in ({"pnginfo": marked}, {"pnginfo": chunks, "icc_profile": srgb_profile()}):
            marked_result = read_photo(saved(tmp_path / "a.png", image, **options))
            assert abs(marked_result.rgba.astype(int) - plain).max() <= 1


def test_profile_is_applied(tmp_path):
    """The sRGB profile with red and blue primaries exchanged: red pixels mean blue."""
    profile = srgb_profile()
    exchanged = profile.replace(b"rXYZ", b"tmp!", 1).replace(b"bXYZ", b"rXYZ", 1).replace(b"tmp!", b"bXYZ", 1)
    result = read_photo(saved(tmp_path / "a.png", colours(), icc_profile=exchanged))
    np.testing.assert_allclose(result.rgba[..., :3], colours()[..., ::-1].astype(int), atol=2)


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_large_images_are_reduced(tmp_path, name):
    path = saved(tmp_path / name, colours(300, 200))
    result = read_photo(path, longest=64)
    assert result.rgba.shape == (64, 43, 4)
    assert result.size == (300, 200)
    np.testing.assert_allclose(result.rgba[8, 8], [255, 0, 0, 255], atol=12)
    assert read_photo(saved(path, colours(30, photo.LONGEST + 8))).rgba.shape == (30, photo.LONGEST, 4)


def test_views_keep_their_size(tmp_path):
    for height, width in ((3, photo.LONGEST + 8), (1, 1), (137, 137)):
        rgb = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
        result = read_view(saved(tmp_path / "a.png", rgb))
        np.testing.assert_array_equal(result.rgba[..., :3], rgb)
        assert result.size == (height, width)


def area_shares(old, new):
    """(new, old): the share of each of `old` pixels in each of `new` ones along the same side."""
    first, start = np.arange(old), np.arange(new)[:, None] * old / new
    return np.clip(np.minimum(first + 1, start + old / new) - np.maximum(first, start), 0, None) * new / old


@pytest.mark.parametrize("mode, name", [("L", "a.png"), ("LA", "a.png"), ("RGB", "a.png"), ("CMYK", "a.tif")])
@pytest.mark.parametrize("size", [(70, 100), (66, 41), (128, 96), (20, 65)])
def test_reducing_is_the_mean_over_areas(tmp_path, mode, name, size):
    values = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    image = Image.fromarray(values).convert(mode)
    shown = np.asarray(image.convert("RGBA")).astype(float)
    small = read_photo(saved(tmp_path / name, image), longest=64).rgba
    rows, columns = (area_shares(old, new) for old, new in zip(size, small.shape[:2], strict=True))
    expected = np.einsum("ab,bdk,cd->ack", rows, shown, columns)
    assert abs(small - expected).max() <= (2 if mode == "CMYK" else 1)


@pytest.mark.parametrize("size", [(131, 97), (128, 96), (132, 260), (515, 1026), (520, 1040)])
def test_a_jpeg_that_is_decoded_smaller_keeps_its_places(tmp_path, size):
    row, column = np.indices(size) * (2 * np.pi * 4 / max(size))  # four waves along the longer side
    image = np.rint(127 + 60 * np.cos(row) + 60 * np.cos(column)).astype(np.uint8)
    path = saved(tmp_path / "a.jpg", image, quality=98)
    small = read_photo(path, longest=64).rgba[..., 0]
    rows, columns = (area_shares(old, new) for old, new in zip(size, small.shape, strict=True))
    assert abs(small - rows @ image @ columns.T).max() <= 3


def test_reducing_weights_colours_by_alpha(tmp_path):
    rgba = np.zeros((64, 64, 4), np.uint8)
    rgba[..., 1] = 255  # green, but nobody sees it
    rgba[:, 1::2] = 255, 0, 0, 255
    result = read_photo(saved(tmp_path / "a.png", rgba), longest=32)
    np.testing.assert_allclose(result.rgba, np.broadcast_to([255, 0, 0, 128], (32, 32, 4)), atol=2)


def test_refused_files(tmp_path, monkeypatch):
    assert "missing" in refusal(tmp_path / "no.png")
    assert "folder" in refusal(tmp_path)
    whole = saved(tmp_path / "whole.png", np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).read_bytes()
    smooth = saved(tmp_path / "smooth.png", colours(200, 200) + np.arange(200, dtype=np.uint8)[:, None]).read_bytes()
    for name, data, word in [
        ("empty.png", b"", "empty"),
        ("text.png", b"not an image\nat all", "not an image"),
        ("a.svg", b'<svg xmlns="http://www.w3.org/2000/svg" width="100" height="100"/>', "SVG"),
        ("a.pdf", b"%PDF-1.7\n", "PDF"),
        ("a.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n", "PostScript"),
        *((f"{brand}.heic", b"\0\0\0\x18ftyp" + brand.encode() + bytes(40), "HEIC") for brand in ("heic", "heis")),
        ("cut.png", whole[: len(whole) // 2], "broken"),
        ("corrupt.png", smooth[:60] + bytes(40) + smooth[100:], "broken"),
    ]:
        (tmp_path / name).write_bytes(data)
        assert word in refusal(tmp_path / name)
    for name in ("cut.jpg", "cut.webp", "cut.bmp", "cut.tif", "cut.gif"):
        path = saved(tmp_path / name, Image.open(io.BytesIO(whole)))
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        assert "broken" in refusal(path) or "not an image" in refusal(path)
    assert "floating" in refusal(
        saved(tmp_path / "f.tif", Image.fromarray(np.random.default_rng(0).random((20, 20), np.float32)))
    )
    assert "too few" in refusal(saved(tmp_path / "tiny.png", np.zeros((15, 40, 3), np.uint8)))
    assert read_view(tmp_path / "tiny.png").size == (15, 40)
    assert "long and narrow" in refusal(saved(tmp_path / "line.png", np.zeros((50, 10_000), np.uint8)))
    monkeypatch.setattr(photo, "MAX_BYTES", 1000)
    assert "larger" in refusal(tmp_path / "whole.png")


@pytest.mark.parametrize("read", [read_photo, read_view])
def test_truncated_png_is_noticed_wherever_it_ends(tmp_path, read):
    path = saved(tmp_path / "a.png", np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8))
    whole = path.read_bytes()
    for length in [*range(0, len(whole) - 20, 97), *range(len(whole) - 20, len(whole))]:
        path.write_bytes(whole[:length])
        message = refusal(path, read)
        assert any(words in message for words in ("is empty", "broken or cut off", "is not an image"))
    path.write_bytes(whole + bytes(2000))  # some programs append data of their own
    assert read(path).size == (40, 40)


@pytest.mark.parametrize("read", [read_photo, read_view])
def test_checksums_of_png_are_checked(tmp_path, read):
    """Only a checksum is damaged: Pillow's decoder would accept the file."""
    path = saved(tmp_path / "a.png", colours())
    data = bytearray(path.read_bytes())
    data[data.index(b"IEND") - 5] ^= 1  # the last byte of the checksum of the pixels
    path.write_bytes(data)
    assert "broken" in refusal(path, read)


def header_only(width, height):
    """A PNG whose header claims a size, without pixels."""
    data = bytearray()
    for kind, body in (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"")),
        (b"IEND", b""),
    ):
        data += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return b"\x89PNG\r\n\x1a\n" + bytes(data)


@pytest.mark.parametrize("size", [(10_000, 6_000), (12_000, 12_000), (60_000, 60_000)])
def test_too_many_pixels_are_seen_in_the_header(tmp_path, size, recwarn):
    (tmp_path / "bomb.png").write_bytes(header_only(*size))
    assert "megapixels" in refusal(tmp_path / "bomb.png")
    assert not recwarn.list


def test_uploads_are_decoded_from_bytes():
    buffer = io.BytesIO()
    Image.fromarray(colours()).save(buffer, "PNG")
    assert decode_photo(buffer.getvalue(), "upload").rgba.shape == (24, 40, 4)
    assert dataclasses.is_dataclass(photo.Photo)


def grey_tiff(values, bits, photometric):
    """A TIFF of (H, W) grey values, packed as the format wants it; photometric 0: 0 is white."""
    digits = np.unpackbits(values.astype(">u2").view(np.uint8).reshape(len(values), -1, 2), axis=-1)[..., 16 - bits :]
    packed = np.packbits(digits.reshape(len(values), -1), axis=1)
    data = (values.astype("<u2") if bits == 16 else packed).tobytes()
    entries = {256: values.shape[1], 257: len(values), 258: bits, 259: 1, 262: photometric, 273: 122, 277: 1}
    entries |= {278: len(values), 279: len(data)}
    table = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries.items())
    return struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + table + bytes(122 - 10 - len(table)) + data


@pytest.mark.parametrize("bits, photometric", [(8, 0), (8, 1), (12, 1), (16, 0), (16, 1)])
def test_grey_tiffs_of_any_depth_show_black_and_white(bits, photometric):
    stored = np.rint(RAMP * ((2**bits - 1) / 65535)).astype(np.uint16)
    grey = decode_photo(grey_tiff(stored, bits, photometric), "a.tif").rgba[..., 0]
    shown = RAMP / 257 if photometric else 255 - RAMP / 257
    assert abs(grey - shown).max() <= 1


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("dtype", ["<i1", "<i2", ">i2", "<i4", ">i4", "<u4", "<u2", ">u2"])
@pytest.mark.parametrize("width", [64, 2 * LONGEST])
def test_grey_tiffs_of_all_integers_show_black_and_white(dtype, compression, width):
    """White is the largest number of the type, in either order of bytes, signed or not."""
    top, ramp = np.iinfo(np.dtype(dtype)).max, np.tile(np.linspace(0, 1, width), (32, 1))
    stored, file = np.minimum(ramp * top, top).astype(dtype), io.BytesIO()
    order = ">" if dtype[0] == ">" else "<"
    tifffile.imwrite(file, stored, byteorder=order, compression=compression, photometric="minisblack")
    for decode in (lambda data, name: decode_photo(data, name).rgba, decode_texture):
        grey = decode(file.getvalue(), "a.tif")[..., 0]
        steps = 2 if dtype == "<i1" else 1  # of 8-bit grey in one step of the file
        assert np.abs(grey - 255 * np.linspace(0, 1, grey.shape[1])).max() <= steps + 0.6


def test_negative_pixels_are_refused():
    file = io.BytesIO()
    tifffile.imwrite(file, np.full((20, 20), -5, np.int16), photometric="minisblack")
    assert "negative pixels" in refusal("a.tif", lambda name: decode_photo(file.getvalue(), name))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("options", [
    {"photometric": "rgb"},
    {"photometric": "rgb", "extrasamples": ["unassalpha"]},
    {"photometric": "rgb", "extrasamples": ["assocalpha"]},
    {"photometric": "separated"},
])  # fmt: skip
def test_tiffs_in_planes_are_those_in_pixels(dtype, options):
    channels = 3 if options == {"photometric": "rgb"} else 4
    values = np.dstack([colours(), np.full((24, 40), 255, np.uint8)])[..., :channels]
    values = values.astype(dtype) * (np.iinfo(dtype).max // 255)
    together, planes = io.BytesIO(), io.BytesIO()
    tifffile.imwrite(together, values, planarconfig="contig", **options)
    tifffile.imwrite(planes, np.moveaxis(values, -1, 0), planarconfig="separate", rowsperstrip=5, **options)
    seen = decode_photo(together.getvalue(), "a.tif").rgba
    np.testing.assert_array_equal(decode_photo(planes.getvalue(), "a.tif").rgba, seen)
    if channels == 3:
        np.testing.assert_array_equal(seen[..., :3], colours())


def test_the_frame_of_a_pillow_image_is_the_callers_choice():
    file, frames = io.BytesIO(), [Image.new("RGB", (40, 24), colour) for colour in ("red", "lime", "blue")]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    with Image.open(file) as image:
        for number, colour in ((2, (0, 0, 255)), (1, (0, 255, 0)), (0, (255, 0, 0))):
            image.seek(number)
            photo = as_photo(image)
            assert image.tell() == number and photo.rgba[0, 0, :3].tolist() == list(colour)
            assert ["first" in note for note in photo.notes] == [True] * (number == 0)
