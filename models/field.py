"""The field of an image, asked at any points: the network's own result by a shorter way.

The layers as trained (models/network.py) are the reference; everything here is equal to them up to rounding:
- the image is encoded once; the product of the global feature with a layer is one vector per image;
- batch normalisation at inference is a scale and a shift, which go into the layer before it (models/folded_stream.py);
- reading a map and resizing it are linear in its channels, so they commute with the linear layer after them: every map is
  multiplied by its part of that layer first, then all are resized to one size and added, and a point reads one map. Maps
  that are read as they are have sizes that halve from block to block, so that the first one's grid has the corners of all
  the others and the interpolation stays what it was;
- colour is asked only where somebody wants it.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from models.folded_stream import FoldedStream
from models.local_features import project, resize_bilinear, scale_to_map, to_camera_axes
from models.voxel_decoder import read_grid
from utils import frames
from utils.memory import available

GREY = 0.5  # stands for a colour that the network does not predict
CACHED, ON_GPU = 1 << 26, 1 << 29  # bytes of a chunk's activations: what stays near a CPU's cores, what keeps a GPU busy
PART = 1 / 8  # of the memory that is there, at most


@dataclasses.dataclass(frozen=True)
class Encoded:
    """An image and its camera as the decoders take them."""

    products: list  # of the image features with the layers that take them, see FieldQuery._multiply; with threedcnn the grid
    camera: tf.Tensor  # (1, 4, 3) model frame to pixels
    frame: frames.ModelFrame


class FieldQuery:
    """Asks a network for geometry and colour of object-frame points; encodes an image once.

    geometry is g0 of the txt files: logit of class 1 minus class 0, or the signed distance in object-frame length.
    The weights are those that the network had when the query was made.
    """

    def __init__(self, network):
        self.network, self.config = network, network.config
        config = network.config
        self.map_size = (config.img_h, config.img_w) if config.resized_reading else (config.encoder_size,) * 2
        self.streams = [] if config.threedcnn else [(FoldedStream(stream), parts) for stream, parts in network.decoders()]
        self.chunk = chunk_size(config)
        self._encode = tf.function(self._encode_images, reduce_retracing=True)
        self._geometry = tf.function(self._decode_geometry, reduce_retracing=True)
        self._terms = tf.function(self._point_terms, reduce_retracing=True)
        self._finish = tf.function(self._decode_terms, reduce_retracing=True)
        self._colour = tf.function(self._decode_colour, reduce_retracing=True)

    def encode(self, image, trans_mat, frame=None):
        """(H, W, 3 or 4) float image in [0, 1], (4, 3) object-frame camera -> Encoded, which the other methods take.

        frame: the frames.ModelFrame of the object (data.samples.object_frame); default: the one all objects share.
        """
        return self.encode_views([image], [trans_mat], frame)[0]

    def encode_views(self, images, trans_mats, frame=None):
        """encode() for several images of one object in one pass -> list of Encoded."""
        frame = frame or frames.cube_frame(self.config.binary)
        products = self._encode(tf.constant(np.stack(images), tf.float32))
        cameras = [tf.constant(frame.camera(matrix)[None], tf.float32) for matrix in trans_mats]
        return [Encoded(*pair, frame) for pair in zip(products, cameras, strict=True)]

    def geometry(self, encoded, points):
        """(N, 3) object-frame points -> (N,) g0."""
        return self.g0(self._in_chunks(self._geometry, encoded, self._to_model(encoded, points)), encoded.frame)

    def geometry_of_views(self, views, points):
        """Encoded of V views of one object, (N, 3) object-frame points -> (V, N) g0. What depends on the points alone is done once."""
        if self.config.threedcnn or self.config.rot or len(views) == 1:  # rot: the points are turned with each view's camera
            return np.stack([self.geometry(view, points) for view in views])
        found = [[] for _ in views]
        for chunk in self._chunks(self._to_model(views[0], points)):
            terms = self._terms(chunk)
            for view, parts in zip(views, found, strict=True):
                parts.append(self._finish(chunk, terms, view.products, view.camera).numpy())
        return np.stack([self.g0(np.concatenate(parts), view.frame) for view, parts in zip(views, found, strict=True)])

    def g0(self, raw, frame):
        """(N, 2 or 1) output of the network -> (N,) g0."""
        if self.config.binary:
            return raw[:, 1] - raw[:, 0]
        # the network predicts 10 x (the distance in the model frame - distance_offset)
        return (raw[:, 0] / 10 + self.config.distance_offset) / frame.scale

    def raw(self, encoded, model_points):
        """(N, 3) model-frame points -> the network's own output: geometry (N, 2 or 1), colour (N, 3) not clipped, or None."""
        geometry = self._in_chunks(self._geometry, encoded, model_points)
        return geometry, self._in_chunks(self._colour, encoded, model_points) if self.config.colour else None

    def colour(self, encoded, points):
        """(N, 3) object-frame points -> (N, 3) colours in [0, 1]; GREY from a network without a colour branch."""
        if not len(points) or not self.config.colour:
            return np.full((len(points), 3), GREY, np.float32)
        return self._in_chunks(self._colour, encoded, self._to_model(encoded, points)).clip(0, 1)

    def occupied(self, geometry, iso):
        """(N,) g0 -> (N,) bool: occupied (g0 > iso), or inside (distance < iso)."""
        return geometry > iso if self.config.binary else geometry < iso

    @staticmethod
    def _to_model(encoded, points):
        return encoded.frame.to_model(np.asarray(points, np.float32))

    def _chunks(self, model_points):
        points = np.asarray(model_points, np.float32)
        return (tf.constant(points[start : start + self.chunk]) for start in range(0, len(points), self.chunk))

    def _in_chunks(self, function, encoded, model_points):
        parts = [function(chunk, encoded.products, encoded.camera) for chunk in self._chunks(model_points)]
        return np.concatenate([part.numpy() for part in parts])

    def _encode_images(self, images):
        """(V, h, w, c) -> per image, per stream {"geometry", "colour"}: (vector (F,), map (1, h', w', F)), None what is not there;
        with threedcnn the grids."""
        encoded = self.network.encode(images)
        if self.config.threedcnn:
            return tf.split(encoded, images.shape[0])
        products = [self._multiply(stream, parts, *encoded) for stream, parts in self.streams]
        return [
            [{name: (vector if vector is None else vector[i], whole if whole is None else whole[i : i + 1])
              for name, (vector, whole) in of_stream.items()} for of_stream in products]
            for i in range(images.shape[0])
        ]  # fmt: skip

    def _multiply(self, stream, parts, global_feature, maps):
        """The image features by the kernels that take them: {"geometry", "colour"} -> (vectors (V, F), maps (V, h', w', F)), float32."""
        products = {}
        for name, kernels in stream.kernels.items():
            of_part = dict(zip(parts, kernels, strict=True))
            vectors = joined = None
            if "global" in of_part:
                kernel = of_part["global"]
                vectors = tf.cast(tf.matmul(tf.cast(global_feature, kernel.dtype), kernel), tf.float32)
            if "local" in of_part:
                joined = self._joined_map(maps, of_part["local"])
            products[name] = (vectors, joined)
        return products

    def _joined_map(self, maps, kernel):
        """Maps (V, h, w, c), kernel (sum of c of the first few, F) -> (V, *map_size, F)."""
        total, first = [], 0
        for feature_map in maps:
            channels = feature_map.shape[-1]
            if first == kernel.shape[0]:
                break
            part = kernel[first : first + channels][None, None]
            first += channels
            if feature_map.shape[1] > self.map_size[0]:  # the smaller one is multiplied
                part = tf.cast(tf.nn.conv2d(resize_bilinear(feature_map, *self.map_size), part, 1, "VALID"), tf.float32)
            else:
                part = tf.raw_ops.ResizeBilinear(images=tf.nn.conv2d(feature_map, part, 1, "VALID"), size=self.map_size)
            total.append(part)
        return tf.add_n(total)

    def _reader(self, points, camera):
        """(N, 3) model-frame points -> a function: map (1, h', w', F) or None -> (N, F), read bilinearly at their pixels, or None."""
        image = self.config.img_h, self.config.img_w
        uv = scale_to_map(project(points[None], camera, *image)[0], image, self.map_size)
        height, width = self.map_size
        u, v = tf.unstack(uv / [width - 1.0, height - 1.0], axis=-1)
        # a crop of one pixel lies in the middle of its box: many times faster than gathering four texels
        boxes, first = tf.stack([v, u, v, u], -1), tf.zeros_like(u, tf.int32)

        def read(whole):
            if whole is None:
                return None
            return tf.image.crop_and_resize(whole, boxes, first, (1, 1))[:, 0, 0]

        return read

    def _turned(self, points, camera):
        """The points as the streams take them."""
        return to_camera_axes(points[None], camera)[0] if self.config.rot else points

    def _decode_geometry(self, points, products, camera):
        """(N, 3) model-frame points -> raw geometry (N, 2 or 1)."""
        if self.config.threedcnn:
            return self.network.squash(read_grid(products, points[None], self.config.binary)[0])
        read, turned, parts = self._reader(points, camera), self._turned(points, camera), []
        for (stream, _), of_stream in zip(self.streams, products, strict=True):
            vector, whole = of_stream["geometry"]
            parts.append(stream.geometry(stream.geometry_term(stream.point(turned), vector), read(whole)))
        return self.network.squash(tf.add_n(parts))

    def _point_terms(self, points):
        """(N, 3) model-frame points -> what the streams need of them for the geometry, whatever the image."""
        return [stream.geometry_term(stream.point(points)) for stream, _ in self.streams]

    def _decode_terms(self, points, terms, products, camera):
        """_decode_geometry from _point_terms."""
        read, parts = self._reader(points, camera), []
        for (stream, _), term, of_stream in zip(self.streams, terms, products, strict=True):
            vector, whole = of_stream["geometry"]
            parts.append(stream.geometry(term if vector is None else term + tf.cast(vector, term.dtype), read(whole)))
        return self.network.squash(tf.add_n(parts))

    def _decode_colour(self, points, products, camera):
        """(N, 3) model-frame points -> colour (N, 3), the sum of a value in [0, 1] per stream."""
        read, turned, colours = self._reader(points, camera), self._turned(points, camera), []
        for (stream, _), of_stream in zip(self.streams, products, strict=True):
            p, (vector, whole) = stream.point(turned), of_stream["geometry"]
            geometry = stream.geometry(stream.geometry_term(p, vector), read(whole))
            vector, whole = of_stream["colour"]
            colours.append(stream.colour(geometry, p, vector, read(whole)))
        return tf.add_n(colours)


def chunk_size(config):
    """Points decoded at once, a multiple of 256."""
    floats = 2 * (sum(config.point_widths) + 4 * sum(config.decoder_widths))
    budget = min(ON_GPU if tf.config.list_physical_devices("GPU") else CACHED, PART * available())
    return max(256, int(budget / (4 * floats)) // 256 * 256)
