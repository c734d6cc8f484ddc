"""A decoder stream at inference: a faster form of models.networks.decoder.Stream.

Normalisation is folded into the layers, and the image features are multiplied once per image.
"""

from collections.abc import Sequence

import keras
import tensorflow as tf

from models.networks.decoder import Stream
from models.networks.layers import Normaliser

Layer = tuple[tf.Tensor, tf.Tensor]  # kernel and bias


class FoldedStream:
    """The weights of a Stream, and the field they compute for points of one image.

    The results equal those of the stream up to rounding. The products of the image features with
    the first layer of a decoder come from outside, bias included, and are called the image term:
    (F,) if it is the same for all points, or (N, F), read from a map.

    Attributes:
        kernels: {"geometry" or "colour": (bias (F,), kernels (F', F), one per image feature)}, from
            which the image terms are made.
    """

    def __init__(self, stream: Stream) -> None:
        self.scale, self.coloured = stream.scale, stream.coloured
        self.fold1 = [fold_layer(layer, norm) for layer, norm in stream.fold1]
        layers = [stream.geometry_point, *stream.geometry_features]
        (self.geometry_point, *kernels), bias = fold_sum(layers, stream.geometry_norm)
        self.kernels = {"geometry": (bias, kernels)}
        self.geometry_hidden = fold_layer(stream.geometry_hidden, stream.geometry_hidden_norm)
        self.geometry_out = fold_layer(stream.geometry_out)
        if not self.coloured:
            return
        layers = [stream.colour_point, stream.colour_geometry, *stream.colour_features]
        (self.colour_point, self.colour_geometry, *kernels), bias = fold_sum(layers, stream.colour_norm)
        self.kernels["colour"] = (bias, kernels)
        self.colour_hidden = fold_layer(stream.colour_hidden, stream.colour_hidden_norm)
        self.colour_out = fold_layer(stream.colour_out)

    def point(self, points: tf.Tensor) -> tf.Tensor:
        """Points (N, 3) -> point features (N, last of point_widths) for both decoders."""
        p = points * self.scale
        for kernel, bias in self.fold1:
            p = tf.nn.relu(linear(p, kernel, bias))
        return p

    def geometry_term(self, p: tf.Tensor) -> tf.Tensor:
        """Point features -> their product (N, F) with the first geometry layer, for any image."""
        return product(p, self.geometry_point)

    def geometry(self, point_term: tf.Tensor, image_term: tf.Tensor) -> tf.Tensor:
        """Result of geometry_term and the image term -> raw geometry (N, 2 or 1) float32."""
        g = tf.nn.relu(add_terms(point_term, image_term, self.geometry_hidden))
        return linear(tf.nn.relu(linear(g, *self.geometry_hidden)), *self.geometry_out)

    def colour(self, geometry: tf.Tensor, p: tf.Tensor, image_term: tf.Tensor) -> tf.Tensor:
        """Raw geometry, point features and the image term -> colour (N, 3) in [0, 1]."""
        c = product(p, self.colour_point)
        c += tf.cast(product(geometry, self.colour_geometry), c.dtype)
        c = tf.nn.relu(add_terms(c, image_term, self.colour_hidden))
        return tf.sigmoid(linear(tf.nn.relu(linear(c, *self.colour_hidden)), *self.colour_out))


def product(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """x @ kernel in the type of the kernel."""
    return tf.matmul(tf.cast(x, kernel.dtype), kernel)


def linear(x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """x @ kernel + bias. TensorFlow runs it as one operation with a ReLU that follows."""
    return tf.nn.bias_add(product(x, kernel), bias)


def add_terms(point_term: tf.Tensor, image_term: tf.Tensor, next_layer: Layer) -> tf.Tensor:
    """The sum of the two terms, in the type of the layer that takes it."""
    dtype = next_layer[0].dtype
    if image_term.shape.rank == 1:
        return tf.cast(tf.nn.bias_add(point_term, tf.cast(image_term, point_term.dtype)), dtype)
    return tf.cast(point_term, dtype) + tf.cast(image_term, dtype)


def fold_sum(layers: Sequence[keras.layers.Dense], norm: Normaliser | None) -> tuple[list[tf.Tensor], tf.Tensor]:
    """Fold a normalisation into dense layers whose results are added before it.

    The first layer holds the bias.

    Returns:
        The kernels, each in the type of its layer, and the one bias, float32.
    """
    kernels = [tf.convert_to_tensor(layer.kernel) for layer in layers]
    bias = tf.convert_to_tensor(layers[0].bias)
    if norm is not None:
        scale = norm.gamma / tf.sqrt(norm.moving_variance + norm.epsilon)
        kernels = [kernel * scale for kernel in kernels]
        bias = (bias - norm.moving_mean) * scale + norm.beta
    return [tf.cast(kernel, layer.compute_dtype) for kernel, layer in zip(kernels, layers, strict=True)], bias


def fold_layer(layer: keras.layers.Dense, norm: Normaliser | None = None) -> Layer:
    """Fold a normalisation into the dense layer before it -> kernel and bias in its type."""
    (kernel,), bias = fold_sum([layer], norm)
    return kernel, tf.cast(bias, kernel.dtype)
