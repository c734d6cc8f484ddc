"""Estimates the cameras of images with a trained camera network."""

import dataclasses
import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from data.network_input import network_image, source_camera
from models.config import CameraConfig
from models.networks.camera_network import CameraNetwork, build_camera_network
from models.weights.run import Run, load_checkpoint
from utils.geometry.camera_parameters import CameraParts

BATCH = 64  # images in one pass


def estimate(network: CameraNetwork, images: np.ndarray) -> list[CameraParts]:
    """Estimate the cameras of images (B, img_h, img_w, 3 or 4), as the network takes them."""
    output = network(tf.constant(images))
    values = {name: output[name].numpy().astype(np.float64) for name in CameraParts.names()}
    return [CameraParts(**{name: value[i] for name, value in values.items()}) for i in range(len(images))]


class CameraEstimator:
    """The camera network of a run."""

    def __init__(self, path: str | os.PathLike[str], precision: str = "auto") -> None:
        """`precision` is what the network computes in, whatever it was trained in."""
        self.run = Run(path)
        self.config = dataclasses.replace(self.run.load_config(CameraConfig), precision=precision)
        self.weights = self.run.weights
        self.network = build_camera_network(self.config)
        load_checkpoint(self.weights, {"network": self.network.variables})

    def cameras(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Estimate the cameras of (H, W, 4) uint8 images.

        Returns:
            A (4, 3) trans_mat for each image, from the object frame to the image's own pixels.
        """
        cameras = []
        for first in range(0, len(images), BATCH):
            batch = images[first : first + BATCH]
            parts = estimate(self.network, np.stack([network_image(rgba, self.config) for rgba in batch]))
            matrices = [camera.trans_mat(self.config.img_w) for camera in parts]
            cameras += [source_camera(matrix, rgba, self.config) for matrix, rgba in zip(matrices, batch, strict=True)]
        return cameras
