"""Runs that earlier versions wrote load, compute what they computed, and resume as they did.

tests/reference/runs holds tiny runs of each kind, written before decoders became one setting, and
outputs.npz: what that version made of one image, and some weights after one more epoch; those of
the camera network by its present loss.
"""

import pathlib
import shutil

import numpy as np
import pytest

from data.network_input import network_image, source_camera
from models.inference.camera_estimator import CameraEstimator
from models.inference.field_query import FieldQuery
from models.networks.texdisn import build_field_network
from models.weights.run import Run, load_checkpoint
from models.weights.sources import open_model
from tests.helpers import tiny
from tests.helpers.point_network import draw_nothing
from train import train_cam, train_sdf
from utils.geometry.camera_parameters import CameraParts

RUNS = pathlib.Path(__file__).parents[2] / "reference" / "runs"
DECODERS = {
    "binary": "twostream",
    "sdf": "twostream",
    "onestream": "onestream",
    "global": "global",
    "voxels": "threedcnn",
}


@pytest.fixture(scope="module")
def outputs():
    return np.load(RUNS / "outputs.npz")


@pytest.mark.parametrize("name", DECODERS)
def test_a_field_is_the_same(name, outputs):
    model = open_model(RUNS / name, precision="float32")
    assert (model.config.decoder, model.config.binary) == (DECODERS[name], name not in ("sdf", "onestream"))
    network = build_field_network(model.config)
    model.load(network)
    query = FieldQuery(network)
    encoded = query.encode(outputs["image"], outputs["camera"])
    geometry, colour = query.geometry_and_colour(encoded, outputs["points"])
    np.testing.assert_allclose(geometry, outputs[f"{name}_geometry"], atol=1e-4)
    np.testing.assert_allclose(colour, outputs[f"{name}_colour"], atol=1e-4)


def test_the_camera_that_the_network_chooses_is_the_same(outputs):
    """The estimate of then was the network's choice alone, without the mirror image."""
    image = np.rint(255 * outputs["image"])
    rgba = np.concatenate([image, np.full((*image.shape[:2], 1), 255)], -1).astype(np.uint8)
    estimator = CameraEstimator(RUNS / "camera", "float32")
    output = estimator.network(network_image(rgba, estimator.config)[None])
    parts = CameraParts(**{name: output[name][0].numpy().astype(np.float64) for name in CameraParts.names()})
    camera = source_camera(parts.trans_mat(estimator.config.img_w), rgba, estimator.config)
    np.testing.assert_allclose(camera, outputs["camera_estimate"], rtol=1e-3, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "command"), [("binary", train_sdf), ("camera", train_cam)])
def test_a_resumed_run_ends_with_the_same_weights(name, command, outputs, tmp_path, eagerly, monkeypatch):
    draw_nothing(monkeypatch.setattr)
    database = tiny.write_database(tmp_path / "db", counts=(2, 1, 1))
    folder = shutil.copytree(RUNS / name, tmp_path / name)
    command.main(["--log_dir", str(folder), "--db", str(database), "--max_epoch", "2", "--precision", "float32"])
    prefix = f"{name}_after/"
    expected = {key.removeprefix(prefix): outputs[key] for key in outputs.files if key.startswith(prefix)}
    assert len(expected) > 5
    run = Run(folder)
    for path, before in expected.items():
        variable = Stored(path, before.shape)
        load_checkpoint(run.last, {"network": [variable]}, partial=True)
        np.testing.assert_allclose(variable.value, before, rtol=1e-2, atol=1e-4, err_msg=path)


class Stored:
    """A variable of a checkpoint, without its network."""

    def __init__(self, path, shape):
        self.path, self.shape, self.value = path, shape, None

    def assign(self, value):
        self.value = np.asarray(value)
