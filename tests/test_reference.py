"""The full-size network against recorded outputs of the original, with the same weights and inputs."""

import importlib.util
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from models import losses, network
from models.config import preset

REFERENCE = pathlib.Path(__file__).parents[2] / "shared" / "reference"


def assign_original(model, weights, shapes):
    """Give a full-size network the weights of TF1 variables {name: shape}; weights(name, shape) -> values."""
    ends = {"conv5_bi": "fold2_conv5", "conv5": "fold2_conv5", "conv5_colour": "fold3_conv5"}
    variables, assigned = {v.path.removeprefix("texdisn/"): v for v in model.variables}, set()

    def assign(name, value):
        variables[name].assign(value.reshape(variables[name].shape))
        assigned.add(name)

    for name, shape in shapes.items():
        value, parts = weights(name, shape), name.split("/")
        scope, kind = parts[0], {"weights": "kernel", "biases": "bias"}[parts[-1]]
        if scope == "vgg_16":
            assign(f"{scope}/{parts[-2]}/{kind}", value)
            continue
        layer = ends.get(parts[2], f"{parts[1]}_{parts[2]}")
        joined = {"fold2_conv1": ("point", "feature"), "fold3_conv1": ("geometry", "point", "feature")}.get(layer)
        if joined is None:
            assign(f"{scope}/{layer}/{kind}", value)
        elif kind == "bias":
            assign(f"{scope}/{layer}_point/bias", value)
        else:
            sizes = [variables[f"{scope}/{layer}_{part}/kernel"].shape[0] for part in joined]
            for part, rows in zip(joined, np.split(value[0, 0], np.cumsum(sizes)[:-1]), strict=True):
                assign(f"{scope}/{layer}_{part}/kernel", rows)
    return set(variables) - assigned


@pytest.mark.slow
@pytest.mark.skipif(not REFERENCE.is_dir(), reason="needs the recorded outputs of the original")
@pytest.mark.parametrize(("kind", "size"), [("seed", 138), ("disn", 137)])
def test_outputs_equal_the_records_of_the_original(kind, size):
    spec = importlib.util.spec_from_file_location("reference", REFERENCE / "reference.py")
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    record = np.load(REFERENCE / f"{kind}.npz")
    binary = kind == "seed"
    model = network.build(preset("full", binary, img_h=size, img_w=size))
    left = assign_original(model, reference.weights, reference.variable_shapes(kind))
    assert all("fold3" in name for name in left) and bool(left) != binary  # DISN has no colour branch
    image = reference.image(record["seed"], size)
    geometry, colour = model([image, record["points"], record["trans_mat"]])

    def close(value, expected):
        np.testing.assert_allclose(value, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())

    close(model.encode(image)[0], record["global_feature"])
    if binary:
        close(geometry, record["pred_label"])
        close(colour, record["pred_color_unmasked"])
        result = losses.binary_losses(geometry, colour, record["voxel_val"])
        close(result["geometry"], record["loss_sdf_label_loss"])
        close(result["colour"], record["loss_sdf_colour_loss"])
        close(losses.weight_decay(model, 1e-5), record["loss_regularization"])
    else:
        close(geometry, record["pred_sdf"])
        n = tf.zeros_like(geometry[..., 0])
        result = losses.sdf_losses(geometry, colour, tf.constant(record["sdf_gt"][..., 0]), colour, n, 4.0)
        close(result["geometry"], record["loss_sdf_loss"])
