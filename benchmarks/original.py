"""The original's formulation of the network (Wu 2021), which ours is timed against.

It has the same weights and the same result, computed as the original does: in float32; with fc6 to
fc8 as convolutions; the five maps resized to the image and joined to one of 1472 channels; the
global feature repeated for every point; vectors joined before every product; colours everywhere.
In evaluation the encoder runs again for every chunk of points.
"""

import tensorflow as tf

from models.networks.local_features import clipped_pixels, read_bilinear, resize_bilinear
from models.networks.vgg16 import encoder_pixels, resize_to_encoder


class Original:
    """A TexDISN of two streams without normalisation, computed as the original does."""

    def __init__(self, network):
        self.network, self.config = network, network.config

    def __call__(self, images, points, trans_mat):
        """The result of the network.

        (B, h, w, 3) images, (B, N, 3) points, (B, 4, 3) cameras -> geometry (B, N, 2 or 1),
        colour (B, N, 3).
        """
        height, width = self.config.img_h, self.config.img_w
        global_feature, maps = self.encode(images)
        joined = tf.concat([resize_bilinear(feature_map, height, width) for feature_map in maps], -1)
        local = read_bilinear(joined, clipped_pixels(points, trans_mat, height, width))
        repeated = tf.repeat(global_feature[:, None], points.shape[1], axis=1)
        results = [
            self.stream(stream, points, f) for stream, f in zip(self.network.streams, (repeated, local), strict=True)
        ]
        return tuple(results[0][i] + results[1][i] for i in (0, 1))

    def encode(self, images):
        """VGG16 in plain TensorFlow operations -> global feature (B, F), five maps (B, h, w, c)."""
        encoder = self.network.encoder
        x, maps = encoder_pixels(resize_to_encoder(images, encoder.size), self.config.encoder_input), []
        for block in encoder.blocks:
            for conv, _ in block:
                x = tf.nn.relu(convolution(x, conv.kernel, conv.bias, "SAME"))
            maps.append(x)
            x = tf.nn.max_pool2d(x, 2, 2, "VALID")
        for layer in (encoder.fc6, encoder.fc7):
            x = tf.nn.relu(convolution(x, layer.kernel, layer.bias, "VALID"))
        return convolution(x, encoder.fc8.kernel, encoder.fc8.bias, "VALID")[:, 0, 0], maps

    @staticmethod
    def stream(stream, points, feature):
        """(B, N, 3), (B, N, F) -> geometry, colour of one stream."""

        def layer(x, kernels, bias, relu=True):
            kernel = tf.concat([tf.convert_to_tensor(kernel) for kernel in kernels], 0)
            y = convolution(x[:, :, None], kernel[None, None], bias, "VALID")[:, :, 0]
            return tf.nn.relu(y) if relu else y

        p = points * stream.scale
        for fold, _ in stream.fold1:
            p = layer(p, [fold.kernel], fold.bias)
        first, hidden, out = stream.geometry_point, stream.geometry_hidden, stream.geometry_out
        g = layer(tf.concat([p, feature], -1), [first.kernel, stream.geometry_features[0].kernel], first.bias)
        geometry = layer(layer(g, [hidden.kernel], hidden.bias), [out.kernel], out.bias, relu=False)
        first, hidden, out = stream.colour_point, stream.colour_hidden, stream.colour_out
        kernels = [stream.colour_geometry.kernel, first.kernel, stream.colour_features[0].kernel]
        c = layer(tf.concat([geometry, p, feature], -1), kernels, first.bias)
        return geometry, tf.sigmoid(layer(layer(c, [hidden.kernel], hidden.bias), [out.kernel], out.bias, relu=False))


def convolution(x, kernel, bias, padding):
    return tf.nn.bias_add(tf.nn.conv2d(x, tf.convert_to_tensor(kernel), 1, padding), tf.convert_to_tensor(bias))
