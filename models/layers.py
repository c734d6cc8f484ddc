"""The one building block of encoder and decoders: a linear layer, normalisation where asked, ReLU."""

import keras
import tensorflow as tf


def dense(width, name, policy, bias=True):
    """A linear layer over the last axis, float32 weights, computing in the policy's type."""
    return keras.layers.Dense(width, use_bias=bias, name=name, dtype=policy)


def normaliser(config, name, policy):
    """Batch normalisation over all devices of a strategy, or nothing (the original has none)."""
    if not config.normalisation:
        return None
    several = tf.distribute.get_strategy().num_replicas_in_sync > 1  # Keras asks for a replica context, which one device has not
    return keras.layers.BatchNormalization(momentum=0.95, epsilon=1e-3, name=name, dtype=policy, synchronized=several)


def activate(x, norm, training):
    """ReLU, after normalisation where there is one."""
    return keras.ops.relu(x if norm is None else norm(x, training=training))
