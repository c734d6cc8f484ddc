"""The encoder that the configuration chooses."""

import keras

from models.networks.efficientnet import EfficientNetLite0
from models.networks.vgg16 import VGG16
from models.shared_settings import Settings


def build_encoder(config: Settings, policy: str, sensitive: str) -> keras.layers.Layer:
    """A layer: images -> the global feature (B, num_classes), local feature maps (B, h, w, c).

    See models.networks.layers.policies for the two policies.
    """
    kind = {"vgg16": VGG16, "efficientnet_lite0": EfficientNetLite0}[config.encoder]
    return kind(config, policy, sensitive)
