"""Specks and frames of a mask do not move the crop; the object itself stays as it is."""

import cv2
import numpy as np
import pytest

from utils.images.crop import object_square
from utils.images.foreground import foreground
from utils.images.mask_parts import without_strays
from utils.images.photo import Photo

SIZES = [(512, 512), (300, 400), (160, 120)]


def shape(height, width, share=0.35):
    """(height, width) uint8: a soft-edged seat with two thin legs, off the middle."""
    alpha = np.zeros((height, width), np.uint8)
    side = share * min(height, width)
    left, top = 0.3 * width, 0.35 * height
    box = [round(value) for value in (left, top, left + side, top + 0.5 * side, top + side)]
    alpha[box[1] : box[3], box[0] : box[2]] = 255
    leg = max(1, round(side / 40))
    for x in (box[0], box[2] - leg):
        alpha[box[3] : box[4], x : x + leg] = 255
    return cv2.GaussianBlur(alpha, (3, 3), 0.5)


def corner(alpha):
    alpha[0, -1] = 255


def corners(alpha):
    alpha[:2, :2] = alpha[-2:, -2:] = alpha[:2, -2:] = 255


def dust(alpha):
    height, width = alpha.shape
    for y, x in [(0.9, 0.1), (0.1, 0.9), (0.05, 0.5), (0.95, 0.95)]:
        alpha[round(y * height), round(x * width)] = 200


def soft_speck(alpha):
    height, width = alpha.shape
    cv2.circle(alpha, (round(0.93 * width), round(0.93 * height)), 1, 255, -1, cv2.LINE_AA)


def frame(alpha):
    alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1] = 255, 255, 255, 255


def lines(alpha):
    alpha[-1], alpha[:, 0] = 255, 160


STRAYS = [corner, corners, dust, soft_speck, frame, lines]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("stray", STRAYS)
def test_a_mask_with_strays_becomes_the_one_without(size, stray):
    clean = shape(*size)
    spoilt = clean.copy()
    stray(spoilt)
    assert object_square(spoilt, 0.75) != object_square(clean, 0.75)
    cleaned, notes = without_strays(spoilt)
    np.testing.assert_array_equal(cleaned, clean)
    assert len(notes) == 1 and "\n" not in notes[0]


@pytest.mark.parametrize("fringe", [1, 2, 20])
def test_a_faint_fringe_all_over_the_image_changes_nothing(fringe):
    clean = shape(512, 512)
    spoilt = np.maximum(clean, np.random.default_rng(0).integers(0, fringe + 1, clean.shape, np.uint8))
    speck = spoilt.copy()
    corner(speck)
    for alpha in (spoilt, speck):
        assert object_square(without_strays(alpha)[0], 0.75) == object_square(clean, 0.75)


def assert_near(alpha, clean):
    """The crop of a mask is that of the clean one, up to pixels that touch the object."""
    before, after = object_square(clean, 0.75), object_square(without_strays(alpha)[0], 0.75)
    assert max(abs(before.left - after.left), abs(before.top - after.top), abs(before.side - after.side) / 2) <= 3


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("share", [0.003, 0.01, 0.03])
def test_noise_all_over_the_image_does_not_move_the_crop(size, share):
    """Its pixels lie closer to each other than parts of an object may."""
    clean = shape(*size)
    for value in (255, 150):
        noise = np.random.default_rng(0).random(size) < share
        assert_near(np.where(noise, np.maximum(clean, value), clean).astype(np.uint8), clean)


@pytest.mark.parametrize("faint", [40, 100, 120])
def test_a_background_that_is_not_quite_clear_joins_nothing(faint):
    clean = shape(300, 400)
    haze = np.maximum(clean, faint)
    noisy = np.maximum(clean, np.random.default_rng(0).normal(0, faint / 3, clean.shape).clip(0, 255).astype(np.uint8))
    for alpha in (haze, noisy):
        for stray in (corner, corners, soft_speck):
            spoilt = alpha.copy()
            stray(spoilt)
            assert_near(spoilt, clean)


def test_a_frame_may_touch_the_object():
    clean = shape(200, 200)
    clean[100:200, 60:80] = 255  # down to the border
    spoilt = clean.copy()
    frame(spoilt)
    before, after = object_square(clean, 1), object_square(without_strays(spoilt)[0], 1)
    assert max(abs(before.left - after.left), abs(before.top - after.top), abs(before.side - after.side)) <= 1


def pieces():
    alpha = shape(300, 300)
    alpha[150:152] = alpha[170:171] = 0  # the legs in pieces
    return alpha


def two_objects():
    alpha = shape(300, 300, 0.3)
    alpha[20:60, 240:290] = 255
    return alpha


def hairs():
    alpha = np.zeros((300, 300), np.uint8)
    alpha[100:200, 100:200] = 255
    alpha[::4, 150] = alpha[150, ::4] = 255
    return alpha


def tight():
    alpha = shape(300, 300)
    return alpha[(alpha > 0).any(1)][:, (alpha > 0).any(0)]


OBJECTS = {
    "pieces of a leg": pieces,
    "two objects": two_objects,
    "dotted hairs": hairs,
    "cut tightly": tight,
    "all of the image": lambda: np.full((60, 80), 255, np.uint8),
    "all of the image but a hole": lambda: np.pad(np.zeros((3, 3), np.uint8), ((3, 90), (3, 90)), constant_values=255),
    "a thick ring": lambda: np.pad(np.zeros((60, 60), np.uint8), 20, constant_values=255),
    "nothing but a frame": lambda: np.pad(np.zeros((98, 98), np.uint8), 1, constant_values=255),
    "nothing but a pixel": lambda: np.pad(np.full((1, 1), 255, np.uint8), ((30, 40), (20, 50))),
    "a pixel in a corner": lambda: np.pad(np.full((1, 1), 255, np.uint8), ((0, 40), (0, 50))),
    "nothing": lambda: np.zeros((40, 50), np.uint8),
}


@pytest.mark.parametrize("kind", OBJECTS)
def test_an_object_stays_as_it_is(kind):
    alpha = OBJECTS[kind]()
    cleaned, notes = without_strays(alpha.copy())
    np.testing.assert_array_equal(cleaned, alpha)
    assert not notes


@pytest.mark.parametrize("source", ["alpha", "file"])
def test_strays_of_transparency_and_of_mask_files_are_noted(source, tmp_path):
    clean = shape(200, 240)
    spoilt = clean.copy()
    dust(spoilt)
    rgba = np.full((*clean.shape, 4), 120, np.uint8)
    if source == "alpha":
        rgba[..., 3] = spoilt
    else:
        cv2.imwrite(str(tmp_path / "mask.png"), spoilt)
    photo = Photo(rgba, "photo.png", clean.shape, [])
    result = foreground(photo, "auto" if source == "alpha" else tmp_path / "mask.png")
    assert (result.used, len(result.notes)) == (source, 1)
    np.testing.assert_array_equal(result.alpha, clean)
