"""Estimates the cameras of images with a trained camera network."""

import dataclasses
import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from scipy.spatial.transform import Rotation
from scipy.special import softmax

from data.network_input import network_image, source_camera
from models.config import CameraConfig
from models.networks.camera_network import CameraNetwork, build_camera_network
from models.weights.run import Run, load_checkpoint
from utils.geometry import frames
from utils.geometry.camera_parameters import CameraParts
from utils.metrics.camera_metrics import rotation_angle

BATCH = 32  # images in one pass, each with its mirror image
SPREAD = 20.0  # degrees within which proposals of rotations mean the same one, chosen on validation images


def estimate(network: CameraNetwork, images: np.ndarray) -> list[CameraParts]:
    """Estimate the cameras of images (B, img_h, img_w, 3 or 4), as the network takes them.

    The network sees each image and its mirror image, which shows the mirrored object. What it says
    of the two is turned into one answer: the rotation that most of the proposals support, and means
    of the other parameters.
    """
    output = network(tf.constant(np.concatenate([images, images[:, :, ::-1]])))
    # (2, B, ...): of the images, of their mirror images
    values = {name: np.split(value.numpy().astype(np.float64), 2) for name, value in output.items()}
    mirror = np.diag(frames.MIRROR)  # left and right are x in the object frame and in the camera's axes
    rotations = np.concatenate([values["rotations"][0], mirror @ values["rotations"][1] @ mirror], 1)
    support = np.concatenate([softmax(scores, -1) for scores in values["scores"]], 1)
    distance, scale = (np.sqrt(np.prod(values[name], 0)) for name in ("distance", "scale"))
    shift = (values["shift"][0] + values["shift"][1] * [-1, 1]) / 2
    return [
        CameraParts(best_supported(*proposals), *rest)
        for *proposals, rest in zip(rotations, support, zip(distance, scale, shift, strict=True), strict=True)
    ]


def best_supported(rotations: np.ndarray, support: np.ndarray) -> np.ndarray:
    """The mean of the rotations around the one that has most support near it.

    Args:
        rotations: (K, 3, 3) proposals.
        support: (K,) their probabilities.

    Returns:
        (3, 3).
    """
    angles = np.stack([rotation_angle(rotation, rotations) for rotation in rotations])
    near = np.exp(-np.square(angles / SPREAD)) * support
    return Rotation.from_matrix(rotations).mean(near[near.sum(1).argmax()]).as_matrix()


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
