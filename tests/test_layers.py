"""The fused batch normalisation against Keras's own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.layers import normaliser
from tests import tiny


@pytest.mark.parametrize("shape", [(4, 6, 5, 3), (4, 9, 3), (8, 3)])
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_normaliser_is_keras_batch_normalisation(shape, policy):
    """Output, gradients and moving averages in training; the output at inference."""
    rng = np.random.default_rng(0)
    ours = normaliser(tiny.config(), "norm", policy)
    keras_one = keras.layers.BatchNormalization(momentum=ours.momentum, epsilon=ours.epsilon, dtype=policy)
    x = tf.Variable(rng.normal(2, 3, shape), dtype=tf.float32)
    target = rng.normal(size=shape).astype(np.float32)
    results = []
    for layer in (ours, keras_one):
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
