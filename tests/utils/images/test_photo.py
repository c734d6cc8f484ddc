"""Photographs of every kind as upright RGBA, and what is refused, in one line that names the file."""

import dataclasses
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from utils.errors import UserError
from utils.images import photo
from utils.images.photo import decode_photo, read_photo

RAMP = np.linspace(0, 65535, 64 * 64).round().astype(np.uint16).reshape(64, 64)


def colours(height=24, width=40):
    """(height, width, 3) uint8: red, green, blue and grey quarters, so that every turn and mirror shows."""
    rgb = np.full((height, width, 3), 128, np.uint8)
    rgb[: height // 2, : width // 2] = 255, 0, 0
    rgb[: height // 2, width // 2 :] = 0, 255, 0
    rgb[height // 2 :, : width // 2] = 0, 0, 255
    return rgb


def saved(path, picture, **options):
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(path, **options)
    return path


def refusal(path):
    """The message of the UserError, which must be one line and name the file."""
    with pytest.raises(UserError) as error:
        read_photo(path)
    message = str(error.value)
    assert "\n" not in message
    assert str(path) in message
    return message


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.gif", "a.ppm", "a.webp"])
def test_exact_formats(tmp_path, name):
    result = read_photo(saved(tmp_path / name, colours(), **({"lossless": True} if name == "a.webp" else {})))
    np.testing.assert_array_equal(result.rgba[..., :3], colours())
    assert (result.rgba[..., 3] == 255).all()
    assert result.rgba.dtype == np.uint8
    assert not result.transparent
    assert result.size == (24, 40)
    assert result.notes == []


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P"])
def test_grey_and_palette_modes(tmp_path, mode):
    picture = Image.fromarray(colours()).convert("RGBA" if mode == "LA" else "RGB").convert(mode)
    result = read_photo(saved(tmp_path / "a.png", picture))
    np.testing.assert_array_equal(result.rgba, np.asarray(picture.convert("RGBA")))


def test_alpha_stays_straight(tmp_path):
    rgba = np.concatenate([colours(), np.full((24, 40, 1), 77, np.uint8)], -1)
    result = read_photo(saved(tmp_path / "a.png", rgba))
    np.testing.assert_array_equal(result.rgba, rgba)
    assert result.transparent


@pytest.mark.parametrize("mode", ["P", "L", "RGB"])
def test_transparent_colour(tmp_path, mode):
    """The one colour of a PNG or GIF that stands for transparent."""
    grey = np.full((20, 20), 200, np.uint8)
    grey[5:15, 5:15] = 10
    picture = Image.fromarray(grey).convert(mode)
    index = {"P": picture.getpixel((0, 0)), "L": 200, "RGB": (200, 200, 200)}[mode]
    alpha = read_photo(saved(tmp_path / "a.png", picture, transparency=index)).rgba[..., 3]
    np.testing.assert_array_equal(alpha, np.where(grey == 10, 255, 0))


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm"])
def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path, name):
    result = read_photo(saved(tmp_path / name, Image.fromarray(RAMP)))
    grey = result.rgba[..., 0].ravel().astype(int)
    assert (np.diff(grey) >= 0).all()
    assert abs(grey - RAMP.ravel() / 257).max() <= 1
    assert (grey[0], grey[-1]) == (0, 255)


def test_sixteen_bit_colour(tmp_path):
    import cv2

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


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a.webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path, name, orientation):
    upright = Image.fromarray(colours(64, 96))
    turns = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # how a camera that was held so stores the picture
    stored = upright if orientation == 1 else upright.transpose(turns[orientation])
    exif = Image.Exif()
    exif[photo.ORIENTATION] = orientation
    result = read_photo(saved(tmp_path / name, stored, exif=exif))
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
    assert "3 pictures" in result.notes[0]


def srgb_profile():
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def test_srgb_profile_changes_nothing_and_a_broken_one_is_ignored(tmp_path):
    rgba = np.concatenate([colours(), np.full((24, 40, 1), 77, np.uint8)], -1)
    for profile in (srgb_profile(), b"no profile at all" * 20):
        result = read_photo(saved(tmp_path / "a.png", rgba, icc_profile=profile))
        assert abs(result.rgba.astype(int) - rgba).max() <= 1


def test_profile_is_applied(tmp_path):
    """The sRGB profile with its red and blue primaries exchanged: red pixels mean blue."""
    profile = srgb_profile()
    exchanged = profile.replace(b"rXYZ", b"tmp!", 1).replace(b"bXYZ", b"rXYZ", 1).replace(b"tmp!", b"bXYZ", 1)
    result = read_photo(saved(tmp_path / "a.png", colours(), icc_profile=exchanged))
    np.testing.assert_allclose(result.rgba[..., :3], colours()[..., ::-1].astype(int), atol=2)


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_large_pictures_are_reduced(tmp_path, monkeypatch, name):
    monkeypatch.setattr(photo, "LONGEST", 64)
    result = read_photo(saved(tmp_path / name, colours(300, 200)))
    assert result.rgba.shape == (64, 43, 4)
    assert result.size == (300, 200)
    np.testing.assert_allclose(result.rgba[8, 8], [255, 0, 0, 255], atol=12)


def test_reducing_weights_colours_by_alpha(tmp_path, monkeypatch):
    monkeypatch.setattr(photo, "LONGEST", 32)
    rgba = np.zeros((64, 64, 4), np.uint8)
    rgba[..., 1] = 255  # green, but nobody sees it
    rgba[:, 1::2] = 255, 0, 0, 255
    np.testing.assert_allclose(
        read_photo(saved(tmp_path / "a.png", rgba)).rgba, np.broadcast_to([255, 0, 0, 128], (32, 32, 4)), atol=2
    )


def test_refused_files(tmp_path, monkeypatch):
    assert "missing" in refusal(tmp_path / "no.png")
    assert "folder" in refusal(tmp_path)
    whole = saved(tmp_path / "whole.png", np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).read_bytes()
    smooth = saved(tmp_path / "smooth.png", colours(200, 200) + np.arange(200, dtype=np.uint8)[:, None]).read_bytes()
    for name, data, word in [
        ("empty.png", b"", "empty"),
        ("text.png", b"not a picture\nat all", "not a picture"),
        ("a.svg", b'<svg xmlns="http://www.w3.org/2000/svg" width="100" height="100"/>', "SVG"),
        ("a.pdf", b"%PDF-1.7\n", "PDF"),
        ("a.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n", "PostScript"),
        ("a.heic", b"\0\0\0\x18ftypheic" + bytes(40), "HEIC"),
        ("cut.png", whole[: len(whole) // 2], "broken"),
        ("corrupt.png", smooth[:60] + bytes(40) + smooth[100:], "broken"),
    ]:
        (tmp_path / name).write_bytes(data)
        assert word in refusal(tmp_path / name)
    for name in ("cut.jpg", "cut.webp", "cut.bmp", "cut.tif", "cut.gif"):
        path = saved(tmp_path / name, Image.open(io.BytesIO(whole)))
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        assert "broken" in refusal(path) or "not a picture" in refusal(path)
    assert "floating" in refusal(
        saved(tmp_path / "f.tif", Image.fromarray(np.random.default_rng(0).random((20, 20), np.float32)))
    )
    assert "too few" in refusal(saved(tmp_path / "tiny.png", np.zeros((15, 40, 3), np.uint8)))
    monkeypatch.setattr(photo, "MAX_BYTES", 1000)
    assert "larger" in refusal(tmp_path / "whole.png")


def header_only(width, height):
    """A PNG whose header claims a size and that has no pixels to speak of."""
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
