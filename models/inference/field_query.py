"""Queries of the field of an image: the network's own values at any points, computed a shorter way.

The layers as trained (models/networks/texdisn.py) are the reference. Everything here equals them up
to rounding:
- the image is encoded once; its products with the decoders' layers are made once (image_terms.py);
- batch normalisation at inference is a scale and a shift, folded into the layer before it
  (folded_stream.py); every kind of decoder has its own form (decoding.py);
- what depends on the points alone is computed once for several views of an object, and kept for the
  coarse grid that every mesh begins with;
- colour is computed only where it is wanted, together with the geometry there;
- points are decoded in chunks (chunks.py).
"""

import collections.abc
import dataclasses
import typing

import numpy as np
import tensorflow as tf

from models.inference.chunks import chunk_size, in_chunks
from models.inference.decoding import decoding_of
from models.networks.texdisn import TexDISN
from utils.errors import UserError
from utils.geometry import frames

GREY = 0.5  # stands for a colour that the network does not predict
BLOCK = 8192  # points whose point terms are kept in one piece: 34 MB at full size
KEPT = 40  # cells along an axis of the largest grid that is kept, with its point terms: 260 MB at full size


@dataclasses.dataclass(frozen=True)
class Encoded:
    """An image and its camera as the decoding takes them."""

    terms: typing.Any  # image_terms() of the decoding
    camera: tf.Tensor  # (1, 4, 3) model frame to pixels
    frame: frames.ModelFrame
    # of geometry_of_grid; dataclasses.replace() begins with none, since another camera has others
    grids: dict[int, np.ndarray] = dataclasses.field(init=False, default_factory=dict, compare=False)


