"""Masks of known images from transparency, files and GrabCut, and inputs that are refused."""

import sys
import types
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from PIL import Image

from utils.errors import UserError
from utils.images import foreground as foreground_module
from utils.images.foreground import foreground
from utils.images.mask_parts import OPAQUE
from utils.images.photo import ORIENTATION, Photo, read_photo


def disc(height=240, width=320):
    """(height, width) bool: an ellipse off the middle with a bar through it, and a hole."""
    y, x = np.mgrid[:height, :width]
    shape = ((x - 0.55 * width) / (0.25 * width)) ** 2 + ((y - 0.5 * height) / (0.3 * height)) ** 2 < 1
    shape |= (abs(y - 0.5 * height) < 0.05 * height) & (abs(x - 0.5 * width) < 0.4 * width)
    return shape & ~(((x - 0.55 * width) / (0.1 * width)) ** 2 + ((y - 0.5 * height) / (0.15 * height)) ** 2 < 1)


def scene(background, shape, seed=0):
    """A Photo of the shape in two colours over a background (H, W, 3) 0..255, with noise."""
    rng = np.random.default_rng(seed)
    half = np.arange(shape.shape[1])[:, None] < shape.shape[1] * 0.55
    rgb = np.where(shape[..., None], np.where(half, (200, 60, 40), (230, 190, 60)), background) + rng.normal(
        0, 2, (*shape.shape, 3)
    )
    return opaque(np.clip(rgb, 0, 255).astype(np.uint8))


def opaque(rgb):
    return Photo(np.concatenate([rgb, np.full_like(rgb[..., :1], 255)], -1), "photo.png", rgb.shape[:2], [])


def with_alpha(alpha):
    rgba = np.full((*alpha.shape, 4), 120, np.uint8)
    rgba[..., 3] = alpha
    return Photo(rgba, "photo.png", alpha.shape, [])


def iou(alpha, truth):
    return ((alpha >= 128) & truth).sum() / ((alpha >= 128) | truth).sum()


