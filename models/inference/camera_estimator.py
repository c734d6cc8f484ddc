"""Cameras of pictures, as a trained camera network sees them."""

import numpy as np
import tensorflow as tf

from data.network_input import network_image, source_camera
from models.config import CameraConfig
from models.weights.run import Run, load_checkpoint
from utils.geometry.camera_parameters import CameraParts

TOGETHER = 64  # images in one pass


def estimate(network, images):
    """CameraNetwork, (B, img_h, img_w, 3 or 4) images as the network sees them -> B CameraParts."""
    output = network(tf.constant(images))
    found = {name: output[name].numpy().astype(np.float64) for name in CameraParts.names()}
    return [CameraParts(**{name: value[i] for name, value in found.items()}) for i in range(len(images))]


class CameraEstimator:
    """The camera network of a run."""

    def __init__(self, path):
        from models.networks.camera_network import build

        self.run = Run(path)
        self.config = self.run.load_config(CameraConfig)
        self.weights = self.run.weights
        self.network = build(self.config)
        load_checkpoint(self.weights, {"network": self.network.variables})

    def cameras(self, pictures):
        """List of (H, W, 4) uint8 pictures -> list of (4, 3) cameras, object frame to the pixels of each."""
        cameras = []
        for first in range(0, len(pictures), TOGETHER):
            some = pictures[first : first + TOGETHER]
            parts = estimate(self.network, np.stack([network_image(rgba, self.config) for rgba in some]))
            matrices = [each.trans_mat(self.config.img_w) for each in parts]
            cameras += [source_camera(matrix, rgba, self.config) for matrix, rgba in zip(matrices, some, strict=True)]
        return cameras
