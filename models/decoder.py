"""A decoder stream: from a point and an image feature to geometry, then to colour given geometry."""

import keras
import tensorflow as tf

from models.layers import activate, dense, normaliser


class Stream(keras.layers.Layer):
    """points (B, N, 3), features: list of (B, 1 or N, F) -> geometry (B, N, 2 or 1), colour (B, N, 3) in [0, 1], float32.

    parts names the features. colour is None without a colour branch (config.colour).
    The original joins vectors and multiplies the result by one matrix; here every part has its own matrix and the
    products are added, which is the same sum. A feature that all points share (the global one) is thus multiplied
    once per image instead of once per point.
    """

    def __init__(self, config, name, policy, parts=("feature",)):
        super().__init__(name=name, dtype=policy, autocast=False)
        self.scale, self.coloured = config.coordinate_scale, config.colour
        first, second = config.decoder_widths

        def norm(name):
            return normaliser(config, name + "_norm", policy)

        # The first layer sees coordinates, for which bfloat16 is too coarse.
        policies = ["float32"] + [policy] * (len(config.point_widths) - 1)
        self.fold1 = [
            (dense(width, f"fold1_conv{i}", p), norm(f"fold1_conv{i}"))
            for i, (width, p) in enumerate(zip(config.point_widths, policies, strict=True), 1)
        ]
        self.geometry_point = dense(first, "fold2_conv1_point", policy)
        self.geometry_features = [dense(first, f"fold2_conv1_{part}", policy, bias=False) for part in parts]
        self.geometry_norm = norm("fold2_conv1")
        self.geometry_hidden = dense(second, "fold2_conv2", policy)
        self.geometry_hidden_norm = norm("fold2_conv2")
        self.geometry_out = dense(config.geometry_channels, "fold2_conv5", "float32")

        if not self.coloured:
            return
        self.colour_geometry = dense(first, "fold3_conv1_geometry", policy, bias=False)
        self.colour_point = dense(first, "fold3_conv1_point", policy)
        self.colour_features = [dense(first, f"fold3_conv1_{part}", policy, bias=False) for part in parts]
        self.colour_norm = norm("fold3_conv1")
        self.colour_hidden = dense(second, "fold3_conv2", policy)
        self.colour_hidden_norm = norm("fold3_conv2")
        self.colour_out = dense(3, "fold3_conv5", "float32")

    def geometry(self, points, features, training=False):
        """-> geometry (B, N, 2 or 1), and what the colour needs of the point: (B, N, last of point_widths)."""
        p = points * self.scale
        for layer, norm in self.fold1:
            p = activate(layer(p), norm, training)
        p = tf.cast(p, self.compute_dtype)
        g = self.geometry_point(p) + joined(self.geometry_features, features)
        g = activate(g, self.geometry_norm, training)
        g = activate(self.geometry_hidden(g), self.geometry_hidden_norm, training)
        return self.geometry_out(g), p

    def colour(self, geometry, p, features, training=False):
        """-> colour (B, N, 3) in [0, 1], given what geometry() returned."""
        c = self.colour_geometry(geometry) + self.colour_point(p) + joined(self.colour_features, features)
        c = activate(c, self.colour_norm, training)
        c = activate(self.colour_hidden(c), self.colour_hidden_norm, training)
        return tf.sigmoid(self.colour_out(c))

    def call(self, points, features, training=False):
        geometry, p = self.geometry(points, features, training)
        return geometry, self.colour(geometry, p, features, training) if self.coloured else None


def joined(layers, features):
    """The product of the joined features: the sum of a product per part."""
    return sum(layer(feature) for layer, feature in zip(layers, features, strict=True))
