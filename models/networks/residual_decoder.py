"""The decoder of `plus`: a residual network over points, with features of both sides of an object.

A point is read in the image where it projects to, and where its mirror image projects to (Xu et al.
2020, "Ladybird"): most objects are symmetric, and one of the two is often visible. Its coordinates
come in the axes of the object and of the camera, with Fourier features (Tancik et al. 2020).
Geometry and colour share all layers but the last ones.
"""

import math

import keras
import tensorflow as tf

from models.config import Config
from models.networks.layers import BuiltByCall, dense
from models.networks.local_features import clipped_pixels, read_bilinear, read_small, scale_to_centres, to_camera_axes
from utils.geometry import frames

SMALL_MAP = 16 * 16  # cells up to which a map is read by a product
SMALL = 0.04  # variance scale of the last layer: a soft occupancy begins undecided everywhere

EncodedImages = tuple[tf.Tensor, list[tf.Tensor]]


def fourier_features(coordinates: tf.Tensor, octaves: int) -> tf.Tensor:
    """Coordinates (..., C) in [-1, 1] with their sines and cosines, (..., C (1 + 2 octaves)).

    The longest wave is 4, twice the cube.
    """
    if not octaves:
        return coordinates
    angles = coordinates[..., None] * (math.pi / 2 * 2.0 ** tf.range(octaves, dtype=tf.float32))
    angles = tf.reshape(angles, (*tf.unstack(tf.shape(coordinates))[:-1], coordinates.shape[-1] * octaves))
    return tf.concat([coordinates, tf.sin(angles), tf.cos(angles)], -1)


class ResidualDecoder(BuiltByCall, keras.layers.Layer):
    """Decodes points in the model frame of SDF mode, with the features of an image."""

    def __init__(self, config: Config, policy: str) -> None:
        """`policy` is the type of the layers that see no coordinates (models.networks.layers)."""
        super().__init__(name="residual", dtype=policy, autocast=False)
        self.config = config
        width = config.residual_width
        self.point = dense(width, "point", "float32")
        self.feature_global = dense(width, "global", "float32", bias=False)
        self.feature_local = dense(width, "local", policy, bias=False)
        self.layers_ = [dense(width, f"layer{i}", policy) for i in range(1, config.residual_layers + 1)]
        self.geometry_out = keras.layers.Dense(
            1,
            name="geometry",
            dtype="float32",
            kernel_initializer=keras.initializers.VarianceScaling(SMALL, "fan_avg", "uniform"),
        )
        self.colour_hidden = dense(width // 2, "colour_hidden", policy)
        self.colour_out = dense(3, "colour", "float32")

    def encode(self, global_feature: tf.Tensor, maps: list[tf.Tensor], training: bool = False) -> EncodedImages:
        """What decode() takes: the product of the global feature (B, 1, W), and the maps."""
        return self.feature_global(global_feature)[:, None], maps

    def hidden(self, encoded: EncodedImages, points: tf.Tensor, trans_mat: tf.Tensor) -> tf.Tensor:
        """Points (B, N, 3) -> (B, N, W), from which geometry and colour follow."""
        image_term, maps = encoded
        config = self.config
        coordinates = [points]
        if config.camera_axes:
            coordinates.append(to_camera_axes(points, trans_mat))
        sides = [points]
        if config.reflection:
            sides.append(points * frames.MIRROR)
        local = self._read(maps, sides, trans_mat)
        x = self.point(fourier_features(tf.concat(coordinates, -1), config.fourier)) + image_term
        x = tf.cast(x, self.compute_dtype) + self.feature_local(local)
        for layer in self.layers_:
            x = x + layer(tf.nn.relu(x))
        return tf.nn.relu(x)

    def _read(self, maps: list[tf.Tensor], sides: list[tf.Tensor], trans_mat: tf.Tensor) -> tf.Tensor:
        """The maps (B, h, w, c) at the pixels of points (B, N, 3) of every side: (B, N, sum of c x
        sides), side by side.
        """
        image = self.config.img_h, self.config.img_w
        uv = clipped_pixels(tf.concat(sides, 1), trans_mat, *image)
        values = []
        for feature_map in maps:
            height, width = feature_map.shape[1:3]
            read = read_small if height * width <= SMALL_MAP else read_bilinear
            position = scale_to_centres(uv, image, (height, width))
            values.append(tf.cast(read(feature_map, position), self.compute_dtype))
        return tf.concat(tf.split(tf.concat(values, -1), len(sides), 1), -1)

    def geometry(self, hidden: tf.Tensor) -> tf.Tensor:
        """Result of hidden() -> (B, N, 1) float32."""
        return self.geometry_out(tf.cast(hidden, tf.float32))

    def colour(self, hidden: tf.Tensor) -> tf.Tensor:
        """Result of hidden() -> (B, N, 3) in [0, 1] float32."""
        return tf.sigmoid(self.colour_out(tf.cast(tf.nn.relu(self.colour_hidden(hidden)), tf.float32)))

    def decode(
        self, encoded: EncodedImages, points: tf.Tensor, trans_mat: tf.Tensor, training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Points (B, N, 3) -> geometry (B, N, 1), colour (B, N, 3) or None."""
        hidden = self.hidden(encoded, points, trans_mat)
        return self.geometry(hidden), self.colour(hidden) if self.config.colour else None

    def call(
        self, global_feature: tf.Tensor, maps: list[tf.Tensor], points: tf.Tensor, trans_mat: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor | None]:
        """encode() and decode()."""
        return self.decode(self.encode(global_feature, maps), points, trans_mat)