class FieldQuery:
    """Geometry and colour of a network at object-frame points; an image is encoded once.

    Geometry is g0 of the txt files: logit of class 1 minus class 0, or the signed distance in
    object-frame length. The weights are those that the network had when the query was made.
    """

    def __init__(self, network: TexDISN):
        self.network, self.config = network, network.config
        self.decoding = decoding_of(network)
        self.chunk = chunk_size(network.config)
        self._encode = tf.function(self.decoding.image_terms, autograph=False)  # traced for every number of images
        self._geometry = in_chunks(self.decoding.geometry, self.chunk)
        self._point_terms = in_chunks(lambda points, *_: self.decoding.point_terms(points), self.chunk)
        self._finish = in_chunks(self.decoding.geometry, self.chunk)  # given the point terms
        self._both = in_chunks(lambda *values: self.decoding.geometry_and_colour(*values[:3]), self.chunk)
        self._grid_terms: dict[int, list] = {}  # cells along an axis -> point terms of the grid's centres

    def encode(self, image: np.ndarray, trans_mat: np.ndarray, frame: frames.ModelFrame | None = None) -> Encoded:
        """Encode an image for the other methods.

        Args:
            image: (H, W, 3 or 4) float in [0, 1].
            trans_mat: (4, 3) object-frame camera.
            frame: model frame of the object (data.network_input.object_frame); None: the one that
                all objects share.
        """
        return self.encode_views([image], [trans_mat], frame)[0]

    def encode_views(
        self,
        images: collections.abc.Sequence[np.ndarray],
        trans_mats: collections.abc.Sequence[np.ndarray],
        frame: frames.ModelFrame | None = None,
    ) -> list[Encoded]:
        """encode() for several images of one object in one pass."""
        frame = frame or frames.cube_frame(self.config.binary)
        terms = self._encode(tf.constant(np.stack(images), tf.float32))
        cameras = [tf.constant(frame.camera(matrix)[None], tf.float32) for matrix in trans_mats]
        return [Encoded(*pair, frame) for pair in zip(terms, cameras, strict=True)]

    def geometry(self, encoded: Encoded, points: np.ndarray) -> np.ndarray:
        """(N, 3) object-frame points -> (N,) g0."""
        raw = self._geometry(self._to_model(encoded, points), encoded.terms, encoded.camera)
        return self.g0(raw.numpy(), encoded.frame)

    def geometry_of_views(self, views: list[Encoded], points: np.ndarray) -> np.ndarray:
        """V views of one object, (N, 3) object-frame points -> (V, N) g0."""
        if not self.decoding.has_point_terms or len(views) == 1:
            return np.stack([self.geometry(view, points) for view in views])
        raw: list[list[np.ndarray]] = [[] for _ in views]
        for block in self._blocks(views[0], points):
            point_terms = self._point_terms(block)
            for view, values in zip(views, raw, strict=True):
                values.append(self._finish(block, view.terms, view.camera, point_terms).numpy())
        return np.stack([self.g0(np.concatenate(values), view.frame) for view, values in zip(views, raw, strict=True)])

    def geometry_of_grid(self, encoded: Encoded, n: int) -> np.ndarray:
        """(n^3,) g0 at frames.voxel_centres(n). A small grid is kept with the image."""
        if n not in encoded.grids:
            geometry = self._geometry_of_grid(encoded, n)
            if n > KEPT:
                return geometry
            encoded.grids[n] = geometry
        return encoded.grids[n]

    def _geometry_of_grid(self, encoded: Encoded, n: int) -> np.ndarray:
        """The same, evaluated; the point terms of a small grid are kept for other images."""
        points = frames.voxel_centres(n)
        if n > KEPT or not self.decoding.has_point_terms or encoded.frame != frames.cube_frame(self.config.binary):
            return self.geometry(encoded, points)
        blocks = list(self._blocks(encoded, points))
        if n not in self._grid_terms:
            self._grid_terms[n] = [self._point_terms(block) for block in blocks]
        pairs = zip(blocks, self._grid_terms[n], strict=True)
        raw = [self._finish(block, encoded.terms, encoded.camera, terms).numpy() for block, terms in pairs]
        return self.g0(np.concatenate(raw), encoded.frame)

    def g0(self, raw: np.ndarray, frame: frames.ModelFrame) -> np.ndarray:
        """(N, 2 or 1) output of the network -> (N,) g0."""
        if self.config.binary:
            return raw[:, 1] - raw[:, 0]
        # the network predicts 10 x (the distance in the model frame - distance_offset)
        return (raw[:, 0] / 10 + self.config.distance_offset) / frame.scale

    def raw(self, encoded: Encoded, model_points: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """The network's own output at (N, 3) model-frame points.

        Returns:
            Geometry (N, 2 or 1); colour (N, 3), not clipped, or None from a network without
            colours.
        """
        count, coloured = self.config.geometry_channels, self.config.colour
        if not len(model_points):
            return np.zeros((0, count), np.float32), np.zeros((0, 3), np.float32) if coloured else None
        function = self._both if coloured else self._geometry
        values = function(np.asarray(model_points, np.float32), encoded.terms, encoded.camera).numpy()
        return values[:, :count], values[:, count:] if coloured else None

    def geometry_and_colour(self, encoded: Encoded, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N, 3) object-frame points -> (N,) g0, (N, 3) colours in [0, 1].

        GREY without colour branch.
        """
        raw, colour = self.raw(encoded, self._to_model(encoded, points))
        colour = np.full((len(points), 3), GREY, np.float32) if colour is None else colour.clip(0, 1)
        return self.g0(raw, encoded.frame), colour

    def colour(self, encoded: Encoded, points: np.ndarray) -> np.ndarray:
        """(N, 3) object-frame points -> (N, 3) colours in [0, 1], as geometry_and_colour."""
        return self.geometry_and_colour(encoded, points)[1]

    def occupied(self, geometry: np.ndarray, iso: float) -> np.ndarray:
        """(N,) g0 -> (N,) bool: occupied (g0 > iso), or inside (distance < iso)."""
        return geometry > iso if self.config.binary else geometry < iso

    @staticmethod
    def _to_model(encoded: Encoded, points: np.ndarray) -> np.ndarray:
        points = np.asarray(points, np.float32)
        if points.ndim != 2 or points.shape[1] != 3 or not np.isfinite(points).all():
            raise UserError(f"points {points.shape}: give an array (N, 3) of finite numbers")
        return encoded.frame.to_model(points).astype(np.float32)

    def _blocks(self, encoded: Encoded, points: np.ndarray) -> collections.abc.Iterator[np.ndarray]:
        """(N, 3) object-frame points -> blocks of model-frame points whose point terms are kept."""
        model = self._to_model(encoded, points)
        return (model[first : first + BLOCK] for first in range(0, len(model), BLOCK))
