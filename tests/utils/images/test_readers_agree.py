"""Views of a data set, images of queries and photographs are read alike."""

import cv2
import numpy as np
import pytest
from PIL import Image

from data.raw_layout import RawObject
from eval import query_points
from preprocessing.readers.reader import Options
from preprocessing.readers.registry import READERS
from tests.helpers import raw_folder, tiny
from tests.utils.images.test_photo import exif_of, saved, srgb_profile
from utils.images.photo import read_photo


def noise(channels, dtype=np.uint8, size=32):
    shape = (size, size, channels) if channels > 1 else (size, size)
    return np.random.default_rng(channels).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


PALETTE = Image.fromarray(noise(3)).quantize(16)
KINDS = {  # name: how a file of that kind is written
    "rgb8": lambda path: saved(path, noise(3)),
    "alpha8": lambda path: saved(path, noise(4)),
    "grey8": lambda path: saved(path, noise(1)),
    "grey alpha8": lambda path: saved(path, Image.fromarray(noise(4)).convert("LA")),
    "black and white": lambda path: saved(path, Image.fromarray(noise(1)).convert("1")),
    "grey16": lambda path: saved(path, noise(1, np.uint16)),
    "rgb16": lambda path: path.write_bytes(cv2.imencode(".png", noise(3, np.uint16))[1]),
    "alpha16": lambda path: path.write_bytes(cv2.imencode(".png", noise(4, np.uint16))[1]),
    "palette": lambda path: saved(path, PALETTE),
    "transparent palette": lambda path: saved(path, PALETTE, transparency=3),
    "profile": lambda path: saved(path, noise(3), icc_profile=srgb_profile()),
    "turned PNG": lambda path: saved(path, noise(3), exif=exif_of(6)),
    "turned JPEG": lambda path: saved(path, noise(3), format="JPEG", exif=exif_of(6)),
    "flipped JPEG": lambda path: saved(path, noise(3), format="JPEG", exif=exif_of(5)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_views_queries_and_photographs_see_the_same_pixels(tmp_path, kind):
    raw = RawObject(tmp_path / "raw", "car", "a")
    raw_folder.write_object(raw, 0, views=1, size=32, cameras=True)
    path = raw.view("00")
    KINDS[kind](path)
    photograph = read_photo(path).rgba
    np.testing.assert_array_equal(query_points.read_image(path, tiny.config())[1], photograph)
    view = READERS["im2avatar"].read(raw, Options(32, 10, 10)).images[0]
    np.testing.assert_array_equal(view, photograph)
