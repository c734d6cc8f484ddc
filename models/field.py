"""The field of an image, asked at any points: the network's own result by a shorter way.

The layers as trained (models/network.py) are the reference; everything here is equal to them up to rounding:
- the image is encoded once; the product of the global feature with a layer is one vector per image;
- batch normalisation at inference is a scale and a shift, which go into the layer before it;
- reading a map and resizing it are linear in its channels, so they commute with the linear layer after them: every map is
  multiplied by its part of that layer first, then all are resized to one size and added, and a point reads one map. Maps
  that are read as they are have sizes that halve from block to block, so that the first one's grid has the corners of all
  the others and the interpolation stays what it was;
- colour is asked only where somebody wants it.
"""

import numpy as np
import tensorflow as tf

from models.local_features import project, resize_bilinear
from utils import frames

CHUNK = 8192  # points decoded at once: their activations stay within some 30 MB at full size


class FieldQuery:
    """Asks a network for geometry and colour of object-frame points; encodes an image once.

    geometry is g0 of the txt files: logit of class 1 minus class 0, or the signed distance in object-frame length.
    The weights are those that the network had when the query was made.
    """

    def __init__(self, network):
        self.network, self.config = network, network.config
        config = network.config
        self.map_size = (config.img_h, config.img_w) if config.resized_reading else (config.encoder_size,) * 2
        self.streams = [FoldedStream(stream) for stream in (network.global_stream, network.local_stream)]
        self._encode = tf.function(self._encode_image)
        self._geometry = tf.function(self._decode_geometry, reduce_retracing=True)
        self._colour = tf.function(self._decode_colour, reduce_retracing=True)
        self._gradient = tf.function(self._slope, reduce_retracing=True)

    def encode(self, image, trans_mat):
        """(H, W, 3 or 4) float image in [0, 1], (4, 3) object-frame camera -> what the other methods take."""
        camera = frames.model_camera(trans_mat, self.config.binary)
        return *self._encode(tf.constant(image[None], tf.float32)), tf.constant(camera[None], tf.float32)

    def geometry(self, encoded, points):
        """(N, 3) object-frame points -> (N,) g0."""
        raw = self._in_chunks(self._geometry, encoded, points)
        # the network predicts 10 x the distance in the model frame 2 p
        return raw[:, 1] - raw[:, 0] if self.config.binary else raw[:, 0] / 20

    def colour(self, encoded, points):
        """(N, 3) object-frame points -> (N, 3) colours in [0, 1]."""
        if not len(points):
            return np.zeros((0, 3), np.float32)
        return self._in_chunks(self._colour, encoded, points).clip(0, 1)

    def normals(self, encoded, points):
        """(N, 3) object-frame points -> (N, 3) unit normals of the level sets through them, outward; 0 where the field is flat."""
        slope = self._in_chunks(self._gradient, encoded, points)
        outward = -slope if self.config.binary else slope
        return outward / np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-20)

    def occupied(self, geometry, iso):
        """(N,) g0 -> (N,) bool: occupied (g0 > iso), or inside (distance < iso)."""
        return geometry > iso if self.config.binary else geometry < iso

    def _in_chunks(self, function, encoded, points):
        points = frames.to_model(np.asarray(points, np.float32), self.config.binary).astype(np.float32)
        chunks = (tf.constant(points[start : start + CHUNK]) for start in range(0, len(points), CHUNK))
        return np.concatenate([function(chunk, *encoded).numpy() for chunk in chunks])

    def _encode_image(self, images):
        """-> two dicts of what an image gives to the first layers of geometry and colour: global (F,), local (h w, F)."""
        global_feature, maps = self.network.encode(images)
        encoded = []
        for name in ("geometry", "colour"):
            global_part, local_part = (stream.feature[name] for stream in self.streams)
            vector = tf.matmul(tf.cast(global_feature, global_part.dtype), global_part)[0]
            encoded.append({"global": vector, "local": self._joined_map(maps, local_part)})
        return encoded

    def _joined_map(self, maps, kernel):
        """Five maps (1, h, w, c), kernel (sum of c, F) -> (map_size, flat, F)."""
        total, first = 0.0, 0
        for feature_map in maps:
            channels = feature_map.shape[-1]
            part = kernel[first : first + channels][None, None]
            first += channels
            if feature_map.shape[1] > self.map_size[0]:  # the smaller one is multiplied
                total += tf.nn.conv2d(resize_bilinear(feature_map, *self.map_size), part, 1, "VALID")
            else:
                total += resize_bilinear(tf.nn.conv2d(feature_map, part, 1, "VALID"), *self.map_size)
        return tf.reshape(total, (-1, kernel.shape[1]))

    def _read(self, flat, points, camera):
        """(h w, F) map of map_size, (N, 3) model-frame points -> (N, F): bilinear, at the points' pixels."""
        (height, width), image = self.map_size, (self.config.img_h, self.config.img_w)
        uv = project(points[None], camera, *image)[0] * [width / image[1], height / image[0]]
        uv = tf.minimum(uv, [width - 1.0, height - 1.0])
        low = tf.floor(uv)
        fx, fy = tf.split(tf.cast(uv - low, flat.dtype), 2, axis=-1)
        x0, y0 = tf.unstack(tf.cast(low, tf.int32), axis=-1)
        x1, y1 = tf.minimum(x0 + 1, width - 1), tf.minimum(y0 + 1, height - 1)

        def texel(x, y):
            return tf.gather(flat, y * width + x)

        top = texel(x0, y0) * (1 - fx) + texel(x1, y0) * fx
        bottom = texel(x0, y1) * (1 - fx) + texel(x1, y1) * fx
        return top * (1 - fy) + bottom * fy

    def _decode_geometry(self, points, for_geometry, for_colour, camera):
        """(N, 3) model-frame points -> raw geometry (N, 2 or 1)."""
        features = for_geometry["global"], self._read(for_geometry["local"], points, camera)
        return tf.add_n([s.geometry(s.point(points), feature) for s, feature in zip(self.streams, features, strict=True)])

    def _slope(self, points, *encoded):
        """(N, 3) model-frame points -> (N, 3) gradient of g0, up to a positive factor."""
        with tf.GradientTape() as tape:
            tape.watch(points)
            raw = self._decode_geometry(points, *encoded)
            value = raw[:, 1] - raw[:, 0] if self.config.binary else raw[:, 0]
        return tape.gradient(value, points)

    def _decode_colour(self, points, for_geometry, for_colour, camera):
        """(N, 3) model-frame points -> colour (N, 3), the sum of two values in [0, 1]."""
        shapes = for_geometry["global"], self._read(for_geometry["local"], points, camera)
        paints = for_colour["global"], self._read(for_colour["local"], points, camera)
        total = 0.0
        for stream, shape, paint in zip(self.streams, shapes, paints, strict=True):
            p = stream.point(points)
            total += stream.colour(stream.geometry(p, shape), p, paint)
        return total