def background(kind, height=240, width=320):
    y, x = (axis[..., None] for axis in np.mgrid[:height, :width])
    if kind == "plain":
        return np.full((height, width, 3), (90, 140, 180))
    if kind == "gradient":
        return (60, 90, 120) + np.array([100, 20, -60]) * x / width + np.array([0, 60, 20]) * y / height
    if kind == "room":
        return np.where(y < 0.6 * height, (170, 180, 190), (90, 110, 80))
    return np.where((x + y) // 20 % 2, (60, 90, 160), (120, 150, 200))  # stripes


@pytest.mark.parametrize("kind", ["plain", "gradient", "room", "stripes"])
def test_object_is_cut_out_of_its_background(kind):
    shape = disc()
    result = foreground(scene(background(kind), shape))
    assert result.used == "grabcut"
    assert result.alpha.shape == shape.shape
    assert result.alpha.dtype == np.uint8
    assert iou(result.alpha, shape) > (0.98 if kind in ("plain", "gradient") else 0.95)


def test_large_image_keeps_its_size_and_has_a_soft_edge():
    shape = disc(960, 1280)
    alpha = foreground(scene(background("plain", 960, 1280), shape)).alpha
    assert alpha.shape == (960, 1280)
    assert iou(alpha, shape) > 0.97
    assert 0 < ((alpha > 20) & (alpha < 235)).mean() < 0.03


def test_object_at_the_border_is_kept():
    shape = disc()
    shape[200:, 150:200] = True  # down to the lower edge
    assert iou(foreground(scene(background("plain"), shape)).alpha, shape) > 0.95


def test_same_image_same_mask_in_any_thread():
    photo = scene(background("stripes"), disc())
    with ThreadPoolExecutor(4) as pool:
        first, *others = (result.alpha for result in pool.map(foreground, [photo] * 4))
    for other in others:
        np.testing.assert_array_equal(other, first)


@pytest.mark.parametrize("grey", [0, 130, 255])
def test_image_of_nothing_is_refused(grey):
    with pytest.raises(UserError, match=r"photo.png: no object .* give a mask file") as error:
        foreground(opaque(np.full((100, 100, 3), grey, np.uint8)))
    assert "\n" not in str(error.value)


def test_transparency_is_used_where_there_is_any():
    alpha = np.where(disc(), 255, 0).astype(np.uint8)
    alpha[:, 100] //= 2
    for how in ("auto", "alpha"):
        result = foreground(with_alpha(alpha), how)
        assert result.used == "alpha"
        np.testing.assert_array_equal(result.alpha, alpha)


@pytest.mark.parametrize(
    ("value", "words"),
    [(255, "no transparent background"), (252, "no transparent background"), (0, "entirely transparent")],
)
def test_alpha_that_shows_no_object_is_refused(value, words):
    with pytest.raises(UserError, match=words):
        foreground(with_alpha(np.full((50, 60), value, np.uint8)), "alpha")


def test_none_takes_the_whole_image():
    result = foreground(with_alpha(np.zeros((50, 60), np.uint8)), "none")
    assert result.used == "none"
    assert (result.alpha == 255).all()


@pytest.mark.parametrize("channels", ["grey", "colour", "alpha"])
def test_mask_files_of_every_kind(tmp_path, channels):
    shape = disc()
    mask = np.where(shape, 255, 0).astype(np.uint8)
    if channels == "colour":
        mask = np.repeat(mask[..., None], 3, -1)
    if channels == "alpha":  # the object cut out, black
        mask = np.concatenate([np.zeros((*shape.shape, 3), np.uint8), mask[..., None]], -1)
    cv2.imwrite(str(tmp_path / "m.png"), mask)
    result = foreground(scene(background("plain"), shape), str(tmp_path / "m.png"))
    assert result.used == "file"
    np.testing.assert_array_equal(result.alpha, np.where(shape, 255, 0))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("orientation", [1, 3])
def test_a_pillow_image_is_the_mask_that_it_shows(mode, orientation):
    shape = disc()
    mask = Image.fromarray(np.where(shape, 255, 0).astype(np.uint8))
    if mode == "I;16":
        mask = Image.fromarray(np.where(shape, 65535, 0).astype(np.uint16))
    elif mode == "P":  # white is the first colour
        mask = Image.fromarray(np.where(shape, 0, 1).astype(np.uint8))
        mask.putpalette([255, 255, 255, 0, 0, 0])
    else:
        mask = mask.convert(mode)
    mask.getexif()[ORIENTATION] = orientation
    upright = shape if orientation == 1 else shape[::-1, ::-1]
    result = foreground(scene(background("plain"), upright), mask)
    np.testing.assert_array_equal(result.alpha, np.where(upright, 255, 0))


def test_a_pillow_image_that_is_no_mask_is_called_the_mask():
    with pytest.raises(UserError, match="^the mask is 320x240 and photo.png 240x240"):
        foreground(scene(background("plain", 240, 240), disc(240, 240)), Image.new("L", (320, 240)))


@pytest.mark.parametrize("scale", [0.5, 2])
def test_mask_of_another_size_but_the_same_shape_is_resized(tmp_path, scale):
    shape = disc()
    other = disc(round(240 * scale), round(320 * scale))
    cv2.imwrite(str(tmp_path / "m.png"), np.where(other, 255, 0).astype(np.uint8))
    assert iou(foreground(scene(background("plain"), shape), tmp_path / "m.png").alpha, shape) > 0.97


def test_mask_belongs_to_the_photograph_before_it_was_reduced(tmp_path):
    cv2.imwrite(str(tmp_path / "p.png"), np.full((241, 320, 3), 90, np.uint8))
    cv2.imwrite(str(tmp_path / "m.png"), np.where(disc(241), 255, 0).astype(np.uint8))
    photo = read_photo(tmp_path / "p.png", longest=160)
    assert photo.rgba.shape == (120, 160, 4)
    assert iou(foreground(photo, tmp_path / "m.png").alpha, disc(120, 160)) > 0.95


def test_mask_files_that_do_not_fit_are_refused(tmp_path):
    photo = scene(background("plain"), disc())
    for name, mask, words in [
        ("turned.png", np.where(disc().T, 255, 0), ("240x320", "320x240", "photo.png")),
        ("black.png", np.zeros((240, 320)), ("black",)),
        ("faint.png", np.where(disc(), 115, 0), ("at most 115",)),
        ("white.png", np.full((240, 320), 255), ("white", "mask none")),
    ]:
        cv2.imwrite(str(tmp_path / name), mask.astype(np.uint8))
        with pytest.raises(UserError) as error:
            foreground(photo, tmp_path / name)
        assert all(word in str(error.value) for word in (name, *words))
        assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="missing"):
        foreground(photo, tmp_path / "no.png")


