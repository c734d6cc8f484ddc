"""EfficientNet-Lite0 against recorded outputs of its PyTorch package, and where its cells lie."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from models.networks.efficientnet import MAPS, EfficientNetLite0
from models.networks.local_features import scale_to_centres
from models.presets import preset
from models.weights.efficientnet_weights import ImageNetEncoder

RECORDED = pathlib.Path(__file__).with_name("efficientnet_lite0_outputs.npz")
SIDE = 64


@pytest.fixture(scope="module")
def encoder():
    """With ImageNet weights, of images with a mask."""
    encoder = EfficientNetLite0(preset("plus", num_classes=8), "float32", "float32")
    encoder(tf.zeros((1, SIDE, SIDE, 4)))
    ImageNetEncoder().load(encoder)
    return encoder


def picture(alpha: float = 1.0) -> np.ndarray:
    """The image that the outputs were recorded for, with a mask."""
    y, x, c = np.meshgrid(np.arange(SIDE), np.arange(SIDE), np.arange(3), indexing="ij")
    colours = 0.5 + 0.5 * np.sin(0.1 * (c + 1) * x + 0.07 * (3 - c) * y)
    return np.concatenate([colours, np.full((SIDE, SIDE, 1), alpha)], -1).astype(np.float32)


def test_the_maps_are_those_of_the_package(encoder):
    _, maps = encoder(picture()[None])
    with np.load(RECORDED) as recorded:
        names = ["block0_0", "block1_1", "block2_1", "block4_2"]
        for name, found in zip(names, maps[1:], strict=True):
            scale = np.abs(recorded[name]).max()
            np.testing.assert_allclose(found[0] / scale, recorded[name] / scale, atol=4e-3)  # kernels are float16


def test_the_global_feature_is_made_of_the_last_stage(encoder):
    found, _ = encoder(picture()[None])
    kernel, bias = encoder.fc.get_weights()
    with np.load(RECORDED) as recorded:
        expected = recorded["block6_0"].astype(np.float32).mean((0, 1)) @ kernel + bias
    np.testing.assert_allclose(found[0], expected, atol=4e-3 * np.abs(expected).max())


def test_a_new_mask_changes_nothing(encoder):
    for with_mask, without in zip(
        tf.nest.flatten(encoder(picture(1.0)[None])), tf.nest.flatten(encoder(picture(0.3)[None])), strict=True
    ):
        if with_mask.shape[-1] == 4:  # the image itself is the first map
            continue
        np.testing.assert_allclose(with_mask, without, atol=1e-5)


@pytest.mark.parametrize("number", range(len(MAPS)))
def test_cells_lie_where_the_convolutions_look(encoder, number):
    """A cell's gradient with respect to the image is spread evenly around its centre."""
    image = tf.constant(np.random.default_rng(0).random((1, 256, 256, 4)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(image)
        feature_map = encoder(image)[1][number + 1]
        cell = feature_map.shape[1] // 2
        value = tf.reduce_sum(feature_map[0, cell, cell])
    seen = np.abs(tape.gradient(value, image)[0]).sum(-1)
    centre = (seen.sum(0) @ np.arange(256)) / seen.sum()
    position = scale_to_centres(tf.constant([[centre, centre]], tf.float32), (256, 256), feature_map.shape[1:3])
    stride = 256 / feature_map.shape[1]
    assert abs(float(position[0, 0]) - cell) < 0.35 + 0.5 / stride, (centre, cell)


def test_centres_of_a_map_are_centres_of_the_finer_ones():
    cells = tf.range(8, dtype=tf.float32)
    pixels = tf.stack([16 * (cells + 1) - 1] * 2, -1)
    for size in (8, 16, 32, 64):
        positions = scale_to_centres(pixels, (128, 128), (size, size))
        np.testing.assert_allclose(positions, np.rint(positions), atol=1e-5)
    np.testing.assert_allclose(scale_to_centres(pixels, (128, 128), (8, 8))[:, 0], cells)
