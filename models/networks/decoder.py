"""A decoder stream: predicts geometry from a point and image features, then colour from both."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from models.config import Config
from models.networks.layers import BuiltByCall, Normaliser, activate, dense, normaliser


class Stream(BuiltByCall, keras.layers.Layer):
    """Decodes points (B, N, 3) and features, each (B, 1 or N, F), to geometry and colour.

    The geometry is (B, N, 2 or 1), the colour (B, N, 3) in [0, 1], or None without a colour branch
    (config.colour); both are float32. The original joins vectors and multiplies the result by one
    matrix. Here every part has a matrix of its own and the products are added, which is the same
    sum. So a feature that all points share (the global one) is multiplied once per image instead of
    once per point.

    Attributes:
        parts: Names of the features: "global", "local".
    """

    def __init__(self, config: Config, name: str, policy: str, sensitive: str, parts: tuple[str, ...]) -> None:
        """See models.networks.layers.policies for the two policies; `name` is the TF1 scope."""
        super().__init__(name=name, dtype=policy, autocast=False)
        self.scale, self.coloured, self.parts = config.coordinate_scale, config.colour, parts
        # in checkpoints the layer of a stream's first feature is called just that
        feature_names = ("feature", *parts[1:])
        first, second = config.decoder_widths

        def norm(name: str, policy: str = policy) -> Normaliser | None:
            return normaliser(config, name + "_norm", policy)

        # Layers that see coordinates or geometry, and the last layers, are always in float32:
        # bfloat16 is too coarse for them, and they have few products. Sensitive are the rest of
        # fold1 and the last hidden layers, with a quarter of the products of a point.
        self.fold1 = []
        for i, width in enumerate(config.point_widths, 1):
            name, layer_policy = f"fold1_conv{i}", "float32" if i == 1 else sensitive
            self.fold1.append((dense(width, name, layer_policy), norm(name, layer_policy)))
        self.geometry_point = dense(first, "fold2_conv1_point", policy)
        self.geometry_features = [dense(first, f"fold2_conv1_{part}", policy, bias=False) for part in feature_names]
        self.geometry_norm = norm("fold2_conv1")
        self.geometry_hidden = dense(second, "fold2_conv2", sensitive)
        self.geometry_hidden_norm = norm("fold2_conv2", sensitive)
        self.geometry_out = dense(config.geometry_channels, "fold2_conv5", "float32")

        if not self.coloured:
            return
        self.colour_geometry = dense(first, "fold3_conv1_geometry", "float32", bias=False)
        self.colour_point = dense(first, "fold3_conv1_point", policy)
        self.colour_features = [dense(first, f"fold3_conv1_{part}", policy, bias=False) for part in feature_names]
        self.colour_norm = norm("fold3_conv1")
        self.colour_hidden = dense(second, "fold3_conv2", sensitive)
        self.colour_hidden_norm = norm("fold3_conv2", sensitive)
        self.colour_out = dense(3, "fold3_conv5", "float32")

    def geometry(
        self, points: tf.Tensor, features: Sequence[tf.Tensor], training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Decode the geometry.

        Returns:
            The geometry (B, N, 2 or 1), and the point features (B, N, last of point_widths) that
            colour() takes.
        """
        p = points * self.scale
        for layer, norm in self.fold1:
            p = activate(layer(p), norm, training)
        layers = [self.geometry_point, *self.geometry_features]
        g = joined_product(layers, [p, *features], self.geometry_hidden.compute_dtype)
        g = activate(g, self.geometry_norm, training)
        g = activate(self.geometry_hidden(g), self.geometry_hidden_norm, training)
        return self.geometry_out(g), p

    def colour(
        self, geometry: tf.Tensor, p: tf.Tensor, features: Sequence[tf.Tensor], training: bool = False
    ) -> tf.Tensor:
        """Decode the colour (B, N, 3) in [0, 1] from the two results of geometry()."""
        layers = [self.colour_geometry, self.colour_point, *self.colour_features]
        c = joined_product(layers, [geometry, p, *features], self.colour_hidden.compute_dtype)
        c = activate(c, self.colour_norm, training)
        c = activate(self.colour_hidden(c), self.colour_hidden_norm, training)
        return tf.sigmoid(self.colour_out(c))

    def call(
        self, points: tf.Tensor, features: Sequence[tf.Tensor], training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Decode geometry and colour."""
        geometry, p = self.geometry(points, features, training)
        return geometry, self.colour(geometry, p, features, training) if self.coloured else None


def joined_product(layers: Sequence[keras.layers.Dense], features: Sequence[tf.Tensor], dtype: str) -> tf.Tensor:
    """The product of the joined features with one matrix, as the sum of a product per feature."""
    return sum(tf.cast(layer(feature), dtype) for layer, feature in zip(layers, features, strict=True))
