"""Textures: pictures of every kind and size, and pictures that cannot be used."""

import io
import os
import struct
import unicodedata
import warnings
import zlib

import numpy as np
import pytest
from PIL import ExifTags, Image

from preprocessing.meshes import textures
from preprocessing.meshes.side_files import find_side_file
from preprocessing.meshes.textures import LARGEST_TEXTURE, Textures, decode_texture
from tests.utils.images.test_photo import grey_tiff
from utils.errors import UserError


def encoded(image, form="PNG", **options):
    """The bytes of an image file."""
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def png_of(*chunks):
    """The bytes of a PNG of chunks, which begin with their kind."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks
    )


def test_a_picture_of_usual_size_keeps_its_texels():
    texels = np.random.default_rng(0).integers(0, 256, (20, 30, 4), dtype=np.uint8)
    for form in ("PNG", "TIFF", "TGA"):
        assert np.array_equal(decode_texture(encoded(Image.fromarray(texels), form), "a"), texels)
    opaque = Image.fromarray(texels[..., :3])
    for form in ("BMP", "PPM"):
        assert np.array_equal(decode_texture(encoded(opaque, form), "a")[..., :3], texels[..., :3])


@pytest.mark.parametrize(("form", "compression"), [("TIFF", None), ("TIFF", "tiff_lzw"), ("PNG", None), ("JPEG", None)])
def test_no_orientation_tag_turns_a_texture(form, compression):
    """As viewers show meshes: texture coordinates belong to the pixels as they are stored."""
    options = {"compression": compression} if compression else {}
    for height, width in ((2, 3), (1, 2 * LARGEST_TEXTURE)):
        texels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
        picture, exif = Image.fromarray(texels), Image.Exif()
        plain = decode_texture(encoded(picture, form, **options), "a")
        for orientation in range(1, 9):
            exif[ExifTags.Base.Orientation] = orientation
            tagged = decode_texture(encoded(picture, form, exif=exif, **options), "a")
            assert np.abs(plain.astype(int) - tagged).max() <= (width > LARGEST_TEXTURE), orientation  # of means


@pytest.mark.parametrize(("bits", "photometric"), [(8, 0), (12, 1), (16, 0), (16, 1)])
@pytest.mark.parametrize("width", [16, 2 * LARGEST_TEXTURE])
def test_grey_tiffs_of_any_depth_and_size_show_black_and_white(bits, photometric, width):
    ramp = np.tile(np.linspace(0, 1, width), (2, 1))
    grey = decode_texture(grey_tiff(np.rint(ramp * (2**bits - 1)).astype(np.uint16), bits, photometric), "a")[..., 0]
    shown = 255 * np.linspace(0, 1, grey.shape[1])
    assert np.abs(grey - (shown if photometric else 255 - shown)).max() <= 1


@pytest.mark.parametrize(("depth", "channels"), [(1, 1), (2, 1), (4, 1), (8, 1), (16, 1), (8, 3), (16, 3)])
@pytest.mark.parametrize("width", [16, 2 * LARGEST_TEXTURE])
def test_the_transparent_value_of_a_png_of_any_depth_makes_holes(depth, channels, width):
    key, other = 2 ** (depth - 1) - 1, 2**depth - 1
    left = np.arange(width) < width // 2
    values = np.repeat(np.where(left, key, other).astype(">u2"), channels)
    row = b"\0" + np.packbits(np.unpackbits(values.view(np.uint8).reshape(-1, 2), axis=1)[:, -depth:]).tobytes()
    head = b"IHDR" + struct.pack(">IIBBBBB", width, 1, depth, channels - 1, 0, 0, 0)
    hole = b"tRNS" + struct.pack(f">{channels}H", *[key] * channels)
    texture = decode_texture(png_of(head, hole, b"IDAT" + zlib.compress(row), b"IEND"), "a")
    half = texture.shape[1] // 2
    assert (texture[:, :half, 3] == 0).all() and (texture[:, half:] == 255).all()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I", "CMYK"])
def test_a_large_picture_is_averaged(mode):
    """Against means over 2 x 2 pixels of the picture that Pillow converts as a whole."""
    values = np.random.default_rng(1).integers(0, 256, (300, 2 * LARGEST_TEXTURE), dtype=np.uint8)
    if mode in ("I;16", "I"):
        image = Image.fromarray(values.astype(np.uint16 if mode == "I;16" else np.int32) * 257)
        whole = np.dstack([values] * 3 + [np.full_like(values, 255)])
    else:
        image = Image.fromarray(np.dstack([values, values[::-1], values[:, ::-1]])).convert(mode)
        if mode in ("LA", "RGBA"):
            image.putalpha(Image.fromarray(np.where(values > 99, 255, 0).astype(np.uint8)))
        whole = np.asarray(image.convert("RGBA"))
    texture = decode_texture(encoded(image, "TIFF" if mode in ("CMYK", "I") else "PNG"), "a")
    assert texture.shape == (150, LARGEST_TEXTURE, 4)
    weights = np.where(np.arange(4) < 3, whole[..., 3:] / 255.0, 1)  # colours count by their alpha
    sums = (whole * weights).reshape(150, 2, LARGEST_TEXTURE, 2, 4).sum((1, 3))
    counts = weights.reshape(150, 2, LARGEST_TEXTURE, 2, 4).sum((1, 3))
    seen = counts > 0
    assert np.abs(texture - sums / np.maximum(counts, 1))[seen].max() < 2.5


def area_means(values, count):
    """(N, ...) -> (count, ...) exact means over equal parts of the first axis."""
    sums = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values.astype(float), 0)])
    edges = np.linspace(0, len(values), count + 1)
    below = np.minimum(edges.astype(int), len(values) - 1)
    share = (edges - below).reshape(-1, *[1] * (values.ndim - 1))
    return np.diff(sums[below] * (1 - share) + sums[below + 1] * share, axis=0) * count / len(values)


@pytest.mark.parametrize("size", [(1500, 1200), (1025, 900), (2047, 31), (7, 2500)])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "I", "1"])
def test_areas_are_averaged_at_any_factor(mode, size):
    """Each texel is the mean over its area, with the shares of the pixels that it cuts."""
    values = np.random.default_rng(2).integers(0, 256, (size[1], size[0], 4), dtype=np.uint8)
    values[..., 3] |= 128  # alpha from 128 on
    image = Image.fromarray(values).convert("L" if mode in "I1" else mode)
    if mode == "I":
        image = Image.fromarray(np.asarray(image).astype(np.int32) * 257)
    image = image.convert(mode)
    texture = decode_texture(encoded(image, "TIFF"), "a")
    whole = np.asarray((image.point(lambda v: v / 257).convert("L") if mode == "I" else image).convert("RGBA"), float)
    height, width = texture.shape[:2]
    assert max(height, width) == LARGEST_TEXTURE
    alpha = whole[..., 3:] / 255
    means = area_means(np.concatenate([whole[..., :3] * alpha, alpha], 2), height)
    means = area_means(means.swapaxes(0, 1), width).swapaxes(0, 1)
    expected = np.concatenate([means[..., :3] / means[..., 3:], 255 * means[..., 3:]], 2)
    assert np.abs(texture - expected).max() < 1  # OpenCV leaves out shares below 0.001


@pytest.mark.parametrize("alpha", [0, 3])
def test_colours_stay_where_alpha_is_nearly_nothing(alpha):
    """Shrunk beside an opaque half, whose colours do not mix with them."""
    texels = np.full((4, 2 * LARGEST_TEXTURE, 4), [200, 120, 40, alpha], np.uint8)
    texels[:, LARGEST_TEXTURE:] = [10, 60, 90, 255]
    half = LARGEST_TEXTURE // 2
    for opaque, left in ((False, alpha), (True, 255)):
        texture = decode_texture(encoded(Image.fromarray(texels)), "a", opaque)
        assert (texture[:, :half] == [200, 120, 40, left]).all()
        assert (texture[:, half:] == [10, 60, 90, 255]).all()


@pytest.mark.parametrize("width", [2, 2 * LARGEST_TEXTURE])
def test_an_opaque_texture_is_read_and_averaged_without_its_alpha(width):
    texels = np.zeros((2, width, 4), np.uint8)
    texels[:, ::2] = [200, 0, 0, 255]
    texels[:, 1::2] = [0, 0, 100, 60]
    texture = decode_texture(encoded(Image.fromarray(texels)), "a", opaque=True)
    assert (texture[..., 3] == 255).all()
    assert np.array_equal(texture[..., :3].mean((0, 1)), [100, 0, 50])


def test_a_large_picture_has_no_seams():
    ramp = np.repeat(np.linspace(0, 250, 2500)[:, None], 7, 1)
    texture = decode_texture(encoded(Image.fromarray(np.rint(ramp).astype(np.uint8))), "a")
    assert texture.shape == (LARGEST_TEXTURE, 3, 4)
    assert np.abs(texture[:, 0, 0] - (np.arange(LARGEST_TEXTURE) + 0.5) * 250 / LARGEST_TEXTURE).max() < 1


def test_pictures_are_decoded_within_memory(monkeypatch):
    """A JPEG is decoded at the size needed; what would need more memory than allowed is refused."""
    monkeypatch.setattr(textures, "MAX_DECODED", 10_000_000)
    image = Image.new("RGB", (4096, 2048), (30, 160, 60))
    image.paste((200, 40, 40), (2048, 0, 4096, 2048))
    texture = decode_texture(encoded(image, "JPEG"), "large.jpg")
    assert texture.shape == (512, 1024, 4)
    assert np.abs(texture[:, :500, :3].astype(int) - [30, 160, 60]).max() < 6
    assert np.abs(texture[:, 524:, :3].astype(int) - [200, 40, 40]).max() < 6
    assert decode_texture(encoded(image.convert("P")), "palette.png").shape == (512, 1024, 4)
    for data in (encoded(image), encoded(image, "JPEG", progressive=True), encoded(image, "BMP")):
        with pytest.raises(UserError, match="large has 4096x2048 pixels, too many"):
            decode_texture(data, "large")


@pytest.mark.parametrize(("width", "height"), [(20000, 20000), (100000, 90000)])
def test_the_header_alone_gives_away_the_size(width, height):
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = png_of(head, b"IDAT" + zlib.compress(b"\0" * 1000), b"IEND")
    with pytest.raises(UserError, match=f"a.png has {width}x{height} pixels, too many"):
        decode_texture(data, "a.png")


def test_what_is_no_texture_is_told_in_one_warning(tmp_path):
    picture = encoded(Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)))
    (tmp_path / "page.jpg").write_bytes(b"<!DOCTYPE html><html>404</html>")
    (tmp_path / "cut.png").write_bytes(picture[:-30])
    (tmp_path / "flipped.png").write_bytes(picture[:200] + bytes([picture[200] ^ 1]) + picture[201:])
    (tmp_path / "cut.jpg").write_bytes(encoded(Image.open(io.BytesIO(picture)), "JPEG")[:400])
    (tmp_path / "empty.tga").write_bytes(b"")
    (tmp_path / "vector.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    reasons = {
        "gone.png": "is missing",
        "page.jpg": "is a web page",
        "cut.png": "is broken or cut off",
        "flipped.png": "is broken or cut off",
        "cut.jpg": "is broken or cut off",
        "empty.tga": "is empty",
        "vector.png": "is PostScript",
        "folder.png": "is a folder",
        "pipe.png": "is not a file",
    }
    for name, reason in reasons.items():
        reader = Textures(tmp_path / "mesh.obj")
        assert reader.from_file(name) is None and reader.from_file(name) is None
        with pytest.warns(UserWarning) as caught:
            reader.warn()
        (message,) = [str(warning.message) for warning in caught]
        assert message.count(name) == 1
        assert f"mesh.obj: {name} {reason}" in message and "plain colours are used" in message
    reader = Textures(tmp_path / "mesh.obj")
    assert all(reader.from_file(name) is None for name in reasons)
    assert reader.attempt(lambda: decode_texture(b"<svg/>", "image 3")) is None
    with pytest.warns(UserWarning) as caught:
        reader.warn()
    assert len(caught) == 1 and "and 6 more" in str(caught[0].message)
    with warnings.catch_warnings(action="error"):
        reader.warn()  # nothing new


def test_a_texture_is_read_once(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(Image.new("RGB", (4, 4))))
    reader = Textures(tmp_path / "mesh.obj")
    texture = reader.from_file("a.png")
    assert texture is not None and reader.from_file("a.png") is texture


BLANKS = "o/m/with blank.png", "o/m/100%.png"


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("a.png", "o/m/a.png"),
        ("./x/../a.png", "o/m/a.png"),
        ('"a.png" ', "o/m/a.png"),
        ("A.PNG", "o/m/a.png"),
        ("Sub\\B.png", "o/m/sub/b.png"),
        ("..\\images\\c.png", "o/images/c.png"),
        ("C:\\Users\\x\\a.png", "o/m/a.png"),
        ("C:/Users/x/d.png", "o/m/textures/d.png"),
        ("/home/x/c.png", "o/images/c.png"),
        ("file:///home/x/a.png", "o/m/a.png"),
        ("gone/a.png", "o/m/a.png"),
        ("'a.png'", "o/m/a.png"),
        ("with\\ blank.png", "o/m/with blank.png"),
        ("with%20blank.png", "o/m/with blank.png"),
        ("100%.png", "o/m/100%.png"),
        ("..%2f..%2fsecret.png", None),
        ("a%00.png", None),
        ("../../a.png", "o/m/a.png"),
        ("../../secret.png", None),
        ("x/../../../secret.png", None),
        ("{root}/secret.png", None),
        ("", None),
        ("..", None),
        ("/", None),
        ("a\0.png", None),
        ("n" * 5000, None),
    ],
)
def test_names_lead_to_files_near_the_mesh(tmp_path, name, place):
    for file in ("o/m/a.png", "o/m/sub/b.png", "o/images/c.png", "o/m/textures/d.png", *BLANKS, "secret.png"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    found = find_side_file(name.replace("{root}", str(tmp_path)), tmp_path / "o/m/mesh.obj")
    assert (found and found.resolve()) == (place and tmp_path / place)


def test_names_in_a_library_refer_to_its_folder_first(tmp_path):
    for file in ("a.png", "lib/a.png", "b.png"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    assert find_side_file("a.png", tmp_path / "mesh.obj", "lib") == tmp_path / "lib/a.png"
    assert find_side_file("b.png", tmp_path / "mesh.obj", "lib") == tmp_path / "b.png"


def test_accents_may_be_composed_or_not(tmp_path):
    """As macOS stores names of files that other systems wrote, and the other way round."""
    for stored, named in (("NFD", "NFC"), ("NFC", "NFD")):
        (tmp_path / unicodedata.normalize(stored, f"Stühle {stored}.png")).touch()
        for name in (f"Stühle {stored}.png", f"stÜhle {stored}.png"):
            found = find_side_file(unicodedata.normalize(named, name), tmp_path / "mesh.obj")
            assert found is not None and found.is_file()


@pytest.mark.parametrize(
    ("page", "name"),
    [
        ("gb18030", "贴图 椅子.png"),
        ("big5", "貼圖.png"),
        ("cp932", "椅子.png"),
        ("cp949", "의자.png"),
        ("cp1251", "стул.png"),
        ("cp1250", "židle ř.png"),
        ("cp1252", "chair’s “skin”.png"),
    ],
)
@pytest.mark.parametrize("as_bytes", [False, True])  # as archives are unpacked that do not tell the code page
def test_names_of_other_code_pages(page, name, as_bytes, tmp_path):
    raw = name.encode(page)
    file = tmp_path / (os.fsdecode(raw) if as_bytes else name)
    file.touch()
    (tmp_path / "other.png").touch()
    assert find_side_file(raw.decode("latin-1"), tmp_path / "mesh.obj") == file


def test_symbolic_links_are_followed(tmp_path):
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs/1").write_bytes(encoded(Image.new("RGB", (2, 2), (1, 2, 3))))
    (tmp_path / "x/y/z").mkdir(parents=True)
    (tmp_path / "x/y/z/a.png").symlink_to(tmp_path / "blobs/1")
    texture = Textures(tmp_path / "x/y/z/mesh.obj").from_file("a.png")
    assert texture is not None and texture[0, 0].tolist() == [1, 2, 3, 255]
