"""Layers and optimiser against Keras's own; reading by a product against resizing and reading."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.networks.layers import WholeConvolution, normaliser
from models.networks.local_features import read_bilinear, read_by_product, resize_bilinear
from models.training.trainer import Adam, StepDecay
from tests.helpers import tiny


@pytest.mark.parametrize("shape", [(4, 6, 5, 3), (4, 9, 3), (8, 3)])
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_normaliser_is_keras_batch_normalisation(shape, policy):
    """Compares output, gradients and moving averages in training, and the output at inference."""
    rng = np.random.default_rng(0)
    ours = normaliser(tiny.config(normalisation=True), "norm", policy)
    theirs = keras.layers.BatchNormalization(momentum=ours.momentum, epsilon=ours.epsilon, dtype=policy)
    x = tf.Variable(rng.normal(2, 3, shape), dtype=tf.float32)
    target = rng.normal(size=shape).astype(np.float32)
    results = []
    for layer in (ours, theirs):
        layer.build(shape)
        layer.gamma.assign([0.5, 1.0, 2.0])
        layer.beta.assign([-1.0, 0.0, 1.0])

        @tf.function
        def step(layer=layer):
            with tf.GradientTape() as tape:
                y = tf.cast(layer(x, training=True), tf.float32)
                loss = tf.reduce_sum((y - target) ** 2)
            return y, *tape.gradient(loss, [x, layer.gamma.value, layer.beta.value])

        values = [*step(), layer.moving_mean.value, layer.moving_variance.value, layer(x, training=False)]
        results.append([np.asarray(tf.cast(value, tf.float32)) for value in values])
    loose = policy == "mixed_bfloat16"
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=0.1 if loose else 1e-4, atol=0.1 * np.abs(b).max() if loose else 1e-4)


def test_whole_convolution_is_a_valid_convolution_of_the_whole_map():
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=(3, 5, 5, 7)), tf.float32)
    ours, plain = WholeConvolution(6, 5, "fc", "float32"), keras.layers.Conv2D(6, 5, padding="valid", name="fc")
    ours.build(x.shape), plain.build(x.shape)
    limit = np.sqrt(6 / (25 * 13))  # Glorot & Bengio's, as Keras draws
    kernel = ours.kernel.numpy()
    assert (
        kernel.shape == plain.kernel.shape
        and abs(kernel).max() <= limit
        and kernel.std() == pytest.approx(limit / np.sqrt(3), rel=0.1)
    )
    assert len(np.unique(kernel)) > 0.99 * kernel.size
    ours.bias.assign(rng.normal(size=6))
    for a, b in zip(plain.variables, ours.variables, strict=True):
        a.assign(b)
    np.testing.assert_allclose(ours(x), plain(x), atol=1e-5)


@pytest.mark.parametrize("dtype", [tf.float32, tf.bfloat16])
@pytest.mark.parametrize("size", [(9, 6), (23, 30), (12, 12)])
def test_reading_by_a_product_is_resizing_and_reading(dtype, size):
    """Compares values and gradient, for maps smaller and larger than the image.

    The pixels include the image's corners and positions beyond a map's last cell.
    """
    rng = np.random.default_rng(0)
    feature_map = tf.cast(rng.normal(size=(2, *size, 4)), dtype)
    uv = rng.uniform(0, [16, 12], (2, 40, 2)).astype(np.float32)
    uv[:, :4] = [[0, 0], [16, 12], [16, 0], [7, 12]]
    results = []
    for read in (lambda m: read_by_product(m, uv, 13, 17), lambda m: read_bilinear(resize_bilinear(m, 13, 17), uv)):
        with tf.GradientTape() as tape:
            tape.watch(feature_map)
            values = read(feature_map)
            total = tf.reduce_sum(tf.cast(values, tf.float32) * np.arange(1, 5))
        results.append(
            (tf.cast(values, tf.float32).numpy(), tf.cast(tape.gradient(total, feature_map), tf.float32).numpy())
        )
    tolerance = 1e-4 if dtype == tf.float32 else 0.05
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, atol=tolerance * abs(b).max())


def compiled_step(optimizer, variable):
    return tf.function(lambda gradient: optimizer.apply_gradients([(gradient, variable)]))


def test_adam_is_keras_adam():
    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=(5, 3)), rng.normal(size=(6, 5, 3)).astype(np.float32)
    results = []
    for optimizer in (
        Adam(StepDecay(tiny.config()), beta_1=0.5),
        keras.optimizers.Adam(StepDecay(tiny.config()), beta_1=0.5),
    ):
        variable = keras.Variable(start.astype(np.float32))
        optimizer.build([variable])
        step = compiled_step(optimizer, variable)
        for gradient in gradients:
            step(tf.constant(gradient))
        results.append([variable.numpy(), *(v.numpy() for v in optimizer.variables)])
    assert np.abs(results[0][0] - start).max() > 1e-4
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
