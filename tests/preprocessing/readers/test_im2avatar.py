"""One raw object: its images, cameras and distances in the record."""

import cv2
import h5py
import numpy as np
import pytest

from data.raw_layout import RawObject
from preprocessing.readers.im2avatar import read_object
from preprocessing.readers.reader import Options
from tests.helpers import raw_folder
from utils.geometry.cameras import project, resize_camera
from utils.images.resize import resize_image


def test_cameras_of_a_file_are_taken(tmp_path):
    raw = RawObject(tmp_path / "raw", "car", "a")
    matrices = raw_folder.write_object(raw, 0, cameras=True)
    raw.flow_volume("00").unlink()  # not needed then
    record = read_object(raw, Options(32, 10, 10))
    np.testing.assert_array_equal(record.trans_mats, matrices)
    assert np.isnan(record.reprojection_error)


def test_surface_file_is_taken(tmp_path):
    raw = RawObject(tmp_path / "raw", "car", "a")
    raw_folder.write_object(raw, 0, cameras=True)
    rng = np.random.default_rng(0)
    values = {"sdf_points": rng.normal(size=(50, 3)), "sdf": rng.normal(size=50), "points": rng.normal(size=(40, 3))}
    values["colours"] = rng.integers(0, 256, (40, 3), np.uint8)
    with h5py.File(raw.surface, "w") as file:
        file.update({name: value if name == "colours" else value.astype(np.float32) for name, value in values.items()})
        file.attrs.update(centre=[1.0, 2, 3], scale=0.25)
    record = read_object(raw, Options(32, 20, 1000))
    np.testing.assert_allclose(record.sdf_points, values["sdf_points"][:20], atol=1e-6)
    np.testing.assert_allclose(record.sdf, values["sdf"][:20], atol=1e-6)
    np.testing.assert_allclose(record.surface_points, values["points"], atol=1e-6)  # fewer than asked for
    nearest = np.linalg.norm(values["sdf_points"][:20, None] - values["points"], axis=-1).argmin(1)
    np.testing.assert_array_equal(record.sdf_colours, values["colours"][nearest])
    assert (record.sdf_source, record.scale, record.centre.tolist()) == ("file", 0.25, [1, 2, 3])


@pytest.mark.parametrize(("height", "width", "size"), [(96, 128, 138), (256, 256, 100), (60, 200, 64)])
def test_resizing_moves_the_cameras_with_the_images(tmp_path, height, width, size):
    """A blob drawn where a point projects to must be there in the stored image too."""
    raw = RawObject(tmp_path / "raw", "car", "a")
    raw_folder.write_object(raw, 0, views=1)
    point = np.array([[0.12, 0.2, -0.15]])
    matrix = resize_camera(raw_folder.camera(90, 128), (128, 128), (height, width))
    u, v = project(point, matrix)[0][0]
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    blob = np.exp(-0.5 * (((columns - u) / width) ** 2 + ((rows - v) / height) ** 2) / 0.04**2)
    cv2.imwrite(str(raw.view("00")), np.rint(255 * blob).astype(np.uint8))
    with h5py.File(raw.cameras, "w") as file:
        file["trans_mat"] = matrix[None]
    for cameras in (True, False):
        if not cameras:
            raw.cameras.unlink()  # the flow volume holds image coordinates: it knows no size
        record = read_object(raw, Options(size, 10, 10))
        weight = record.images[0, ..., 0].astype(float)
        centre = [(weight.sum(axis) * np.arange(size)).sum() / weight.sum() for axis in (0, 1)]
        np.testing.assert_allclose(project(point, record.trans_mats[0])[0][0], centre, atol=0.05)


@pytest.mark.parametrize("size", [(20, 30), (64, 50), (100, 130), (60, 80)])
def test_hidden_colours_do_not_bleed_when_resizing(size):
    rgba = np.zeros((60, 80, 4), np.uint8)
    rgba[...] = (0, 255, 0, 0)  # green that nobody sees
    rgba[20:40, 20:60] = (200, 100, 50, 255)
    got = resize_image(rgba, size)
    assert got.shape == (*size, 4) and got.dtype == np.uint8
    assert np.abs(got[got[..., 3] > 3][:, :3].astype(int) - [200, 100, 50]).max() <= 1
    covered = got[..., 3].mean() / 255
    assert covered == pytest.approx(1 / 6, abs=0.01)


def test_a_side_that_shrinks_is_averaged_though_the_other_grows():
    stripes = np.full((60, 200, 4), 255, np.uint8)
    stripes[:, ::2, :3] = 0
    for rgba, size in ((stripes, (64, 50)), (stripes.transpose(1, 0, 2), (50, 64))):
        assert np.abs(resize_image(rgba, size).astype(int) - [127, 127, 127, 255]).max() <= 1
