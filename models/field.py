"""The field of an image, asked on a grid: geometry everywhere, colour where there is something to colour."""

import numpy as np
import tensorflow as tf

from utils import frames

CHUNK = 16384  # points decoded at once: their activations stay within some 100 MB at full size


class FieldQuery:
    """Asks a network for geometry and colour of object-frame points; encodes an image once.

    geometry is g0 of the txt files: logit of class 1 minus class 0, or the signed distance in object-frame length.
    """

    def __init__(self, network):
        self.network, self.config = network, network.config
        self._encode = tf.function(network.encode)
        self._geometry = tf.function(lambda e, p, t: network.geometry(e, p, t), reduce_retracing=True)
        self._decode = tf.function(lambda e, p, t: network.decode(e, p, t), reduce_retracing=True)

    def encode(self, image, trans_mat):
        """(H, W, 3 or 4) float image in [0, 1], (4, 3) object-frame camera -> what the other methods take."""
        camera = frames.model_camera(trans_mat, self.config.binary)
        return self._encode(tf.constant(image[None], tf.float32)), tf.constant(camera[None], tf.float32)

    def _chunks(self, function, encoded, points):
        features, camera = encoded
        points = frames.to_model(np.asarray(points, np.float32), self.config.binary).astype(np.float32)
        for start in range(0, len(points), CHUNK):
            yield function(features, tf.constant(points[None, start : start + CHUNK]), camera)

    def geometry(self, encoded, points):
        """(N, 3) object-frame points -> (N,) g0."""
        raw = np.concatenate([chunk[0].numpy() for chunk in self._chunks(self._geometry, encoded, points)])
        # the network predicts 10 x the distance in the model frame 2 p
        return raw[:, 1] - raw[:, 0] if self.config.binary else raw[:, 0] / 20

    def colour(self, encoded, points):
        """(N, 3) object-frame points -> (N, 3) colours in [0, 1]."""
        if not len(points):
            return np.zeros((0, 3), np.float32)
        return np.concatenate([chunk[1][0].numpy() for chunk in self._chunks(self._decode, encoded, points)]).clip(0, 1)

    def occupied(self, geometry, iso):
        """(N,) g0 -> (N,) bool: occupied (g0 > iso), or inside (distance < iso)."""
        return geometry > iso if self.config.binary else geometry < iso