class FoldedStream:
    """The weights of a decoder stream (models/decoder.py) with its normalisation folded in, and what they compute.

    feature: {"geometry", "colour"}: the kernels (F', F) that an image's feature is multiplied by before it comes here.
    """

    def __init__(self, stream):
        self.dtype = stream.compute_dtype
        self.scale = stream.scale
        self.fold1 = [folded([layer], norm) for layer, norm in stream.fold1]
        self.geometry_first = folded([stream.geometry_point, stream.geometry_feature], stream.geometry_norm)
        self.geometry_hidden = folded([stream.geometry_hidden], stream.geometry_hidden_norm)
        self.geometry_out = folded([stream.geometry_out], None)
        self.colour_first = folded([stream.colour_point, stream.colour_feature, stream.colour_geometry], stream.colour_norm)
        self.colour_hidden = folded([stream.colour_hidden], stream.colour_hidden_norm)
        self.colour_out = folded([stream.colour_out], None)
        self.feature = {"geometry": self.geometry_first[1], "colour": self.colour_first[1]}

    def point(self, points):
        """(N, 3) model-frame points -> what both decoders take of a point."""
        p = points * self.scale
        for kernel, bias in self.fold1:
            p = tf.nn.relu(tf.nn.bias_add(tf.matmul(tf.cast(p, kernel.dtype), kernel), bias))
        return tf.cast(p, self.dtype)

    def geometry(self, p, feature):
        """p, feature (F,) or (N, F), multiplied already -> raw geometry (N, 2 or 1) float32."""
        kernel, _, bias = self.geometry_first
        g = tf.nn.relu(tf.nn.bias_add(tf.matmul(p, kernel), bias) + feature)
        kernel, bias = self.geometry_hidden
        g = tf.nn.relu(tf.nn.bias_add(tf.matmul(g, kernel), bias))
        kernel, bias = self.geometry_out
        return tf.matmul(tf.cast(g, tf.float32), kernel) + bias

    def colour(self, geometry, p, feature):
        """Raw geometry, p, feature (F,) or (N, F), multiplied already -> colour (N, 3) in [0, 1]."""
        kernel, _, of_geometry, bias = self.colour_first
        c = tf.nn.bias_add(tf.matmul(p, kernel), bias) + feature + tf.matmul(tf.cast(geometry, self.dtype), of_geometry)
        kernel, bias = self.colour_hidden
        c = tf.nn.relu(tf.nn.bias_add(tf.matmul(tf.nn.relu(c), kernel), bias))
        kernel, bias = self.colour_out
        return tf.sigmoid(tf.matmul(tf.cast(c, tf.float32), kernel) + bias)


def folded(layers, norm):
    """Dense layers whose results are added, then normalised -> their kernels and the one bias, normalisation included."""
    dtype = layers[0].compute_dtype
    kernels = [tf.convert_to_tensor(layer.kernel) for layer in layers]
    bias = tf.convert_to_tensor(layers[0].bias)
    if norm is not None:
        scale = norm.gamma / tf.sqrt(norm.moving_variance + norm.epsilon)
        kernels = [kernel * scale for kernel in kernels]
        bias = (bias - norm.moving_mean) * scale + norm.beta
    return *(tf.cast(kernel, dtype) for kernel in kernels), tf.cast(bias, dtype)
