"""The network: VGG16 encoder, projected local features, two decoder streams (Wu 2021, after DISN, Xu et al. 2019)."""

import keras
import tensorflow as tf

from models.decoder import Stream
from models.encoder import Encoder
from models.local_features import project, read_maps


class TexDISN(keras.Model):
    """Geometry and colour of points, given an image and its camera.

    images     (B, img_h, img_w, 3 or 4) float32 in [0, 1], RGB(A)
    points     (B, N, 3) float32 in the model frame (utils.frames): voxel frame, or 2 p in SDF mode
    trans_mat  (B, 4, 3) float32, model frame to pixels (utils.frames.model_camera)
    geometry   (B, N, 2) logits (class 1 = occupied), or (B, N, 1) = 10 x signed distance in the model frame
    colour     (B, N, 3), the sum of two values in [0, 1]: clip it before it is shown
    """

    def __init__(self, config):
        super().__init__(name="texdisn", autocast=False)
        self.config = config
        policy = "mixed_bfloat16" if config.bfloat16 else "float32"
        self.encoder = Encoder(config, policy)
        self.global_stream = Stream(config, "sdfprediction", policy)
        self.local_stream = Stream(config, "sdfprediction_imgfeat", policy)

    def encode(self, images, training=False):
        """Images -> global feature (B, num_classes), list of five maps. Once per image, whatever is asked of it."""
        return self.encoder(images, training=training)

    def features(self, encoded, points, trans_mat):
        """What encode() returned, points and cameras -> global feature (B, 1, F), local features (B, N, F')."""
        global_feature, maps = encoded
        height, width = self.config.img_h, self.config.img_w
        uv = project(points, trans_mat, height, width)
        return global_feature[:, None], read_maps(maps, uv, height, width, self.config.resized_reading)

    def geometry(self, encoded, points, trans_mat):
        """The geometry alone, at inference: most points are empty, and nobody asks for their colour."""
        global_feature, local_feature = self.features(encoded, points, trans_mat)
        return self.global_stream.geometry(points, global_feature)[0] + self.local_stream.geometry(points, local_feature)[0]

    def decode(self, encoded, points, trans_mat, training=False):
        """What encode() returned, points and cameras -> geometry, colour."""
        global_feature, local_feature = self.features(encoded, points, trans_mat)
        g1, c1 = self.global_stream(points, global_feature, training=training)
        g2, c2 = self.local_stream(points, local_feature, training=training)
        return g1 + g2, c1 + c2

    def call(self, inputs, training=False):
        images, points, trans_mat = inputs
        return self.decode(self.encode(images, training), points, trans_mat, training)


def build(config):
    """A network whose variables exist."""
    network = TexDISN(config)
    network([tf.zeros((1, config.img_h, config.img_w, config.image_channels)), tf.zeros((1, 2, 3)), tf.ones((1, 4, 3))])
    return network
