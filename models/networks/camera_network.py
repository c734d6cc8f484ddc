"""The network that estimates the camera of an image (DISN, section 3.3), and its losses."""

import keras
import numpy as np
import tensorflow as tf

from models.config import CameraConfig
from models.networks.encoders import build_encoder
from models.networks.layers import BuiltByCall, activate, dense, normaliser, policies

SOFTNESS = 0.04  # object-frame length; proposals whose errors differ by less are about equally good choices
DISTANCE = 2.3  # predicted by an output of 0: from there the cube fills the image (preprocessing/render_views.py)


def rotation_of(six: tf.Tensor) -> tf.Tensor:
    """Turn six numbers (B, 6) into a rotation (B, 3, 3) (Zhou et al., CVPR 2019, eq. 15).

    The first two rows are two vectors made orthonormal, the third is their cross product.
    """
    first, second = six[:, :3], six[:, 3:]
    x = tf.math.l2_normalize(first, -1, 1e-12)
    # the epsilon keeps the gradient finite where both vectors have one direction
    y = tf.math.l2_normalize(second - tf.reduce_sum(x * second, -1, keepdims=True) * x, -1, 1e-12)
    return tf.stack([x, y, tf.linalg.cross(x, y)], 1)


class CameraNetwork(BuiltByCall, keras.Model):
    """Estimates cameras from images (B, img_h, img_w, 3 or 4) float32 in [0, 1], RGB(A).

    The encoder's global feature and a few linear layers predict the parts of
    utils.geometry.camera_parameters. DISN predicts one rotation. But an image may leave two
    rotations possible that differ by half a turn, and a network trained to be near the right one
    ends up between them. This network proposes H rotations, each responsible for a part of the
    azimuths, and scores them.
    """

    def __init__(self, config: CameraConfig, all_bfloat16: bool = False) -> None:
        """See models.networks.layers.policies for all_bfloat16."""
        # the name of the field network too, so that encoders have the same paths in all checkpoints
        super().__init__(name="texdisn", autocast=False)
        self.config = config
        self.encoder = build_encoder(config, *policies(config, all_bfloat16))
        self.hidden = []
        for i, width in enumerate(config.camera_widths, 1):
            layer = dense(width, f"camera{i}", "float32")
            self.hidden.append((layer, normaliser(config, f"camera{i}_norm", "float32")))
        # With small weights the proposals start at their anchors, and which one is nearest means
        # something from the first step on.
        self.out = keras.layers.Dense(
            7 * config.hypotheses + 4,
            name="camera_out",
            dtype="float32",
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
        )
        # Anchor rotations of the proposals, (H, 6) as rotation_of takes them: level cameras that
        # look at the object from all sides.
        azimuths = 2 * np.pi * np.arange(config.hypotheses) / config.hypotheses
        right = np.stack([np.cos(azimuths), 0 * azimuths, -np.sin(azimuths)], 1)
        down = np.tile([0, -1, 0], (config.hypotheses, 1))
        self.anchors = np.concatenate([right, down], 1).astype(np.float32)

    def call(self, images: tf.Tensor, training: bool = False) -> dict[str, tf.Tensor]:
        """Estimate the camera of every image.

        Returns:
            `rotation` (B, 3, 3), `distance` (B,), `scale` (B,) and `shift` (B, 2), the parts of
            utils.geometry.camera_parameters; and the proposals that `rotation` was chosen from:
            `rotations` (B, H, 3, 3) and `scores` (B, H).
        """
        x, _ = self.encoder(images, training=training)
        x = tf.nn.relu(x)
        for layer, norm in self.hidden:
            x = activate(layer(x), norm, training)
        count = self.config.hypotheses
        offsets, scores, distance, scale, shift = tf.split(self.out(x), [6 * count, count, 1, 1, 2], -1)
        six = tf.reshape(offsets, (-1, count, 6)) + self.anchors
        rotations = tf.reshape(rotation_of(tf.reshape(six, (-1, 6))), (-1, count, 3, 3))
        return {
            "rotations": rotations,
            "scores": scores,
            "rotation": tf.gather(rotations, tf.argmax(scores, 1), batch_dims=1),
            "distance": DISTANCE * tf.exp(tf.clip_by_value(distance[:, 0], -2, 2)),
            "scale": tf.exp(tf.clip_by_value(scale[:, 0], -4, 4)),
            "shift": shift,
        }


def build_camera_network(config: CameraConfig, all_bfloat16: bool = False) -> CameraNetwork:
    """A CameraNetwork whose variables exist. all_bfloat16: see models.networks.layers.policies."""
    network = CameraNetwork(config, all_bfloat16)
    network(tf.zeros((1, config.img_h, config.img_w, config.image_channels)))
    return network


