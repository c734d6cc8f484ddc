"""Building blocks of the encoder and the decoders: linear layers, batch normalisation, ReLU."""

import math
import random
from collections.abc import Sequence

import keras
import tensorflow as tf

from models.networks.precision import chosen
from models.shared_settings import Settings


def policies(config: Settings, all_bfloat16: bool) -> tuple[str, str]:
    """Choose the Keras dtype policies of a network's layers. Weights are float32 under both.

    Args:
        config: Where `precision` means float32, both policies are float32.
        all_bfloat16: Also compute the sensitive layers in 16 bits. The field is then off by 2 to
            4 percent instead of 1 to 2. Training and fast meshing accept that.

    Returns:
        The policy of most layers, then the policy of the layers that suffer most from rounding.
    """
    kind = chosen(config.precision)
    policy = kind if kind == "float32" else f"mixed_{kind}"
    return policy, policy if all_bfloat16 else "float32"


class BuiltByCall:
    """Mixin of layers made of layers: the first call builds them.

    A layer without build() is called twice at first, and its parts four times, since Keras traces
    the call in a graph to create the variables.
    """

    def build(self, *_: object) -> None:
        """Leave the variables to the layers inside."""


def dense(width: int, name: str, policy: str, bias: bool = True) -> keras.layers.Dense:
    """A linear layer over the last axis. The policy is the type it computes in."""
    return keras.layers.Dense(width, use_bias=bias, name=name, dtype=policy)


def glorot_uniform(shape: Sequence[int], dtype: str) -> tf.Tensor:
    """Draw a kernel from Keras's default distribution (Glorot & Bengio 2010).

    It is drawn row by row: TensorFlow does not give back the memory of a large array's copies.
    """
    limit = math.sqrt(6 / (math.prod(shape[:-2]) * (shape[-2] + shape[-1])))
    return tf.stack(
        [keras.random.uniform(shape[1:], -limit, limit, dtype, random.randint(0, 2**31 - 1)) for _ in range(shape[0])]
    )


class WholeConvolution(keras.layers.Conv2D):
    """A VALID convolution whose kernel is as large as the map.

    It is computed as one matrix product, which is several times faster than a convolution.
    """

    def __init__(self, width: int, size: int, name: str, policy: str) -> None:
        super().__init__(width, size, padding="valid", name=name, dtype=policy, kernel_initializer=glorot_uniform)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Map (B, size, size, C) -> (B, 1, 1, width)."""
        kernel = tf.convert_to_tensor(self.kernel)
        flat = tf.matmul(
            tf.reshape(x, (-1, x.shape[1] * x.shape[2] * x.shape[3])), tf.reshape(kernel, (-1, self.filters))
        )
        return (flat + tf.convert_to_tensor(self.bias))[:, None, None]


MOMENTUM = 0.95  # of the moving averages of batch normalisation


class Normaliser(keras.layers.BatchNormalization):
    """Batch normalisation over all axes but the last (Ioffe & Szegedy 2015).

    Keras makes a dozen passes over memory in training, which cost more than the products of the
    layers. On one device this layer calls TensorFlow's fused kernel instead.
    """

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Normalise (..., C); in training with the statistics of the batch."""
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
        biased = variance * (count - 1) / count  # the kernel returns the unbiased variance, Keras keeps the biased one
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, biased)):
            moving.assign(moving * self.momentum + value * (1 - self.momentum))
        return tf.reshape(y, tf.shape(x))


def normaliser(config: Settings, name: str, policy: str) -> Normaliser | None:
    """A Normaliser over all devices of the strategy; None without `config.normalisation`.

    The original has no normalisation.
    """
    if not config.normalisation:
        return None
    # Keras's synchronised layer needs a replica context, which a single device does not have
    several_devices = tf.distribute.get_strategy().num_replicas_in_sync > 1
    return Normaliser(momentum=MOMENTUM, epsilon=1e-3, name=name, dtype=policy, synchronized=several_devices)


def activate(x: tf.Tensor, norm: Normaliser | None, training: bool) -> tf.Tensor:
    """Normalise, if there is a normaliser, then apply ReLU."""
    return keras.ops.relu(x if norm is None else norm(x, training=training))
