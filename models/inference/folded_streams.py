"""The streams of a decoder at inference, as FieldQuery takes them."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from models.inference.folded_stream import FoldedStream
from models.inference.image_terms import of_images, read_map, stream_terms
from models.networks.local_features import clipped_pixels, scale_to_map, to_camera_axes
from models.networks.texdisn import TexDISN


class FoldedStreams:
    """A Decoding (models.inference.decoding) of a network whose decoder is made of streams."""

    def __init__(self, network: TexDISN) -> None:
        config = network.config
        self.network, self.config = network, config
        self.map_size = (config.img_h, config.img_w) if config.resized_reading else (config.encoder_size,) * 2
        self.streams = [(FoldedStream(stream), stream.parts) for stream in network.streams]
        self.has_point_terms = not config.rot  # with rot the image's camera turns the points

    def image_terms(self, images: tf.Tensor) -> list[Any]:
        """Images (V, h, w, c) -> of each the terms of all streams: (F,), or maps (1, h', w', F)."""
        global_feature, maps = self.network.encode(images)
        terms = [stream_terms(stream, parts, global_feature, maps, self.map_size) for stream, parts in self.streams]
        return of_images(terms)

    def point_terms(self, points: tf.Tensor) -> list[tf.Tensor]:
        """What the streams need of points, as they take them, for any image's geometry."""
        return [stream.geometry_term(stream.point(points)) for stream, _ in self.streams]

    def geometry(
        self, points: tf.Tensor, terms: Any, camera: tf.Tensor, point_terms: Sequence[tf.Tensor] = ()
    ) -> tf.Tensor:
        """Points (N, 3) -> raw geometry (N, 2 or 1)."""
        read, parts = self._reader(points, camera), []
        point_terms = point_terms or self.point_terms(self._turned(points, camera))
        for (stream, _), point_term, image_term in zip(self.streams, point_terms, terms, strict=True):
            parts.append(stream.geometry(point_term, read(image_term["geometry"])))
        return self.network.squash(tf.add_n(parts))

    def geometry_and_colour(self, points: tf.Tensor, terms: Any, camera: tf.Tensor) -> tf.Tensor:
        """Points (N, 3) -> (N, 2 + 3 or 1 + 3): raw geometry, and the sum of the colours."""
        read, turned, geometries, colours = self._reader(points, camera), self._turned(points, camera), [], []
        for (stream, _), image_term in zip(self.streams, terms, strict=True):
            p = stream.point(turned)
            geometries.append(stream.geometry(stream.geometry_term(p), read(image_term["geometry"])))
            colours.append(stream.colour(geometries[-1], p, read(image_term["colour"])))
        return tf.concat([self.network.squash(tf.add_n(geometries)), tf.add_n(colours)], -1)

    def _reader(self, points: tf.Tensor, camera: tf.Tensor) -> Callable[[tf.Tensor], tf.Tensor]:
        """(N, 3) model-frame points -> a function that reads an image term at their pixels.

        It gives a vector back as it is, and of a map (1, h', w', F) the values (N, F), read
        bilinearly.
        """
        image = self.config.img_h, self.config.img_w
        uv = scale_to_map(clipped_pixels(points[None], camera, *image)[0], image, self.map_size)

        def read(x: tf.Tensor) -> tf.Tensor:
            return x if x.shape.rank == 1 else read_map(x, uv)

        return read

    def _turned(self, points: tf.Tensor, camera: tf.Tensor) -> tf.Tensor:
        """The points as the streams take them."""
        return to_camera_axes(points[None], camera)[0] if self.config.rot else points
