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

import numpy as np
import tensorflow as tf

from models.folded_stream import FoldedStream, product
from models.local_features import bilinear_corners, project, resize_bilinear, scale_to_map, to_camera_axes
from models.voxel_decoder import read_grid
from utils import frames

CHUNK = 8192  # points decoded at once: their activations stay within some 30 MB at full size
GREY = 0.5  # stands for a colour that the network does not predict


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
        self._encode = tf.function(self._encode_image)
        self._geometry = tf.function(self._decode_geometry, reduce_retracing=True)
        self._colour = tf.function(self._decode_colour, reduce_retracing=True)
        self._gradient = tf.function(self._slope, reduce_retracing=True)

    def encode(self, image, trans_mat, frame=None):
        """(H, W, 3 or 4) float image in [0, 1], (4, 3) object-frame camera -> what the other methods take.

        frame: the frames.ModelFrame of the object (data.samples.object_frame); default: the one all objects share.
        """
        frame = frame or frames.cube_frame(self.config.binary)
        camera = tf.constant(frame.camera(trans_mat)[None], tf.float32)
        return self._encode(tf.constant(image[None], tf.float32)), camera, frame

    def geometry(self, encoded, points):
        """(N, 3) object-frame points -> (N,) g0."""
        return self.g0(self._in_chunks(self._geometry, encoded, self._to_model(encoded, points)), encoded[2])

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

    def normals(self, encoded, points):
        """(N, 3) object-frame points -> (N, 3) unit normals of the level sets through them, outward; 0 where the field is flat."""
        slope = self._in_chunks(self._gradient, encoded, self._to_model(encoded, points))
        outward = -slope if self.config.binary else slope
        return outward / np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-20)

    def occupied(self, geometry, iso):
        """(N,) g0 -> (N,) bool: occupied (g0 > iso), or inside (distance < iso)."""
        return geometry > iso if self.config.binary else geometry < iso

    @staticmethod
    def _to_model(encoded, points):
        return encoded[2].to_model(np.asarray(points, np.float32))

    @staticmethod
    def _in_chunks(function, encoded, model_points):
        image, camera, _ = encoded
        points = np.asarray(model_points, np.float32)
        chunks = (tf.constant(points[start : start + CHUNK]) for start in range(0, len(points), CHUNK))
        return np.concatenate([function(chunk, image, camera).numpy() for chunk in chunks])

    def _encode_image(self, images):
        """-> per stream {"geometry", "colour"}: (what the global feature adds (F,), the map that is read (h w, F), or 0.0);
        with threedcnn the grid."""
        encoded = self.network.encode(images)
        if self.config.threedcnn:
            return encoded
        global_feature, maps = encoded
        result = []
        for stream, parts in self.streams:
            products = {}
            for name, kernels in stream.kernels.items():
                of_part = dict(zip(parts, kernels, strict=True))
                vector = feature_map = None
                if "global" in of_part:
                    vector = product(global_feature, of_part["global"])[0]
                if "local" in of_part:
                    feature_map = self._joined_map(maps, of_part["local"])
                products[name] = (vector, feature_map)
            result.append(products)
        return result

    def _joined_map(self, maps, kernel):
        """Maps (1, h, w, c), kernel (sum of c of the first few, F) -> (map_size, flat, F)."""
        total, first = 0.0, 0
        for feature_map in maps:
            channels = feature_map.shape[-1]
            if first == kernel.shape[0]:
                break
            part = kernel[first : first + channels][None, None]
            first += channels
            if feature_map.shape[1] > self.map_size[0]:  # the smaller one is multiplied
                part = tf.nn.conv2d(resize_bilinear(feature_map, *self.map_size), part, 1, "VALID")
            else:
                part = tf.raw_ops.ResizeBilinear(images=tf.nn.conv2d(feature_map, part, 1, "VALID"), size=self.map_size)
            total += tf.cast(part, tf.float32)
        return tf.cast(tf.reshape(total, (-1, kernel.shape[1])), kernel.dtype)

    def _corners(self, points, camera):
        """(N, 3) model-frame points -> four (index into a flat map (N,), weight (N, 1)) for bilinear reading at their pixels."""
        image = self.config.img_h, self.config.img_w
        uv = scale_to_map(project(points[None], camera, *image)[0], image, self.map_size)
        corners, weights = bilinear_corners(uv, *self.map_size, tf.float32)
        return list(zip(tf.unstack(corners, axis=-1), tf.split(weights, 4, axis=-1), strict=True))

    @staticmethod
    def _feature(products, corners):
        """What the image adds at the points: (F,) or (N, F)."""
        vector, feature_map = products
        if feature_map is None:
            return vector
        read = tf.add_n([tf.gather(feature_map, index) * tf.cast(weight, feature_map.dtype) for index, weight in corners])
        read = tf.cast(read, tf.float32)
        return read if vector is None else read + vector

    def _stream_inputs(self, points, camera):
        """The points as the streams take them, and where they read the maps."""
        turned = to_camera_axes(points[None], camera)[0] if self.config.rot else points
        return turned, self._corners(points, camera)

    def _decode_geometry(self, points, image, camera):
        """(N, 3) model-frame points -> raw geometry (N, 2 or 1)."""
        if self.config.threedcnn:
            return self.network.squash(read_grid(image, points[None], self.config.binary)[0])
        turned, corners = self._stream_inputs(points, camera)
        pairs = zip(self.streams, image, strict=True)
        parts = [s.geometry(s.point(turned), self._feature(products["geometry"], corners)) for (s, _), products in pairs]
        return self.network.squash(tf.add_n(parts))

    def _decode_colour(self, points, image, camera):
        """(N, 3) model-frame points -> colour (N, 3), the sum of a value in [0, 1] per stream."""
        turned, corners = self._stream_inputs(points, camera)
        colours = []
        for (stream, _), products in zip(self.streams, image, strict=True):
            p = stream.point(turned)
            geometry = stream.geometry(p, self._feature(products["geometry"], corners))
            colours.append(stream.colour(geometry, p, self._feature(products["colour"], corners)))
        return tf.add_n(colours)

    def _slope(self, points, image, camera):
        """(N, 3) model-frame points -> (N, 3) gradient of g0, up to a positive factor."""
        with tf.GradientTape() as tape:
            tape.watch(points)
            raw = self._decode_geometry(points, image, camera)
            value = raw[:, 1] - raw[:, 0] if self.config.binary else raw[:, 0]
        return tape.gradient(value, points)
