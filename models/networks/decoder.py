"""A decoder stream: from a point and an image feature to geometry, then to colour given geometry."""

import keras
import tensorflow as tf

from models.networks.layers import activate, dense, normaliser


class Stream(keras.layers.Layer):
    """points (B, N, 3), features: list of (B, 1 or N, F) -> geometry (B, N, 2 or 1), colour (B, N, 3) in [0, 1], float32.

    parts names the features. colour is None without a colour branch (config.colour).
    The original joins vectors and multiplies the result by one matrix; here every part has its own matrix and the
    products are added, which is the same sum. A feature that all points share (the global one) is thus multiplied
    once per image instead of once per point.
    """

    def __init__(self, config, name, policy, sensitive, parts=("feature",)):
        super().__init__(name=name, dtype=policy, autocast=False)
        self.scale, self.coloured = config.coordinate_scale, config.colour
        first, second = config.decoder_widths

        def norm(name, policy=policy):
            return normaliser(config, name + "_norm", policy)

        # Always float32: what sees coordinates or geometry, for which bfloat16 is too coarse, and what comes last; few products.
        # Sensitive: the rest of fold1 and the last hidden layers, a quarter of the products of a point.
        self.fold1 = []
        for i, width in enumerate(config.point_widths, 1):
            name, of_layer = f"fold1_conv{i}", "float32" if i == 1 else sensitive
            self.fold1.append((dense(width, name, of_layer), norm(name, of_layer)))
        self.geometry_point = dense(first, "fold2_conv1_point", policy)
        self.geometry_features = [dense(first, f"fold2_conv1_{part}", policy, bias=False) for part in parts]
        self.geometry_norm = norm("fold2_conv1")
        self.geometry_hidden = dense(second, "fold2_conv2", sensitive)
        self.geometry_hidden_norm = norm("fold2_conv2", sensitive)
        self.geometry_out = dense(config.geometry_channels, "fold2_conv5", "float32")

        if not self.coloured:
            return
        self.colour_geometry = dense(first, "fold3_conv1_geometry", "float32", bias=False)
        self.colour_point = dense(first, "fold3_conv1_point", policy)
        self.colour_features = [dense(first, f"fold3_conv1_{part}", policy, bias=False) for part in parts]
        self.colour_norm = norm("fold3_conv1")
        self.colour_hidden = dense(second, "fold3_conv2", sensitive)
        self.colour_hidden_norm = norm("fold3_conv2", sensitive)
        self.colour_out = dense(3, "fold3_conv5", "float32")

    def geometry(self, points, features, training=False):
        """-> geometry (B, N, 2 or 1), and what the colour needs of the point: (B, N, last of point_widths)."""
        p = points * self.scale
        for layer, norm in self.fold1:
            p = activate(layer(p), norm, training)
        g = joined([self.geometry_point, *self.geometry_features], [p, *features], self.geometry_hidden.compute_dtype)
        g = activate(g, self.geometry_norm, training)
        g = activate(self.geometry_hidden(g), self.geometry_hidden_norm, training)
        return self.geometry_out(g), p

    def colour(self, geometry, p, features, training=False):
        """-> colour (B, N, 3) in [0, 1], given what geometry() returned."""
        layers = [self.colour_geometry, self.colour_point, *self.colour_features]
        c = joined(layers, [geometry, p, *features], self.colour_hidden.compute_dtype)
        c = activate(c, self.colour_norm, training)
        c = activate(self.colour_hidden(c), self.colour_hidden_norm, training)
        return tf.sigmoid(self.colour_out(c))

    def call(self, points, features, training=False):
        geometry, p = self.geometry(points, features, training)
        return geometry, self.colour(geometry, p, features, training) if self.coloured else None


def joined(layers, features, dtype):
    """The product of the joined features: the sum of a product per part."""
    return sum(tf.cast(layer(feature), dtype) for layer, feature in zip(layers, features, strict=True))