def replace_rembg(monkeypatch, remove):
    monkeypatch.setitem(sys.modules, "rembg", types.SimpleNamespace(remove=remove, new_session=lambda: None))
    monkeypatch.setattr(foreground_module.importlib.util, "find_spec", lambda name: name == "rembg")
    foreground_module._rembg_session.cache_clear()


def test_rembg_is_used_where_it_works(monkeypatch):
    shape = disc()
    replace_rembg(monkeypatch, lambda rgb, session, only_mask: np.where(shape, 255, 0).astype(np.uint8))
    result = foreground(scene(background("plain"), shape))
    assert (result.used, result.notes) == ("rembg", [])
    assert iou(result.alpha, shape) == 1


@pytest.mark.parametrize("error", [OSError("cannot download the model\nat all"), SystemExit(1)])
def test_grabcut_replaces_a_rembg_that_fails(monkeypatch, error):
    def fail(*args, **options):
        raise error

    replace_rembg(monkeypatch, fail)
    result = foreground(scene(background("plain"), disc()))
    assert result.used == "grabcut"
    assert len(result.notes) == 1
    assert "\n" not in result.notes[0]
    assert iou(result.alpha, disc()) > 0.95


@pytest.mark.parametrize("level", [249, 200, 130])
@pytest.mark.parametrize("how", ["alpha", "file", "rembg"])
def test_a_mask_that_is_faint_throughout_becomes_opaque(level, how, tmp_path, monkeypatch):
    """A scaled mask is the same mask: as bright an object, whose pixels count for colours."""
    shape = disc()
    full = cv2.GaussianBlur(np.where(shape, 255, 0).astype(np.uint8), (0, 0), 1)
    noise = np.random.default_rng(0).integers(-3, 1, shape.shape)
    faint = np.where(full, np.clip(full * (level / 255) + noise, 0, 255), 0).astype(np.uint8)
    photo, mask = scene(background("plain"), shape), tmp_path / "mask.png"
    if how == "alpha":
        photo, mask = with_alpha(faint), "auto"
    elif how == "file":
        cv2.imwrite(str(mask), faint)
    else:
        replace_rembg(monkeypatch, lambda rgb, session, only_mask: faint)
        mask = "auto"
    result = foreground(photo, mask)
    assert result.used == how and abs(result.alpha.astype(int) - full).max() <= 1020 // level
    assert (result.alpha[full == 255] >= OPAQUE).mean() > 0.99
    assert [note for note in result.notes if "nowhere opaque" in note] or how == "rembg"


def test_a_mask_that_is_opaque_somewhere_keeps_its_soft_parts():
    alpha = np.zeros((60, 80), np.uint8)
    alpha[10:50, 10:40], alpha[10:50, 40:70] = 255, 140
    result = foreground(with_alpha(alpha))
    np.testing.assert_array_equal(result.alpha, alpha)
    assert result.notes == []


@pytest.mark.parametrize("how", ["alpha", "file"])
def test_a_mask_that_may_be_another_one_is_told(how, tmp_path):
    def notes(inside):
        alpha = np.where(inside, 255, 0).astype(np.uint8)
        if how == "alpha":
            return foreground(with_alpha(alpha)).notes
        cv2.imwrite(str(tmp_path / "mask.png"), alpha)
        return foreground(opaque(np.zeros((*inside.shape, 3), np.uint8)), tmp_path / "mask.png").notes

    shape, dot = disc(), np.zeros((240, 320), bool)
    dot[100:105, 100:105] = True
    assert notes(shape) == [] and notes(np.roll(shape, 60, 1)) == []
    assert ["inverted" in note for note in notes(~shape)] == [True]
    assert ["little for an object" in note for note in notes(dot)] == [True]
