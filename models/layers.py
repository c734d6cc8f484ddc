"""The one building block of encoder and decoders: a linear layer, normalisation where asked, ReLU."""

import keras
import tensorflow as tf


def dense(width, name, policy, bias=True):
    """A linear layer over the last axis, float32 weights, computing in the policy's type."""
    return keras.layers.Dense(width, use_bias=bias, name=name, dtype=policy)


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
            x=flat, scale=self.gamma.value, offset=self.beta.value, mean=[], variance=[], epsilon=self.epsilon, is_training=True
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
    several = tf.distribute.get_strategy().num_replicas_in_sync > 1  # Keras asks for a replica context, which one device has not
    return Normaliser(momentum=0.95, epsilon=1e-3, name=name, dtype=policy, synchronized=several)


def activate(x, norm, training):
    """ReLU, after normalisation where there is one."""
    return keras.ops.relu(x if norm is None else norm(x, training=training))
