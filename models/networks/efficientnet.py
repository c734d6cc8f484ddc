"""EfficientNet-Lite0 as an encoder (Tan & Le 2019; the Lite variant of 2020 for phones).

Inverted residual blocks (Sandler et al. 2018) with ReLU6, without squeeze-and-excitation. Batch
normalisation is not there: that of the ImageNet weights is folded into the convolutions
(models/weights/efficientnet_weights.py), which costs nothing in training and has no averages that
lag behind.
"""

import dataclasses

import keras
import tensorflow as tf

from models.networks.layers import BuiltByCall
from models.shared_settings import Settings

STEM = 32  # channels of the first convolution


@dataclasses.dataclass(frozen=True)
class Stage:
    """Blocks of one width; the first one has the stride."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    width: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
MAPS = (0, 1, 2, 4)  # stages whose result is a local feature map: 1/2, 1/4, 1/8 and 1/16 of the image


class InvertedResidual(BuiltByCall, keras.layers.Layer):
    """Expansion (1 x 1), depthwise convolution, projection (1 x 1, linear); the input is added
    where the shapes are equal.
    """

    def __init__(self, stage: Stage, stride: int, added: bool, inputs: int, name: str, policy: str) -> None:
        super().__init__(name=name, dtype=policy, autocast=False)
        self.added = added
        self.expand = None
        if stage.expansion > 1:
            self.expand = keras.layers.Conv2D(inputs * stage.expansion, 1, name="expand", dtype=policy)
        # on CPUs the gradients of depthwise convolutions take many times as long in bfloat16
        self.depthwise = keras.layers.DepthwiseConv2D(
            stage.kernel, stride, padding="same", name="depthwise", dtype="float32"
        )
        self.project = keras.layers.Conv2D(stage.width, 1, name="project", dtype=policy)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Map (B, h, w, C) -> (B, h / stride, w / stride, width)."""
        y = x if self.expand is None else tf.nn.relu6(self.expand(x))
        y = tf.nn.relu6(self.depthwise(tf.cast(y, tf.float32)))
        y = self.project(tf.cast(y, self.compute_dtype))
        return x + y if self.added else y


class EfficientNetLite0(BuiltByCall, keras.layers.Layer):
    """Encodes images (B, H, W, 3 or 4), RGB(A) in [0, 1], H and W multiples of 32.

    Returns a global feature (B, num_classes) and a list of maps (B, h, w, c): the image itself in
    [-1, 1], which has the finest colours and the mask, and the results of the stages MAPS. A cell i
    of a map with 1/n of the image's width has its centre at pixel n (i + 1) - 1, since TensorFlow
    pads a convolution of stride 2 at the end (models.networks.local_features.scale_to_centres).
    """

    def __init__(self, config: Settings, policy: str, sensitive: str) -> None:
        """See models.networks.layers.policies for the two policies."""
        super().__init__(name="efficientnet_lite0", dtype=policy, autocast=False)
        self.stem = keras.layers.Conv2D(STEM, 3, 2, padding="same", name="stem", dtype=sensitive)
        self.stages, inputs = [], STEM
        for number, stage in enumerate(STAGES):
            blocks = []
            for i in range(stage.blocks):
                stride = stage.stride if i == 0 else 1
                added = stride == 1 and inputs == stage.width
                blocks.append(InvertedResidual(stage, stride, added, inputs, f"block{number}_{i}", policy))
                inputs = stage.width
            self.stages.append(blocks)
        self.fc = keras.layers.Dense(config.num_classes, name="fc", dtype="float32")

    def stage_maps(self, images: tf.Tensor) -> list[tf.Tensor]:
        """Images as call() takes them -> the result (B, h, w, c) of every stage."""
        x, maps = tf.nn.relu6(self.stem(2 * images - 1)), []
        for blocks in self.stages:
            for block in blocks:
                x = block(tf.cast(x, self.compute_dtype))
            maps.append(x)
        return maps

    def call(self, images: tf.Tensor, training: bool = False) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Images (B, H, W, 3 or 4) -> global feature (B, num_classes), five maps (B, h, w, c)."""
        maps = self.stage_maps(images)
        global_feature = self.fc(tf.reduce_mean(tf.cast(maps[-1], tf.float32), (1, 2)))
        return global_feature, [2 * images - 1, *(maps[number] for number in MAPS)]
