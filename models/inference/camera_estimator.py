"""Estimates the cameras of images with a trained camera network."""

import dataclasses
import os
import typing
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
APART = 2 * SPREAD  # from which on they mean another one


class Candidate(typing.NamedTuple):
    """A camera that an image may have."""

    camera: CameraParts
    support: float  # share of the proposals, by probability, that mean it


def estimate(network: CameraNetwork, images: np.ndarray) -> list[list[Candidate]]:
    """Estimate the cameras of images (B, img_h, img_w, 3 or 4), as the network takes them.

    The network sees each image and its mirror image, which shows the mirrored object. What it says
    of the two is turned into one answer: the rotation that most of the proposals support, and means
    of the other parameters.

    Returns:
        For each image the estimated camera, then the likeliest other one, if there is any.
    """
    output = network(tf.constant(np.concatenate([images, images[:, :, ::-1]])))
    # (2, B, ...): of the images, of their mirror images
    values = {name: np.split(value.numpy().astype(np.float64), 2) for name, value in output.items()}
    mirror = np.diag(frames.MIRROR)  # left and right are x in the object frame and in the camera's axes
    rotations = np.concatenate([values["rotations"][0], mirror @ values["rotations"][1] @ mirror], 1)
    support = np.concatenate([softmax(scores, -1) for scores in values["scores"]], 1) / 2
    distance, scale = (np.sqrt(np.prod(values[name], 0)) for name in ("distance", "scale"))
    shift = (values["shift"][0] + values["shift"][1] * [-1, 1]) / 2
    return [
        [Candidate(CameraParts(rotation, *rest), share) for rotation, share in best_supported(*proposals)]
        for *proposals, rest in zip(rotations, support, zip(distance, scale, shift, strict=True), strict=True)
    ]


def best_supported(rotations: np.ndarray, support: np.ndarray) -> list[tuple[np.ndarray, float]]:
    """The mean of the rotations around the one that has most support near it, and that of the next.

    Args:
        rotations: (K, 3, 3) proposals.
        support: (K,) their probabilities.

    Returns:
        One or two of (3, 3), and the support near each. The second is APART from the first.
    """
    angles = np.stack([rotation_angle(rotation, rotations) for rotation in rotations])
    near = np.exp(-np.square(angles / SPREAD)) * support
    shares = near.sum(1)

    def around(centre: int) -> tuple[np.ndarray, float]:
        return Rotation.from_matrix(rotations).mean(near[centre]).as_matrix(), float(shares[centre])

    best = int(shares.argmax())
    others = np.flatnonzero(angles[best] > APART)
    return [around(best), *([around(int(others[shares[others].argmax()]))] if len(others) else [])]


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
        return [candidates[0][0] for candidates in self.candidates(images)]

    def candidates(self, images: Sequence[np.ndarray]) -> list[list[tuple[np.ndarray, float]]]:
        """The same with the likeliest other camera of each image, if there is any.

        Returns:
            For each image one or two of (4, 3) trans_mat and its support.
        """
        result = []
        for first in range(0, len(images), BATCH):
            batch = images[first : first + BATCH]
            estimated = estimate(self.network, np.stack([network_image(rgba, self.config) for rgba in batch]))
            for rgba, candidates in zip(batch, estimated, strict=True):
                matrices = [camera.trans_mat(self.config.img_w) for camera, _ in candidates]
                cameras = [source_camera(matrix, rgba, self.config) for matrix in matrices]
                result.append([(camera, support) for camera, (_, support) in zip(cameras, candidates, strict=True)])
        return result
