"""The field of an image, asked at any points: the network's own result by a shorter way.

The layers as trained (models/networks/texdisn.py) are the reference; everything here is equal to them up to rounding:
- the image is encoded once; the product of the global feature with a layer is one vector per image;
- batch normalisation at inference is a scale and a shift, which go into the layer before it (models/inference/folded_stream.py);
- reading a map and resizing it are linear in its channels, so they commute with the linear layer after them: every map is
  multiplied by its part of that layer first, then all are resized to one size and added, and a point reads one map. Maps
  that are read as they are have sizes that halve from block to block, so that the first one's grid has the corners of all
  the others and the interpolation stays what it was;
- what depends on the points alone (fold1 and its product with the first layer) is done once for several views of an object,
  and kept for the coarse grid that every mesh begins with;
- colour is asked only where somebody wants it, together with the geometry there.
Points are decoded in chunks that stay near the cores, looped over in compiled code.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from models.inference.folded_stream import FoldedStream, product
from models.networks.local_features import project, resize_bilinear, scale_to_map, to_camera_axes
from models.networks.voxel_decoder import read_grid
from utils.geometry import frames
from utils.processes import available

GREY = 0.5  # stands for a colour that the network does not predict
BLOCK = 8192  # points whose _point_terms are kept in one piece: 34 MB at full size
KEPT = (
    40  # cells along an axis of the largest grid whose _point_terms are kept from image to image: 260 MB at full size
)
CACHED, ON_GPU = (
    1 << 25,
    1 << 29,
)  # bytes of a chunk's activations: what stays near a CPU's cores, what keeps a GPU busy
STEP = 256  # points
PART = 1 / 8  # of the memory that is there, at most


@dataclasses.dataclass(frozen=True)
class Encoded:
    """An image and its camera as the decoders take them."""

    products: (
        list  # of the image features with the layers that take them, see FieldQuery._multiply; with threedcnn the grid
    )
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
        self.streams = (
            [] if config.threedcnn else [(FoldedStream(stream), parts) for stream, parts in network.decoders()]
        )
        self.chunk = chunk_size(config)
        self._encode = tf.function(self._encode_images)  # traced for every number of images
        self._geometry = self._compiled(self._decode_geometry)
        self._terms = self._compiled(self._point_terms)
        self._finish = self._compiled(self._decode_terms)
        self._both = self._compiled(self._decode_both)
        self._grid_terms = {}  # cells along an axis -> _point_terms of the grid's centres

    def encode(self, image, trans_mat, frame=None):
        """(H, W, 3 or 4) float image in [0, 1], (4, 3) object-frame camera -> Encoded, which the other methods take.

        frame: the frames.ModelFrame of the object (data.network_input.object_frame); default: the one all objects share.
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
        raw = self._geometry(self._to_model(encoded, points), encoded.products, encoded.camera)
        return self.g0(raw.numpy(), encoded.frame)

    def geometry_of_views(self, views, points):
        """Encoded of V views of one object, (N, 3) object-frame points -> (V, N) g0. What depends on the points alone is done once."""
        if not self._has_terms or len(views) == 1:
            return np.stack([self.geometry(view, points) for view in views])
        found = [[] for _ in views]
        for block in self._blocks(views[0], points):
            terms = self._terms(block)
            for view, parts in zip(views, found, strict=True):
                parts.append(self._finish(block, view.products, view.camera, terms).numpy())
        return np.stack([self.g0(np.concatenate(parts), view.frame) for view, parts in zip(views, found, strict=True)])

    def geometry_of_grid(self, encoded, n):
        """(n^3,) g0 at frames.voxel_centres(n). On a small grid what depends on the points alone is kept for the images to come."""
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
    def _has_terms(self):
        """Whether anything depends on the points alone: with rot they are turned with the image's camera."""
        return not (self.config.threedcnn or self.config.rot)

    def g0(self, raw, frame):
        """(N, 2 or 1) output of the network -> (N,) g0."""
        if self.config.binary:
            return raw[:, 1] - raw[:, 0]
        # the network predicts 10 x (the distance in the model frame - distance_offset)
        return (raw[:, 0] / 10 + self.config.distance_offset) / frame.scale

    def raw(self, encoded, model_points):
        """(N, 3) model-frame points -> the network's own output: geometry (N, 2 or 1), colour (N, 3) not clipped, or None."""
        if not len(model_points):
            return np.zeros((0, self.config.geometry_channels), np.float32), np.zeros(
                (0, 3), np.float32
            ) if self.config.colour else None
        function = self._both if self.config.colour else self._geometry
        values = function(np.asarray(model_points, np.float32), encoded.products, encoded.camera).numpy()
        count = self.config.geometry_channels
        return values[:, :count], values[:, count:] if self.config.colour else None

    def geometry_and_colour(self, encoded, points):
        """(N, 3) object-frame points -> (N,) g0, (N, 3) colours in [0, 1]; GREY from a network without a colour branch."""
        raw, colour = self.raw(encoded, self._to_model(encoded, points))
        colour = np.full((len(points), 3), GREY, np.float32) if colour is None else colour.clip(0, 1)
        return self.g0(raw, encoded.frame), colour

    def colour(self, encoded, points):
        """(N, 3) object-frame points -> (N, 3) colours in [0, 1], as geometry_and_colour."""
        return self.geometry_and_colour(encoded, points)[1]

    def occupied(self, geometry, iso):
        """(N,) g0 -> (N,) bool: occupied (g0 > iso), or inside (distance < iso)."""
        return geometry > iso if self.config.binary else geometry < iso

    @staticmethod
    def _to_model(encoded, points):
        return encoded.frame.to_model(np.asarray(points, np.float32)).astype(np.float32)

    def _blocks(self, encoded, points):
        """(N, 3) object-frame points -> parts of them, whose _point_terms are kept, in the model frame."""
        model = self._to_model(encoded, points)
        return (model[first : first + BLOCK] for first in range(0, len(model), BLOCK))

    def _compiled(self, function):
        """function(points (N, 3), *of the image[, list of (N, F)]) -> (N, C) or list of such; compiled, and called chunk by chunk in
        the compiled code."""

        def whole(points, products, camera, terms):
            count = tf.shape(points)[0]
            if not terms:  # few different sizes of the last chunk: oneDNN prepares every operation for every size
                points = tf.pad(points, [[0, -count % STEP], [0, 0]])
            example = function(points[:1], products, camera, [term[:1] for term in terms])
            outputs = tf.nest.flatten(example)

            def step(i, parts):
                part = slice(i * self.chunk, (i + 1) * self.chunk)
                found = tf.nest.flatten(function(points[part], products, camera, [term[part] for term in terms]))
                return i + 1, [array.write(i, value) for array, value in zip(parts, found, strict=True)]

            chunks = (tf.shape(points)[0] + self.chunk - 1) // self.chunk
            arrays = [
                tf.TensorArray(x.dtype, chunks, infer_shape=False, element_shape=(None, x.shape[1])) for x in outputs
            ]
            # two at a time: what one core does alone in one of them hides behind the other
            _, arrays = tf.while_loop(lambda i, _: i < chunks, step, (0, arrays), parallel_iterations=2)
            return tf.nest.pack_sequence_as(example, [array.concat()[:count] for array in arrays])

        compiled, traced = tf.function(whole), []

        def call(points, products=None, camera=None, terms=()):
            if not traced:  # once, for any number of points
                several = [tf.TensorSpec((None, term.shape[1]), term.dtype) for term in terms]
                traced.append(
                    compiled.get_concrete_function(tf.TensorSpec((None, 3), tf.float32), products, camera, several)
                )
            return compiled(points, products, camera, list(terms))

        return call

    def _encode_images(self, images):
        """(V, h, w, c) -> per image, per stream {"geometry", "colour"}: a vector (F,) or a map (1, h', w', F); with threedcnn the grids."""
        encoded = self.network.encode(images)
        if self.config.threedcnn:
            return tf.split(encoded, images.shape[0])
        products = [self._multiply(stream, parts, *encoded) for stream, parts in self.streams]
        return [
            [
                {name: x[i] if x.shape.rank == 2 else x[i : i + 1] for name, x in of_stream.items()}
                for of_stream in products
            ]
            for i in range(images.shape[0])
        ]

    def _multiply(self, stream, parts, global_feature, maps):
        """The image features by the kernels that take them, and the bias: {"geometry", "colour"} -> (V, F) or (V, h', w', F), float32.

        Weights of a bilinear reading add up to 1: what is added to a map is added to what is read.
        """
        products = {}
        for name, (bias, kernels) in stream.kernels.items():
            of_part, result = dict(zip(parts, kernels, strict=True)), bias[None]
            if "global" in of_part:
                result += tf.cast(product(global_feature, of_part["global"]), tf.float32)
            if "local" in of_part:
                result = self._joined_map(maps, of_part["local"]) + result[:, None, None]
            products[name] = result
        return products

    def _joined_map(self, maps, kernel):
        """Maps (V, h, w, c), kernel (sum of c of the first few, F) -> (V, *map_size, F)."""
        total, first = None, 0
        for feature_map in maps:
            channels = feature_map.shape[-1]
            if first == kernel.shape[0]:
                break
            if total is not None:  # one after the other: at full size each takes 40 MB
                with tf.control_dependencies([total]):
                    feature_map = tf.identity(feature_map)
            part = kernel[first : first + channels][None, None]
            first += channels
            if feature_map.shape[1] > self.map_size[0]:  # the smaller one is multiplied
                part = tf.cast(tf.nn.conv2d(resize_bilinear(feature_map, *self.map_size), part, 1, "VALID"), tf.float32)
            else:
                part = tf.raw_ops.ResizeBilinear(images=tf.nn.conv2d(feature_map, part, 1, "VALID"), size=self.map_size)
            total = part if total is None else total + part
        return total

    def _reader(self, points, camera):
        """(N, 3) model-frame points -> a function: vector -> the same; map (1, h', w', F) -> (N, F), read bilinearly at their pixels."""
        image = self.config.img_h, self.config.img_w
        uv = scale_to_map(project(points[None], camera, *image)[0], image, self.map_size)
        height, width = self.map_size
        u, v = tf.unstack(uv / [width - 1.0, height - 1.0], axis=-1)
        # a crop of one pixel lies in the middle of its box: many times faster than gathering four texels
        boxes, first = tf.stack([v, u, v, u], -1), tf.zeros_like(u, tf.int32)

        def read(x):
            return x if x.shape.rank == 1 else tf.image.crop_and_resize(x, boxes, first, (1, 1))[:, 0, 0]

        return read

    def _turned(self, points, camera):
        """The points as the streams take them."""
        return to_camera_axes(points[None], camera)[0] if self.config.rot else points

    def _decode_geometry(self, points, products, camera, _):
        """(N, 3) model-frame points -> raw geometry (N, 2 or 1)."""
        if self.config.threedcnn:
            return self.network.squash(read_grid(products, points[None], self.config.binary)[0])
        return self._decode_terms(points, products, camera, self._point_terms(self._turned(points, camera)))

    def _point_terms(self, points, *_):
        """(N, 3) model-frame points -> what the streams need of them for the geometry, whatever the image."""
        return [stream.geometry_term(stream.point(points)) for stream, _ in self.streams]

    def _decode_terms(self, points, products, camera, terms):
        """_decode_geometry, given _point_terms."""
        read, parts = self._reader(points, camera), []
        for (stream, _), term, of_stream in zip(self.streams, terms, products, strict=True):
            parts.append(stream.geometry(term, read(of_stream["geometry"])))
        return self.network.squash(tf.add_n(parts))

    def _decode_both(self, points, products, camera, _):
        """(N, 3) model-frame points -> (N, 2 + 3 or 1 + 3): raw geometry, and colour, the sum of a value in [0, 1] per stream."""
        read, turned, geometries, colours = self._reader(points, camera), self._turned(points, camera), [], []
        for (stream, _), of_stream in zip(self.streams, products, strict=True):
            p = stream.point(turned)
            geometries.append(stream.geometry(stream.geometry_term(p), read(of_stream["geometry"])))
            colours.append(stream.colour(geometries[-1], p, read(of_stream["colour"])))
        return tf.concat([self.network.squash(tf.add_n(geometries)), tf.add_n(colours)], -1)


def chunk_size(config):
    """Points decoded at once, a multiple of STEP."""
    numbers = 2 * (sum(config.point_widths) + 4 * sum(config.decoder_widths))
    budget = min(ON_GPU if tf.config.list_physical_devices("GPU") else CACHED, PART * available())
    return max(STEP, int(budget / ((2 if config.bfloat16 else 4) * numbers)) // STEP * STEP)
