"""What FieldQuery needs of a decoder, and which form each decoder has at inference."""

from collections.abc import Sequence
from typing import Any, Protocol

import tensorflow as tf

from models.inference.folded_residual import FoldedResidual
from models.inference.folded_streams import FoldedStreams
from models.networks.texdisn import TexDISN


class Decoding(Protocol):
    """A decoder at inference; its values are the network's own, up to rounding.

    `points` are (N, 3) model-frame points, `terms` those of one image, with its `camera` (1, 4, 3).
    """

    has_point_terms: bool  # whether a part of the work depends on the points alone

    def image_terms(self, images: tf.Tensor) -> list[Any]:
        """Images (V, h, w, c) -> what points need of each."""

    def point_terms(self, points: tf.Tensor) -> list[tf.Tensor]:
        """What the geometry of any image needs of points, (N, F) each; with has_point_terms."""

    def geometry(
        self, points: tf.Tensor, terms: Any, camera: tf.Tensor, point_terms: Sequence[tf.Tensor] = ()
    ) -> tf.Tensor:
        """Raw geometry (N, 2 or 1); point_terms() of the points where they are known."""

    def geometry_and_colour(self, points: tf.Tensor, terms: Any, camera: tf.Tensor) -> tf.Tensor:
        """(N, 2 + 3 or 1 + 3): raw geometry, and the sum of the colours of the streams."""


class AsTrained:
    """The Decoding of a decoder that has no faster form: its layers as they are."""

    has_point_terms = False

    def __init__(self, network: TexDISN) -> None:
        self.network = network

    def image_terms(self, images: tf.Tensor) -> list[Any]:
        encoded = self.network.encode(images)
        return [tf.nest.map_structure(lambda x, i=i: x[i : i + 1], encoded) for i in range(images.shape[0])]

    def point_terms(self, points: tf.Tensor) -> list[tf.Tensor]:
        return []

    def geometry(
        self, points: tf.Tensor, terms: Any, camera: tf.Tensor, point_terms: Sequence[tf.Tensor] = ()
    ) -> tf.Tensor:
        return self.network.geometry(terms, points[None], camera)[0]

    def geometry_and_colour(self, points: tf.Tensor, terms: Any, camera: tf.Tensor) -> tf.Tensor:
        values = self.network.decode(terms, points[None], camera)
        return tf.concat(tf.nest.map_structure(lambda x: x[0], values), -1)


def decoding_of(network: TexDISN) -> Decoding:
    """The fastest form of a network's decoder."""
    if network.streams:
        return FoldedStreams(network)
    return FoldedResidual(network) if network.config.decoder == "residual" else AsTrained(network)
