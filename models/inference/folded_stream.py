"""A decoder stream (models/networks/decoder.py) at inference: normalisation folded into the layers, image features multiplied beforehand."""

import tensorflow as tf


class FoldedStream:
    """The weights of a Stream and what they compute for points of one image; equal to it up to rounding.

    kernels: {"geometry", "colour"} -> (bias (F,), one kernel (F', F) per image feature of the stream). What they make of the
    features comes here as the image's part of a decoder's first layer, bias included: (F,) where it is the same for all points,
    or (N, F), read from a map.
    """

    def __init__(self, stream):
        self.scale, self.coloured = stream.scale, stream.coloured
        self.fold1 = [alone(layer, norm) for layer, norm in stream.fold1]
        layers = [stream.geometry_point, *stream.geometry_features]
        self.geometry_point, *kernels, bias = folded(layers, stream.geometry_norm)
        self.kernels = {"geometry": (bias, kernels)}
        self.geometry_hidden = alone(stream.geometry_hidden, stream.geometry_hidden_norm)
        self.geometry_out = alone(stream.geometry_out)
        if not self.coloured:
            return
        layers = [stream.colour_point, stream.colour_geometry, *stream.colour_features]
        self.colour_point, self.colour_geometry, *kernels, bias = folded(layers, stream.colour_norm)
        self.kernels["colour"] = (bias, kernels)
        self.colour_hidden = alone(stream.colour_hidden, stream.colour_hidden_norm)
        self.colour_out = alone(stream.colour_out)

    def point(self, points):
        """(N, 3) points -> (N, last of point_widths), what both decoders take of a point."""
        p = points * self.scale
        for kernel, bias in self.fold1:
            p = tf.nn.relu(linear(p, kernel, bias))
        return p

    def geometry_term(self, p):
        """p -> (N, F), what the point adds to the first layer of the geometry, whatever the image."""
        return product(p, self.geometry_point)

    def geometry(self, term, of_image):
        """geometry_term, the image's part -> raw geometry (N, 2 or 1) float32."""
        g = tf.nn.relu(added(term, of_image, self.geometry_hidden))
        return linear(tf.nn.relu(linear(g, *self.geometry_hidden)), *self.geometry_out)

    def colour(self, geometry, p, of_image):
        """Raw geometry, p, the image's part -> colour (N, 3) in [0, 1]."""
        c = product(p, self.colour_point)
        c = tf.nn.relu(
            added(c + tf.cast(product(geometry, self.colour_geometry), c.dtype), of_image, self.colour_hidden)
        )
        return tf.sigmoid(linear(tf.nn.relu(linear(c, *self.colour_hidden)), *self.colour_out))


def product(x, kernel):
    """x @ kernel in the type of the kernel."""
    return tf.matmul(tf.cast(x, kernel.dtype), kernel)


def linear(x, kernel, bias):
    """Product and bias; with a ReLU after it TensorFlow runs all three as one operation."""
    return tf.nn.bias_add(product(x, kernel), bias)


def added(term, of_image, next_layer):
    """The sum of the two, in the type of the layer that takes it."""
    dtype = next_layer[0].dtype
    if of_image.shape.rank == 1:
        return tf.cast(tf.nn.bias_add(term, tf.cast(of_image, term.dtype)), dtype)
    return tf.cast(term, dtype) + tf.cast(of_image, dtype)


def folded(layers, norm):
    """Dense layers whose results are added, then normalised -> their kernels, each in its layer's type, and the one bias."""
    kernels = [tf.convert_to_tensor(layer.kernel) for layer in layers]
    bias = tf.convert_to_tensor(layers[0].bias)
    if norm is not None:
        scale = norm.gamma / tf.sqrt(norm.moving_variance + norm.epsilon)
        kernels = [kernel * scale for kernel in kernels]
        bias = (bias - norm.moving_mean) * scale + norm.beta
    return *(tf.cast(kernel, layer.compute_dtype) for kernel, layer in zip(kernels, layers, strict=True)), bias


def alone(layer, norm=None):
    """A dense layer, then normalised -> its kernel and its bias, in its type."""
    kernel, bias = folded([layer], norm)
    return kernel, tf.cast(bias, kernel.dtype)
