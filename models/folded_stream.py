"""A decoder stream (models/decoder.py) at inference: normalisation folded into the layers, image features multiplied beforehand."""

import tensorflow as tf


class FoldedStream:
    """The weights of a Stream and what they compute for points of one image; equal to it up to rounding.

    kernels: {"geometry", "colour"} -> one kernel (F', F) per image feature of the stream, by which the feature is multiplied
    before it comes here: the global one once an image, the local ones map by map.
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
        """(N, 3) points -> what both decoders take of a point."""
        p = points * self.scale
        for kernel, bias in self.fold1:
            p = tf.nn.relu(product(p, kernel) + bias)
        return p

    def geometry(self, p, feature):
        """p, the image features (F,) or (N, F), multiplied and added -> raw geometry (N, 2 or 1) float32."""
        g = tf.nn.relu(product(p, self.geometry_point) + self.geometry_bias + feature)
        kernel, bias = self.geometry_hidden
        g = tf.nn.relu(product(g, kernel) + bias)
        kernel, bias = self.geometry_out
        return product(g, kernel) + bias

    def colour(self, geometry, p, feature):
        """Raw geometry, p, the image features, multiplied and added -> colour (N, 3) in [0, 1]."""
        c = product(p, self.colour_point) + product(geometry, self.colour_geometry) + self.colour_bias + feature
        kernel, bias = self.colour_hidden
        c = tf.nn.relu(product(tf.nn.relu(c), kernel) + bias)
        kernel, bias = self.colour_out
        return tf.sigmoid(product(c, kernel) + bias)


def product(x, kernel):
    """x @ kernel in the type of the kernel, as float32."""
    return tf.cast(tf.matmul(tf.cast(x, kernel.dtype), kernel), tf.float32)


def folded(layers, norm):
    """Dense layers whose results are added, then normalised -> their kernels, each in its layer's type, and the one bias."""
    kernels = [tf.convert_to_tensor(layer.kernel) for layer in layers]
    bias = tf.convert_to_tensor(layers[0].bias)
    if norm is not None:
        scale = norm.gamma / tf.sqrt(norm.moving_variance + norm.epsilon)
        kernels = [kernel * scale for kernel in kernels]
        bias = (bias - norm.moving_mean) * scale + norm.beta
    return *(tf.cast(kernel, layer.compute_dtype) for kernel, layer in zip(kernels, layers, strict=True)), bias
