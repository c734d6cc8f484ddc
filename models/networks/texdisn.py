"""The field network: an encoder, local features where points project to, decoders.

With the default settings it is the network of Wu 2021, after DISN (Xu et al. 2019).
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from models.choices import DECODERS
from models.config import Config
from models.networks.decoder import Stream
from models.networks.encoders import build_encoder
from models.networks.layers import BuiltByCall, policies
from models.networks.local_features import clipped_pixels, read_maps, to_camera_axes
from models.networks.residual_decoder import ResidualDecoder
from models.networks.voxel_decoder import VoxelDecoder

# Decoders that are not made of streams: Keras layers with encode() and decode(), as in
# models.networks.voxel_decoder.
OTHER_DECODERS: dict[str, Any] = {"threedcnn": VoxelDecoder, "residual": ResidualDecoder}


class TexDISN(BuiltByCall, keras.Model):
    """Predicts geometry and colour of points, from an image and its camera.

    config.decoder chooses how the features of the image become geometry and colour
    (models.choices.DECODERS). The methods take and return:

    images     (B, img_h, img_w, 3 or 4) float32 in [0, 1], RGB(A)
    points     (B, N, 3) float32 in the model frame (utils.geometry.frames): the voxel frame, or 2 p
               in SDF mode
    trans_mat  (B, 4, 3) float32, model frame to pixels (utils.geometry.frames.ModelFrame.camera)
    geometry   (B, N, 2) logits (class 1 = occupied), or (B, N, 1) = 10 x signed distance in the
               model frame
    colour     (B, N, 3), the sum of a value in [0, 1] per stream: clip it before it is shown; None
               without a colour branch
    """

    def __init__(self, config: Config, all_bfloat16: bool = False) -> None:
        """See models.networks.layers.policies for all_bfloat16."""
        super().__init__(name="texdisn", autocast=False)
        self.config = config
        policy, sensitive = policies(config, all_bfloat16)
        self.encoder = build_encoder(config, policy, sensitive)
        self.streams = [Stream(config, scope, policy, sensitive, parts) for scope, parts in config.streams.items()]
        if not self.streams:
            self.decoder = OTHER_DECODERS[config.decoder](config, policy)

    def encode(self, images: tf.Tensor, training: bool = False) -> Any:
        """Compute from images, once, what decode() needs for any number of points.

        Returns:
            The global feature (B, num_classes) and the list of five maps (B, h, w, c); or what
            encode() of a decoder without streams makes of them.
        """
        global_feature, maps = self.encoder(images, training=training)
        return (global_feature, maps) if self.streams else self.decoder.encode(global_feature, maps, training)

    def features(
        self, encoded: tuple[tf.Tensor, Sequence[tf.Tensor]], points: tf.Tensor, trans_mat: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Compute the features of points.

        Returns:
            The global feature (B, 1, F) and the local features (B, N, F'), None where no stream
            takes them.
        """
        global_feature, maps = encoded
        count = DECODERS[self.config.decoder].maps
        if not count:
            return global_feature[:, None], None
        height, width = self.config.img_h, self.config.img_w
        uv = clipped_pixels(points, trans_mat, height, width)
        return global_feature[:, None], read_maps(maps[:count], uv, height, width, self.config.resized_reading)

    def stream_inputs(
        self, encoded: tuple[tf.Tensor, Sequence[tf.Tensor]], points: tf.Tensor, trans_mat: tf.Tensor
    ) -> list[tuple[Stream, list[tf.Tensor]]]:
        """Pair every stream with its features of the points."""
        features = dict(zip(("global", "local"), self.features(encoded, points, trans_mat), strict=True))
        return [(stream, [features[part] for part in stream.parts]) for stream in self.streams]

    def geometry(self, encoded: Any, points: tf.Tensor, trans_mat: tf.Tensor) -> tf.Tensor:
        """Decode the geometry alone, at inference: most points are empty and need no colour."""
        if not self.streams:
            return self.decode(encoded, points, trans_mat)[0]
        p = self.axes(points, trans_mat)
        parts = [stream.geometry(p, features)[0] for stream, features in self.stream_inputs(encoded, points, trans_mat)]
        return self.squash(tf.add_n(parts))

    def decode(
        self, encoded: Any, points: tf.Tensor, trans_mat: tf.Tensor, training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Decode geometry and colour from the result of encode()."""
        if not self.streams:
            geometry, colour = self.decoder.decode(encoded, points, trans_mat, training)
            return self.squash(geometry), colour
        p = self.axes(points, trans_mat)
        inputs = self.stream_inputs(encoded, points, trans_mat)
        geometry, colour = zip(*[stream(p, features, training=training) for stream, features in inputs], strict=True)
        return self.squash(tf.add_n(geometry)), tf.add_n(colour) if self.config.colour else None

    def axes(self, points: tf.Tensor, trans_mat: tf.Tensor) -> tf.Tensor:
        """The points as the streams take them: with config.rot in the axes of the camera."""
        return to_camera_axes(points, trans_mat) if self.config.rot else points

    def squash(self, geometry: tf.Tensor) -> tf.Tensor:
        """Limit the geometry to [-1, 1] with config.tanh."""
        return tf.tanh(geometry) if self.config.tanh else geometry

    def call(self, inputs: Sequence[tf.Tensor], training: bool = False) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Images, points and cameras -> geometry, colour."""
        images, points, trans_mat = inputs
        return self.decode(self.encode(images, training), points, trans_mat, training)


def build_field_network(config: Config, all_bfloat16: bool = False) -> TexDISN:
    """A TexDISN whose variables exist. all_bfloat16: see models.networks.layers.policies."""
    network = TexDISN(config, all_bfloat16)
    network([tf.zeros((1, config.img_h, config.img_w, config.image_channels)), tf.zeros((1, 2, 3)), tf.ones((1, 4, 3))])
    return network