def transformed(parts: dict[str, tf.Tensor], points: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Transform object-frame points (B, N, 3) by B cameras, given in parts.

    Returns:
        The points in the camera's axes around the object's origin (B, N, 3), and their image
        coordinates (B, N, 2) from the middle of the image, in image sides.
    """
    rotated = tf.einsum("bij,bnj->bni", parts["rotation"], points)
    x, y, z = tf.unstack(rotated, axis=-1)
    depth = z + parts["distance"][:, None]
    focal = (parts["scale"] * parts["distance"])[:, None, None]
    # a depth of at least 0.2: the pixel of a point at or behind the camera would run away
    pixels = parts["shift"][:, None] + focal * tf.stack([x, y], -1) / tf.maximum(depth, 0.2)[..., None]
    return rotated, pixels


def camera_losses(
    predicted: dict[str, tf.Tensor], true: dict[str, tf.Tensor], points: tf.Tensor, symmetries: tf.Tensor
) -> dict[str, tf.Tensor]:
    """Losses of the estimated cameras, which compare surface points under both cameras.

    DISN (eq. 4 and 5) compares the points in the camera's frame and in the image. So does this
    loss, under the symmetry of the object that comes nearest, because the mean of several right
    answers would be none. The camera's distance counts by itself: where focal lengths vary, only
    the perspective shows it, and beside its errors those of the rotations would hardly count. Only
    the best proposal is corrected (multiple choice learning, Guzman-Rivera et al., NeurIPS 2012).

    Args:
        predicted: Output of CameraNetwork.
        true: The true `rotation`, `distance`, `scale` and `shift`.
        points: (B, N, 3) surface points in the object frame.
        symmetries: (B, K, 3, 3) rotations that turn the object into itself.

    Returns:
        Scalars: `points` = 100 x mean distance of the rotated points, object-frame length;
        `pixels` = 100 x mean distance in the image, in image sides; `depth` = 10 x mean difference
        of the logarithms of the distances; `choice` = 10 x cross-entropy of the scores with how
        near each proposal comes, as a softmax; `within_15`, the share of images whose chosen
        rotation is right to 15 degrees.
    """
    count, batch = predicted["scores"].shape[1], tf.shape(points)[0]
    rotations = predicted["rotations"]
    # For every proposal the nearest of the true rotations: the trace of the rotation between the
    # two is largest.
    equivalent = tf.einsum("bij,bkjl->bkil", true["rotation"], symmetries)
    trace = tf.einsum("bhij,bkij->bhk", rotations, equivalent)
    nearest = tf.gather(symmetries, tf.argmax(trace, 2), batch_dims=1)  # (B, H, 3, 3)

    # every proposal as a camera of its own, B x H of them
    cameras = {name: tf.repeat(predicted[name], count, 0) for name in ("distance", "scale", "shift")}
    cameras["rotation"] = tf.reshape(rotations, (-1, 3, 3))
    true_cameras = {name: tf.repeat(value, count, 0) for name, value in true.items()}
    turned = tf.reshape(tf.einsum("bhij,bnj->bhni", nearest, points), (-1, tf.shape(points)[1], 3))
    rotated, pixels = transformed(cameras, tf.repeat(points, count, 0))
    true_rotated, true_pixels = transformed(true_cameras, turned)
    space_error = tf.reshape(_mean_length(rotated - true_rotated), (batch, count))
    image_error = tf.reshape(_mean_length(pixels - true_pixels), (batch, count))

    best = tf.argmin(space_error + image_error, 1)
    nearness = tf.stop_gradient(tf.nn.softmax(-(space_error + image_error) / SOFTNESS))
    choice = tf.nn.softmax_cross_entropy_with_logits(labels=nearness, logits=predicted["scores"])
    angles = tf.acos(tf.clip_by_value((tf.reduce_max(trace, 2) - 1) / 2, -1.0, 1.0))  # (B, H)
    chosen_angle = tf.gather(angles, tf.argmax(predicted["scores"], 1), batch_dims=1)
    return {
        "points": 100 * tf.reduce_mean(tf.gather(space_error, best, batch_dims=1)),
        "pixels": 100 * tf.reduce_mean(tf.gather(image_error, best, batch_dims=1)),
        "depth": 10 * tf.reduce_mean(tf.abs(tf.math.log(predicted["distance"] / true["distance"]))),
        "choice": 10 * tf.reduce_mean(choice),
        "within_15": tf.reduce_mean(tf.cast(chosen_angle < np.radians(15), tf.float32)),
    }


def _mean_length(differences: tf.Tensor) -> tf.Tensor:
    """(B, N, C) -> (B,); the epsilon keeps the gradient finite where a difference is zero."""
    return tf.reduce_mean(tf.sqrt(tf.reduce_sum(differences**2, -1) + 1e-8), -1)
