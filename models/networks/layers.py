"""The one building block of encoder and decoders: a linear layer, normalisation where asked, ReLU."""

import math
import random

import keras
import tensorflow as tf


def policies(config, all_bfloat16):
    """Keras policies of the layers that most products are in, and of those that rounding hurts most. Weights stay float32.

    Where config.bfloat16 is set the first are bfloat16, and the second too with all_bfloat16: the field is then off by 2 to 4
    percent instead of 1 to 2. Training does without, and so do meshes where speed is asked for.
    """
    policy = "mixed_bfloat16" if config.bfloat16 else "float32"
    return policy, policy if all_bfloat16 else "float32"


def dense(width, name, policy, bias=True):
    """A linear layer over the last axis, float32 weights, computing in the policy's type."""
    return keras.layers.Dense(width, use_bias=bias, name=name, dtype=policy)


def glorot_uniform(shape, dtype):
    """Keras's default for weights (Glorot & Bengio 2010), drawn row by row: TensorFlow keeps the memory of a large array's copies."""
    limit = math.sqrt(6 / (math.prod(shape[:-2]) * (shape[-2] + shape[-1])))
    return tf.stack(
        [keras.random.uniform(shape[1:], -limit, limit, dtype, random.randint(0, 2**31 - 1)) for _ in range(shape[0])]
    )


class WholeConvolution(keras.layers.Conv2D):
    """A VALID convolution whose kernel covers the whole map: one matrix product, several times faster than as a convolution."""

    def __init__(self, width, size, name, policy):
        super().__init__(width, size, padding="valid", name=name, dtype=policy, kernel_initializer=glorot_uniform)

    def call(self, x):
        """(B, size, size, C) -> (B, 1, 1, width)"""
        kernel = tf.convert_to_tensor(self.kernel)
        flat = tf.matmul(
            tf.reshape(x, (-1, x.shape[1] * x.shape[2] * x.shape[3])), tf.reshape(kernel, (-1, self.filters))
        )
        return (flat + tf.convert_to_tensor(self.bias))[:, None, None]


class Normaliser(keras.layers.BatchNormalization):
    """Batch normalisation over all axes but the last (Ioffe & Szegedy 2015).

    In training on one device TensorFlow's fused kernel takes the place of Keras's dozen passes over memory, which
    cost more than the layers' products.
    """

    def call(self, x, training=False):
        if not training or self.synchronized:
            return super().call(x, training=training)
        flat = tf.reshape(x, (-1, 1, 1, x.shape[-1]))
        y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=flat,
            scale=self.gamma.value,
            offset=self.beta.value,
            mean=[],
            variance=[],
            epsilon=self.epsilon,
            is_training=True,
        )
        count = tf.cast(tf.shape(flat)[0], tf.float32)
        biased = variance * (count - 1) / count  # the kernel returns the unbiased one, Keras keeps this one
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, biased)):
            moving.assign(moving * self.momentum + value * (1 - self.momentum))
        return tf.reshape(y, tf.shape(x))


def normaliser(config, name, policy):
    """A Normaliser over all devices of a strategy, or nothing (the original has none)."""
    if not config.normalisation:
        return None
    several = (
        tf.distribute.get_strategy().num_replicas_in_sync > 1
    )  # Keras asks for a replica context, which one device has not
    return Normaliser(momentum=0.95, epsilon=1e-3, name=name, dtype=policy, synchronized=several)


def activate(x, norm, training):
    """ReLU, after normalisation where there is one."""
    return keras.ops.relu(x if norm is None else norm(x, training=training))
