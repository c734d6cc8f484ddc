"""The full-size network against recorded outputs of the original and of DISN.

Both get the same inputs and the same weights, here as a TF1 checkpoint.
"""

import dataclasses
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from eval import query_points
from models.config import Config
from models.networks import layers, losses, texdisn
from models.networks.local_features import clipped_pixels
from models.weights.sources import open_model
from tests.helpers import tf1_models
from tests.reference import reference

REFERENCE = pathlib.Path(__file__).parents[2] / "reference"

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def nothing_drawn(monkeypatch):
    """The largest kernels begin as zeros: drawing them takes seconds, and all are loaded."""
    monkeypatch.setattr(layers, "glorot_uniform", lambda shape, dtype: tf.zeros(shape, dtype))


@pytest.fixture(scope="module", params=["seed", "disn"])
def case(request, tmp_path_factory):
    """The kind, its record, the record's image, the prefix of a TF1 checkpoint of its weights."""
    shapes = reference.variable_shapes(request.param)
    prefix = tmp_path_factory.mktemp(request.param) / "model.ckpt"
    tf1_models.save(prefix, {name: reference.weights(name, shape) for name, shape in shapes.items()})
    record = np.load(REFERENCE / f"{request.param}.npz")
    yield request.param, record, reference.image(record["seed"], {"seed": 138, "disn": 137}[request.param]), prefix
    for file in prefix.parent.iterdir():
        file.unlink()  # 570 MB


def close(value, expected, tolerance=1e-3):
    np.testing.assert_allclose(value, expected, rtol=tolerance, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_outputs_and_losses_equal_the_records(case, precision):
    kind, record, image, prefix = case
    binary, tolerance = kind == "seed", 2e-2 if precision == "bfloat16" else 1e-3
    source = open_model(prefix, precision=precision)
    model = texdisn.build_field_network(source.config)
    source.load(model)
    assert (source.config.binary, source.config.colour, source.config.img_h) == (binary, binary, image.shape[1])
    image = image if binary else image[..., ::-1]  # the record's image is BGR, as its weights take it
    encoded = model.encode(image)
    points, trans_mat = tf.constant(record["points"]), tf.constant(record["trans_mat"])
    pixels = clipped_pixels(points, trans_mat, *image.shape[1:3])
    close(pixels, record["image_points"])
    global_feature, local_feature = model.features(encoded, points, trans_mat)
    close(global_feature[:, 0], record["global_feature"], tolerance)
    close(np.asarray(local_feature, np.float32).mean((0, 1)), record["local_feature_mean"], tolerance)
    geometry, colour = model.decode(encoded, points, trans_mat)
    decay = losses.weight_decay(model, 1e-5)
    close(decay, record["loss_regularization"], tolerance)
    if binary:
        close(geometry, record["pred_label"], tolerance)
        close(colour, record["pred_color_unmasked"], tolerance)
        parts = losses.binary_losses(geometry, colour, record["voxel_val"])
        close(parts["geometry"], record["loss_sdf_label_loss"], tolerance)
        close(parts["colour"], record["loss_sdf_colour_loss"], tolerance)
        close(parts["geometry"] + parts["colour"], record["loss_sdf_loss"], tolerance)
    else:
        close(geometry, record["pred_sdf"], tolerance)
        parts = losses.sdf_losses(geometry, colour, tf.constant(record["sdf_gt"][..., 0]), None, None, 4.0)
        close(parts["geometry"], record["loss_sdf_loss"], tolerance)
        real = np.abs(record["sdf_gt"] - geometry / 10).mean()
        close(real, record["loss_sdf_loss_realvalue"], tolerance)
    total = parts["geometry"] + parts.get("colour", 0.0) + decay
    close(total, record["loss_overall_loss"], tolerance)
    close(total, record["loss_total"], tolerance)
    if precision == "float32":
        close(parts["accuracy"], record["loss_accuracy"])


def test_query_points_reproduces_the_records(case, tmp_path):
    kind, record, image, prefix = case
    np.save(tmp_path / "I.npy", image)
    np.savetxt(tmp_path / "T.txt", record["trans_mat"][0])
    np.savetxt(tmp_path / "P.txt", record["points"][0])
    files = {"image": "I.npy", "trans_mat": "T.txt", "points": "P.txt", "out": "O.txt"}
    words = [f"--{name}={tmp_path / file}" for name, file in files.items()]
    query_points.main([f"--restore_model={prefix.parent}", "--camera_frame=model", "--precision=float32", *words])
    table = np.loadtxt(tmp_path / "O.txt")
    columns = dict(zip((tmp_path / "O.txt").read_text().splitlines()[0].split()[1:], table.T, strict=True))

    def written(*names):
        return np.stack([columns[name] for name in names], -1)

    close(written("u", "v"), record["image_points"][0])
    if kind == "seed":
        close(written("logit0", "logit1"), record["pred_label"][0])
        close(written("r", "g", "b"), record["pred_color_unmasked"][0])
        close(columns["g0"], record["pred_label"][0, :, 1] - record["pred_label"][0, :, 0])
    else:
        close(columns["output"], record["pred_sdf"][0, :, 0])
        close(columns["g0"], (record["pred_sdf"][0, :, 0] / 10 + 0.003) / 2)
        assert "r" not in columns


def test_the_configuration_is_the_default_of_its_kind(case):
    """A full-size checkpoint differs from the settings of a new run in its conventions alone."""
    kind, _, _, prefix = case
    config = open_model(prefix).config
    conventions = {
        "binary": False,
        "colour": False,
        "img_h": 137,
        "img_w": 137,
        "encoder_input": "bgr",
        "model_frame": "sphere",
    }
    expected = Config() if kind == "seed" else Config(**conventions, distance_offset=0.003)
    assert dataclasses.replace(config, restore_model="") == expected
