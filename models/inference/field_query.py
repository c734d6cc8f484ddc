"""Queries of the field of an image: the network's own values at any points, computed a shorter way.

The layers as trained (models/networks/texdisn.py) are the reference. Everything here equals them up
to rounding:
- the image is encoded once; its products with the decoders' layers are made once (image_terms.py);
- batch normalisation at inference is a scale and a shift, folded into the layer before it
  (folded_stream.py); the residual decoder has a short form of its own (folded_residual.py);
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
from models.inference.folded_residual import FoldedResidual
from models.inference.folded_stream import FoldedStream
from models.inference.image_terms import image_terms, read_map
from models.networks.local_features import project, scale_to_map, to_camera_axes
from models.networks.texdisn import TexDISN
from utils.geometry import frames

GREY = 0.5  # stands for a colour that the network does not predict
BLOCK = 8192  # points whose point terms are kept in one piece: 34 MB at full size
KEPT = 40  # cells along an axis of the largest grid that is kept, with its point terms: 260 MB at full size


@dataclasses.dataclass(frozen=True)
class Encoded:
    """An image and its camera as the decoders take them."""

    products: typing.Any  # image terms, of every stream or of the residual decoder; else what the decoder takes
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
        config = network.config
        self.map_size = (config.img_h, config.img_w) if config.resized_reading else (config.encoder_size,) * 2
        self.streams = [(FoldedStream(stream), stream.parts) for stream in network.streams]
        self.residual = FoldedResidual(network.decoder) if config.decoder == "residual" else None
        self.chunk = chunk_size(config)
        self._encode = tf.function(self._encode_images, autograph=False)  # traced for every number of images
        self._geometry = in_chunks(self._decode_geometry, self.chunk)
        self._terms = in_chunks(self._point_terms, self.chunk)
        self._finish = in_chunks(self._decode_terms, self.chunk)
        self._both = in_chunks(self._decode_both, self.chunk)
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
        products = self._encode(tf.constant(np.stack(images), tf.float32))
        cameras = [tf.constant(frame.camera(matrix)[None], tf.float32) for matrix in trans_mats]
        return [Encoded(*pair, frame) for pair in zip(products, cameras, strict=True)]

    def geometry(self, encoded: Encoded, points: np.ndarray) -> np.ndarray:
        """(N, 3) object-frame points -> (N,) g0."""
        raw = self._geometry(self._to_model(encoded, points), encoded.products, encoded.camera)
        return self.g0(raw.numpy(), encoded.frame)

    def geometry_of_views(self, views: list[Encoded], points: np.ndarray) -> np.ndarray:
        """V views of one object, (N, 3) object-frame points -> (V, N) g0."""
        if not self._has_terms or len(views) == 1:
            return np.stack([self.geometry(view, points) for view in views])
        raw: list[list[np.ndarray]] = [[] for _ in views]
        for block in self._blocks(views[0], points):
            terms = self._terms(block)
            for view, values in zip(views, raw, strict=True):
                values.append(self._finish(block, view.products, view.camera, terms).numpy())
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
        if n > KEPT or not self._has_terms or encoded.frame != frames.cube_frame(self.config.binary):
            return self.geometry(encoded, points)
        blocks = list(self._blocks(encoded, points))
        if n not in self._grid_terms:
            self._grid_terms[n] = [self._terms(block) for block in blocks]
        pairs = zip(blocks, self._grid_terms[n], strict=True)
        raw = [self._finish(block, encoded.products, encoded.camera, terms).numpy() for block, terms in pairs]
        return self.g0(np.concatenate(raw), encoded.frame)

    @property
    def _has_terms(self) -> bool:
        """Whether anything depends on the points alone: with rot the image's camera turns them."""
        return bool(self.streams) and not self.config.rot

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
        values = function(np.asarray(model_points, np.float32), encoded.products, encoded.camera).numpy()
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
        return encoded.frame.to_model(np.asarray(points, np.float32)).astype(np.float32)

    def _blocks(self, encoded: Encoded, points: np.ndarray) -> collections.abc.Iterator[np.ndarray]:
        """(N, 3) object-frame points -> blocks of model-frame points whose point terms are kept."""
        model = self._to_model(encoded, points)
        return (model[first : first + BLOCK] for first in range(0, len(model), BLOCK))

    def _encode_images(self, images):
        """(V, h, w, c) -> per image its terms, by stream: vectors (F,) and maps (1, h', w', F)."""
        count = images.shape[0]
        if self.residual:
            terms = self.residual.image_terms(*self.network.encoder(images))
        elif self.streams:
            encoded = self.network.encode(images)
            terms = [image_terms(stream, parts, *encoded, self.map_size) for stream, parts in self.streams]
        else:
            encoded = self.network.encode(images)
            return [tf.nest.map_structure(lambda x, i=i: x[i : i + 1], encoded) for i in range(count)]

        def of_image(i):
            return tf.nest.map_structure(lambda x: x[i] if x.shape.rank == 2 else x[i : i + 1], terms)

        return [of_image(i) for i in range(count)]

    def _reader(self, points, camera):
        """(N, 3) model-frame points -> a function that reads an image term at their pixels.

        It gives a vector back as it is, and of a map (1, h', w', F) the values (N, F), read
        bilinearly.
        """
        image = self.config.img_h, self.config.img_w
        uv = scale_to_map(project(points[None], camera, *image)[0], image, self.map_size)

        def read(x):
            return x if x.shape.rank == 1 else read_map(x, uv)

        return read

    def _turned(self, points, camera):
        """The points as the streams take them."""
        return to_camera_axes(points[None], camera)[0] if self.config.rot else points

    def _decode_geometry(self, points, products, camera, _):
        """(N, 3) model-frame points -> raw geometry (N, 2 or 1)."""
        if self.residual:
            return self.network.squash(self.residual.geometry(self.residual.hidden(points, camera, products)))
        if not self.streams:
            return self.network.geometry(products, points[None], camera)[0]
        return self._decode_terms(points, products, camera, self._point_terms(self._turned(points, camera)))

    def _point_terms(self, points, *_):
        """(N, 3) model-frame points -> what the streams need of them for any image's geometry."""
        return [stream.geometry_term(stream.point(points)) for stream, _ in self.streams]

    def _decode_terms(self, points, products, camera, terms):
        """_decode_geometry, given _point_terms."""
        read, parts = self._reader(points, camera), []
        for (stream, _), term, image_term in zip(self.streams, terms, products, strict=True):
            parts.append(stream.geometry(term, read(image_term["geometry"])))
        return self.network.squash(tf.add_n(parts))

    def _decode_both(self, points, products, camera, _):
        """(N, 3) model-frame points -> (N, 2 + 3 or 1 + 3): raw geometry, and the sum of the
        colours.
        """
        if self.residual:
            hidden = self.residual.hidden(points, camera, products)
            geometry = self.network.squash(self.residual.geometry(hidden))
            return tf.concat([geometry, self.residual.colour(hidden)], -1)
        if not self.streams:
            return tf.concat([values[0] for values in self.network.decode(products, points[None], camera)], -1)
        read, turned, geometries, colours = self._reader(points, camera), self._turned(points, camera), [], []
        for (stream, _), image_term in zip(self.streams, products, strict=True):
            p = stream.point(turned)
            geometries.append(stream.geometry(stream.geometry_term(p), read(image_term["geometry"])))
            colours.append(stream.colour(geometries[-1], p, read(image_term["colour"])))
        return tf.concat([self.network.squash(tf.add_n(geometries)), tf.add_n(colours)], -1)
