"""The field of an image, asked on a grid: geometry everywhere, colour where there is something to colour."""

import numpy as np
import tensorflow as tf

from utils import frames

CHUNK = 16384  # points decoded at once: their activations stay within some 100 MB at full size
GREY = 0.5  # stands for a colour that the network does not predict


class FieldQuery:
    """Asks a network for geometry and colour of object-frame points; encodes an image once.

    geometry is g0 of the txt files: logit of class 1 minus class 0, or the signed distance in object-frame length.
    """

    def __init__(self, network):
        self.network, self.config = network, network.config
        self._encode = tf.function(network.encode)
        self._geometry = tf.function(lambda e, p, t: network.geometry(e, p, t), reduce_retracing=True)
        self._decode = tf.function(lambda e, p, t: network.decode(e, p, t), reduce_retracing=True)

    def encode(self, image, trans_mat, frame=None):
        """(H, W, 3 or 4) float image in [0, 1], (4, 3) object-frame camera -> what the other methods take.

        frame: the frames.ModelFrame of the object (data.samples.object_frame); default: the one all objects share.
        """
        frame = frame or frames.cube_frame(self.config.binary)
        camera = tf.constant(frame.camera(trans_mat)[None], tf.float32)
        return self._encode(tf.constant(image[None], tf.float32)), camera, frame

    def _chunks(self, function, encoded, model_points):
        features, camera, _ = encoded
        points = np.asarray(model_points, np.float32)
        for start in range(0, len(points), CHUNK):
            yield function(features, tf.constant(points[None, start : start + CHUNK]), camera)

    def geometry(self, encoded, points):
        """(N, 3) object-frame points -> (N,) g0."""
        points = encoded[2].to_model(np.asarray(points, np.float32))
        raw = np.concatenate([chunk[0].numpy() for chunk in self._chunks(self._geometry, encoded, points)])
        return self.g0(raw, encoded[2])

    def g0(self, raw, frame):
        """(N, 2 or 1) output of the network -> (N,) g0."""
        if self.config.binary:
            return raw[:, 1] - raw[:, 0]
        # the network predicts 10 x (the distance in the model frame - distance_offset)
        return (raw[:, 0] / 10 + self.config.distance_offset) / frame.scale

    def raw(self, encoded, model_points):
        """(N, 3) model-frame points -> the network's own output: geometry (N, 2 or 1), colour (N, 3) not clipped, or None."""
        chunks = [(geometry[0].numpy(), None if colour is None else colour[0].numpy())
                  for geometry, colour in self._chunks(self._decode, encoded, model_points)]  # fmt: skip
        geometry, colour = zip(*chunks, strict=True)
        return np.concatenate(geometry), np.concatenate(colour) if self.config.colour else None

    def colour(self, encoded, points):
        """(N, 3) object-frame points -> (N, 3) colours in [0, 1]; GREY from a network without a colour branch."""
        if not len(points) or not self.config.colour:
            return np.full((len(points), 3), GREY, np.float32)
        return self.raw(encoded, encoded[2].to_model(np.asarray(points, np.float32)))[1].clip(0, 1)

    def occupied(self, geometry, iso):
        """(N,) g0 -> (N,) bool: occupied (g0 > iso), or inside (distance < iso)."""
        return geometry > iso if self.config.binary else geometry < iso
