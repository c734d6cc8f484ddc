"""The VGG16 encoder as TF-slim builds it (Simonyan & Zisserman 2015).

It turns an image into one global feature and five local feature maps.
"""

import keras
import tensorflow as tf

from models.networks.layers import BuiltByCall, WholeConvolution, activate, normaliser
from models.networks.local_features import resize_bilinear
from models.shared_settings import Settings

IMAGENET_MEAN = (123.68, 116.779, 103.939)  # RGB, of images in 0..255 (Simonyan & Zisserman 2015)


def resize_to_encoder(images: tf.Tensor, size: int) -> tf.Tensor:
    """Resize (B, H, W, 3 or 4) to (B, size, size, 3 or 4).

    Colours are resized bilinearly without half-pixel centres, alpha by nearest neighbour.
    """
    colours = resize_bilinear(images[..., :3], size, size)
    if images.shape[-1] == 3:
        return colours
    alpha = tf.raw_ops.ResizeNearestNeighbor(images=images[..., 3:], size=(size, size))
    return tf.concat([colours, alpha], -1)


def encoder_pixels(images: tf.Tensor, kind: str) -> tf.Tensor:
    """Convert (B, H, W, 3 or 4) RGB(A) in [0, 1] to the values the first convolution expects.

    `kind` is a key of models.choices.ENCODER_INPUTS. Alpha stays as it is.
    """
    colours = images[..., :3]
    if kind in ("slim", "keras"):
        colours = 255.0 * colours - tf.constant(IMAGENET_MEAN)
    if kind in ("bgr", "keras"):
        colours = colours[..., ::-1]
    return tf.concat([colours, images[..., 3:]], -1)


class VGG16(BuiltByCall, keras.layers.Layer):
    """Encodes images (B, H, W, 3 or 4), RGB(A) in [0, 1].

    Returns a global feature (B, num_classes) and a list of five maps (B, h, w, c). Each map is
    taken after the last ReLU of its block, before the pooling. fc6 is a VALID convolution over the
    whole last map (7 x 7 at 224 pixels), fc7 is 1 x 1 with ReLU, fc8 is linear. No dropout.
    """

    def __init__(self, config: Settings, policy: str, sensitive: str) -> None:
        """See models.networks.layers.policies for the two policies."""
        super().__init__(name="vgg_16", dtype=policy, autocast=False)
        self.config, self.size = config, config.encoder_size

        # Rounding hurts the first convolution and the last block most: a tenth of all products.
        # fc6 to fc8 stay in float32, since casting their weights would cost more than it saves.
        self.blocks = []
        for block, (width, count) in enumerate(zip(config.encoder_widths, config.encoder_convs, strict=True), 1):
            layers = []
            for i in range(1, count + 1):
                layer_policy = sensitive if block == 5 or (block, i) == (1, 1) else policy
                name = f"conv{block}_{i}"
                conv = keras.layers.Conv2D(width, 3, padding="same", name=name, dtype=layer_policy)
                layers.append((conv, normaliser(config, name + "_norm", layer_policy)))
            self.blocks.append(layers)
        self.fc6 = WholeConvolution(config.encoder_fc, self.size // 32, "fc6", "float32")
        self.fc6_norm = normaliser(config, "fc6_norm", "float32")
        self.fc7 = WholeConvolution(config.encoder_fc, 1, "fc7", "float32")
        self.fc7_norm = normaliser(config, "fc7_norm", "float32")
        self.fc8 = WholeConvolution(config.num_classes, 1, "fc8", "float32")

    def call(self, images: tf.Tensor, training: bool = False) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Images (B, H, W, 3 or 4) -> global feature (B, num_classes), five maps (B, h, w, c)."""
        x = encoder_pixels(resize_to_encoder(images, self.size), self.config.encoder_input)
        maps = []
        for block in self.blocks:
            for conv, norm in block:
                x = activate(conv(x), norm, training)
            maps.append(tf.cast(x, self.compute_dtype))
            x = tf.nn.max_pool2d(x, 2, 2, "VALID")
        x = activate(self.fc6(tf.cast(x, tf.float32)), self.fc6_norm, training)
        x = activate(self.fc7(x), self.fc7_norm, training)
        return self.fc8(x)[:, 0, 0], maps
