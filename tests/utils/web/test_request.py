"""The words of the page: names of files, sentences, directions."""

import ast
import inspect
import re

import numpy as np
import pytest

from tests.helpers.web import png, png_of
from utils.errors import UserError
from utils.images.foreground import foreground
from utils.images.photo import decode_photo
from utils.web import camera_view, description, jobs, layout, page, progress, request, serving
from utils.web.description import camera_position, sentence
from utils.web.request import display_name, download_name


def test_names_of_uploads():
    assert display_name("../../x; rm -rf $(y).png") == "x; rm -rf $(y).png"
    assert display_name("a\n\x00b.png") == "ab.png"
    assert len(display_name(300 * "a" + ".png")) < 50 and display_name("").startswith("the file")


def test_names_of_downloads_can_be_stored_anywhere():
    assert download_name("/a/b/Chair_1-b.tar.jpeg") == "Chair_1-b_tar"
    assert download_name("x; rm -rf $(y) <img src=x onerror=alert(1)>.png") == "x_rm_-rf_y_img_src_x_onerror_alert_1"
    for name in ("", "...", "\u202e.png", "/", "a/..", 'a:b*c?"d\\e\x00\n.png', 300 * "椅" + ".png"):
        assert re.fullmatch(r"[\w-]{1,40}", download_name(name))


def test_directions():
    assert camera_position(0, 0) == "from the front, at its height"
    assert camera_position(350, 89.9) == "from the front, from far above"
    assert camera_position(100, -30) == "from the right, from below"
    assert camera_position(200, 50) == "from the back, from above"


def test_sentences_have_no_paths_of_the_server():
    assert sentence("/tmp/a/b/c.h5 and/or\n  more") == "c.h5 and/or more."
    assert sentence(UserError("/srv/x/mask is black!"), [("/srv/x/mask", "m.png")]) == "m.png is black!"


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        (png(alpha=False), "alpha"),
        (png((255, 255, 255), alpha=False), "auto"),
        (png(), "/srv/data/mask file"),
        (png_of(np.zeros((48, 64, 4), np.uint8)), "alpha"),
    ],
)
def test_messages_of_the_mask_name_no_flags_and_no_paths(image, mask):
    with pytest.raises(UserError) as error:
        foreground(decode_photo(image, "a.png"), mask)
    assert "--" not in str(error.value)
    text = sentence(error.value, [("/srv/data/mask file", "m.png")])
    assert "--" not in text and "/" not in text and text.endswith(".")


@pytest.mark.parametrize(
    "module",
    [camera_view, description, jobs, layout, page, progress, request, serving],
    ids=lambda module: module.__name__,
)
def test_the_pages_own_words_name_no_flags(module):
    """Messages of the other libraries are checked in tests/test_words.py."""
    strings = (node.value for node in ast.walk(ast.parse(inspect.getsource(module))) if isinstance(node, ast.Constant))
    assert not [text for text in strings if isinstance(text, str) and "--" in text]
