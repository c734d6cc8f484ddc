"""The network: VGG16 encoder, projected local features, decoders (Wu 2021, after DISN, Xu et al. 2019)."""

import keras
import tensorflow as tf

from models.networks.decoder import Stream
from models.networks.encoder import Encoder
from models.networks.layers import policies
from models.networks.local_features import project, read_maps, to_camera_axes
from models.networks.voxel_decoder import VoxelDecoder, read_grid


class TexDISN(keras.Model):
    """Geometry and colour of points, given an image and its camera.

    images     (B, img_h, img_w, 3 or 4) float32 in [0, 1], RGB(A)
    points     (B, N, 3) float32 in the model frame (utils.geometry.frames): voxel frame, or 2 p in SDF mode
    trans_mat  (B, 4, 3) float32, model frame to pixels (utils.geometry.frames.model_camera)
    geometry   (B, N, 2) logits (class 1 = occupied), or (B, N, 1) = 10 x signed distance in the model frame
    colour     (B, N, 3), the sum of two values in [0, 1] where there are two streams: clip it before it is shown;
               None without a colour branch

    The configuration chooses the decoders, whose names are the scopes of DISN's TF1 variables:
    img_feat_twostream  a stream of the global feature and one of the five local ones, added up (the default)
    img_feat_onestream  one stream of the global feature joined with the local ones of the first three maps
    threedcnn           a grid of geometry from the global feature, read at the points
    none of them        a stream of the global feature alone
    """

    def __init__(self, config, all_bfloat16=False):
        super().__init__(name="texdisn", autocast=False)
        self.config = config
        of_layers = policy, _ = policies(config, all_bfloat16)
        self.encoder = Encoder(config, *of_layers)
        if config.threedcnn:
            self.voxel_decoder = VoxelDecoder(config, "sdf3dcnn", policy)
        elif config.img_feat_onestream:
            self.joint_stream = Stream(config, "sdfimgfeat", *of_layers, ("feature", "local"))
        else:
            self.global_stream = Stream(config, "sdfprediction", *of_layers)
            if config.img_feat_twostream:
                self.local_stream = Stream(config, "sdfprediction_imgfeat", *of_layers)

    def encode(self, images, training=False):
        """Images -> what the other methods take, once per image whatever is asked of it: global feature (B, num_classes)
        and list of five maps; with threedcnn the grid (B, 65, 65, 65, 2 or 1)."""
        global_feature, maps = self.encoder(images, training=training)
        return (
            self.voxel_decoder(global_feature, training=training) if self.config.threedcnn else (global_feature, maps)
        )

    def features(self, encoded, points, trans_mat):
        """Global feature and maps, points and cameras -> global feature (B, 1, F), local features (B, N, F') or None."""
        global_feature, maps = encoded
        if not (self.config.img_feat_twostream or self.config.img_feat_onestream):
            return global_feature[:, None], None
        height, width = self.config.img_h, self.config.img_w
        uv = project(points, trans_mat, height, width)
        maps = maps[:3] if self.config.img_feat_onestream else maps
        return global_feature[:, None], read_maps(maps, uv, height, width, self.config.resized_reading)

    def decoders(self):
        """[(stream, the features it takes)], a feature being "global" or "local"."""
        if self.config.img_feat_onestream:
            return [(self.joint_stream, ("global", "local"))]
        local = [(self.local_stream, ("local",))] if self.config.img_feat_twostream else []
        return [(self.global_stream, ("global",)), *local]

    def streams(self, encoded, points, trans_mat):
        """[(stream, its features of the points)]"""
        features = dict(zip(("global", "local"), self.features(encoded, points, trans_mat), strict=True))
        return [(stream, [features[part] for part in parts]) for stream, parts in self.decoders()]

    def geometry(self, encoded, points, trans_mat):
        """The geometry alone, at inference: most points are empty, and nobody asks for their colour."""
        if self.config.threedcnn:
            return self.squash(read_grid(encoded, points, self.config.binary))
        streams, p = self.streams(encoded, points, trans_mat), self.axes(points, trans_mat)
        return self.squash(tf.add_n([stream.geometry(p, features)[0] for stream, features in streams]))

    def decode(self, encoded, points, trans_mat, training=False):
        """What encode() returned, points and cameras -> geometry, colour (or None)."""
        if self.config.threedcnn:
            return self.geometry(encoded, points, trans_mat), None
        streams, p = self.streams(encoded, points, trans_mat), self.axes(points, trans_mat)
        geometry, colour = zip(*[stream(p, features, training=training) for stream, features in streams], strict=True)
        return self.squash(tf.add_n(geometry)), tf.add_n(colour) if self.config.colour else None

    def axes(self, points, trans_mat):
        """The points as the streams take them: as they are, or turned into the axes of the camera."""
        return to_camera_axes(points, trans_mat) if self.config.rot else points

    def squash(self, geometry):
        return tf.tanh(geometry) if self.config.tanh else geometry

    def call(self, inputs, training=False):
        images, points, trans_mat = inputs
        return self.decode(self.encode(images, training), points, trans_mat, training)


def build(config, all_bfloat16=False):
    """A network whose variables exist. all_bfloat16: models.networks.layers.policies."""
    network = TexDISN(config, all_bfloat16)
    network([tf.zeros((1, config.img_h, config.img_w, config.image_channels)), tf.zeros((1, 2, 3)), tf.ones((1, 4, 3))])
    return network
