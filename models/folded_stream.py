"""A decoder stream (models/decoder.py) at inference: normalisation folded into the layers, image features multiplied beforehand."""

import tensorflow as tf


class FoldedStream:
    """The weights of a Stream and what they compute for points of one image; equal to it up to rounding.

    kernels: {"geometry", "colour"} -> one kernel (F', F) per image feature of the stream, by which the feature is multiplied
    before it comes here: the global one once an image (`vector`), the local ones map by map (`local`, read at the points).
    Every layer is written as product, bias, ReLU in one type, which TensorFlow runs as one operation.
    """

    def __init__(self, stream):
        self.scale, self.coloured = stream.scale, stream.coloured
        self.fold1 = [folded([layer], norm) for layer, norm in stream.fold1]
        layers = [stream.geometry_point, *stream.geometry_features]
        self.geometry_point, *kernels, self.geometry_bias = folded(layers, stream.geometry_norm)
        self.kernels = {"geometry": kernels}
        self.geometry_hidden = folded([stream.geometry_hidden], stream.geometry_hidden_norm)
        self.geometry_out = folded([stream.geometry_out], None)
        if not self.coloured:
            return
        layers = [stream.colour_point, stream.colour_geometry, *stream.colour_features]
        self.colour_point, self.colour_geometry, *kernels, self.colour_bias = folded(layers, stream.colour_norm)
        self.kernels["colour"] = kernels
        self.colour_hidden = folded([stream.colour_hidden], stream.colour_hidden_norm)
        self.colour_out = folded([stream.colour_out], None)

    def point(self, points):
        """(N, 3) points -> (N, last of point_widths), what both decoders take of a point."""
        p = points * self.scale
        for kernel, bias in self.fold1:
            p = tf.nn.relu(linear(p, kernel, bias))
        return p

    def geometry_term(self, p, vector=None):
        """p -> what the point, and the global feature's (F,) vector, add to the first layer of the geometry: (N, F)."""
        return linear(p, self.geometry_point, plus(self.geometry_bias, vector))

    def geometry(self, term, local):
        """geometry_term, the local features (N, F), multiplied and read at the points, or None -> raw geometry (N, 2 or 1) float32."""
        g = tf.nn.relu(with_local(term, local, self.geometry_hidden))
        return linear(tf.nn.relu(linear(g, *self.geometry_hidden)), *self.geometry_out)

    def colour(self, geometry, p, vector, local):
        """Raw geometry, p, the image features, multiplied -> colour (N, 3) in [0, 1]."""
        c = linear(p, self.colour_point, plus(self.colour_bias, vector))
        g = tf.matmul(geometry, self.colour_geometry)
        c = tf.nn.relu(with_local(c, g if local is None else local + g, self.colour_hidden))
        return tf.sigmoid(linear(tf.nn.relu(linear(c, *self.colour_hidden)), *self.colour_out))


def linear(x, kernel, bias):
    """x @ kernel + bias in the type of the kernel."""
    return tf.nn.bias_add(tf.matmul(tf.cast(x, kernel.dtype), kernel), bias)


def plus(bias, vector):
    return bias if vector is None else bias + tf.cast(vector, bias.dtype)


def with_local(term, local, next_layer):
    """The sum of the two, in the type of the layer that takes it."""
    dtype = next_layer[0].dtype
    return tf.cast(term, dtype) if local is None else tf.cast(term, dtype) + tf.cast(local, dtype)


def folded(layers, norm):
    """Dense layers whose results are added, then normalised -> their kernels, each in its layer's type, and the one bias."""
    kernels = [tf.convert_to_tensor(layer.kernel) for layer in layers]
    bias = tf.convert_to_tensor(layers[0].bias)
    if norm is not None:
        scale = norm.gamma / tf.sqrt(norm.moving_variance + norm.epsilon)
        kernels = [kernel * scale for kernel in kernels]
        bias = (bias - norm.moving_mean) * scale + norm.beta
    kernels = [tf.cast(kernel, layer.compute_dtype) for kernel, layer in zip(kernels, layers, strict=True)]
    return *kernels, tf.cast(bias, kernels[0].dtype)
