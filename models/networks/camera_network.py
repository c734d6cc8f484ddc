"""The network that estimates the camera of an image: VGG16, its global feature, a few layers, the camera (DISN, section 3.3)."""

import keras
import numpy as np
import tensorflow as tf

from models.networks.encoder import Encoder
from models.networks.layers import activate, dense, normaliser, policies

SOFTNESS = 0.04  # object-frame length: proposals that are nearly as near as the nearest are nearly as good a choice
DISTANCE = 2.3  # what the network's zero stands for: a camera whose picture a cube fills (preprocessing.render_views)


def rotation_of(six):
    """(B, 6) -> (B, 3, 3) rotations: two vectors made orthonormal and their cross product, as rows (Zhou et al., CVPR 2019, eq. 15)."""
    first, second = six[:, :3], six[:, 3:]
    x = tf.math.l2_normalize(first, -1, 1e-12)
    # the epsilon keeps the gradient finite where both vectors have one direction
    y = tf.math.l2_normalize(second - tf.reduce_sum(x * second, -1, keepdims=True) * x, -1, 1e-12)
    return tf.stack([x, y, tf.linalg.cross(x, y)], 1)


class CameraNetwork(keras.Model):
    """images (B, img_h, img_w, 3 or 4) float32 in [0, 1], RGB(A) -> dict of the parts of utils.geometry.camera_parameters:
    rotation (B, 3, 3), distance (B,), scale (B,), shift (B, 2); and what `rotation` was chosen from: rotations (B, H, 3, 3), scores (B, H).

    DISN predicts one rotation. Where an image leaves two that differ by half a turn, a network that learns to be near the right one ends up
    between them; so this one proposes H rotations, each at home in a part of the azimuths, and a score for each.
    """

    def __init__(self, config, all_bfloat16=False):
        super().__init__(
            name="texdisn", autocast=False
        )  # the field network's: encoders have the same names in all checkpoints
        self.config = config
        self.encoder = Encoder(config, *policies(config, all_bfloat16))
        self.hidden = []
        for i, width in enumerate(config.camera_widths, 1):
            self.hidden.append(
                (dense(width, f"camera{i}", "float32"), normaliser(config, f"camera{i}_norm", "float32"))
            )
        # small weights: the proposals start from their homes, so that which of them is nearest means something from the first step on
        start = keras.initializers.RandomNormal(stddev=0.01)
        self.out = keras.layers.Dense(
            7 * config.hypotheses + 4, name="camera_out", dtype="float32", kernel_initializer=start
        )
        azimuths = 2 * np.pi * np.arange(config.hypotheses) / config.hypotheses
        right, down = (
            np.stack([np.cos(azimuths), 0 * azimuths, -np.sin(azimuths)], 1),
            np.tile([0, -1, 0], (config.hypotheses, 1)),
        )
        self.homes = np.concatenate([right, down], 1).astype(np.float32)  # (H, 6): level cameras all around

    def call(self, images, training=False):
        x, _ = self.encoder(images, training=training)
        x = tf.nn.relu(x)
        for layer, norm in self.hidden:
            x = activate(layer(x), norm, training)
        count = self.config.hypotheses
        six, scores, distance, scale, shift = tf.split(self.out(x), [6 * count, count, 1, 1, 2], -1)
        rotations = tf.reshape(
            rotation_of(tf.reshape(tf.reshape(six, (-1, count, 6)) + self.homes, (-1, 6))), (-1, count, 3, 3)
        )
        return {
            "rotations": rotations,
            "scores": scores,
            "rotation": tf.gather(rotations, tf.argmax(scores, 1), batch_dims=1),
            "distance": DISTANCE * tf.exp(tf.clip_by_value(distance[:, 0], -2, 2)),
            "scale": tf.exp(tf.clip_by_value(scale[:, 0], -4, 4)),
            "shift": shift,
        }


def build(config, all_bfloat16=False):
    """A network whose variables exist."""
    network = CameraNetwork(config, all_bfloat16)
    network(tf.zeros((1, config.img_h, config.img_w, config.image_channels)))
    return network


def transformed(parts, points):
    """Parts of B cameras, (B, N, 3) object-frame points -> camera frame (B, N, 3), image coordinates (B, N, 2) from the image's middle."""
    turned = tf.einsum("bij,bnj->bni", parts["rotation"], points)
    x, y, depth = tf.unstack(turned, axis=-1)
    depth = depth + parts["distance"][:, None]
    focal = (parts["scale"] * parts["distance"])[:, None, None]
    # no estimate may put a point at the camera or behind it, where its pixel would run away
    pixels = parts["shift"][:, None] + focal * tf.stack([x, y], -1) / tf.maximum(depth, 0.2)[..., None]
    return tf.stack([x, y, depth], -1), pixels


def camera_losses(predicted, true, points, turns):
    """Output of the network, true parts, surface points (B, N, 3), the object's symmetries (B, K, 3, 3) -> dict of scalars.

    DISN (eq. 4 and 5) compares the points in the camera's frame and in the image. Here it is their mean distance, 100 x in object-frame
    lengths (`points`) and 100 x in image sides (`pixels`), under that symmetry of the object that makes their sum least: a mean of
    several right answers is none. Only the rotation that comes nearest is corrected (multiple choice learning, Guzman-Rivera et al.,
    NeurIPS 2012); `choice` is 10 x the cross-entropy of the scores with how near each one comes, as a softmax. `within_15`: share of the
    images whose chosen rotation is right to 15 degrees.
    """
    count, batch = predicted["scores"].shape[1], tf.shape(points)[0]
    rotations = predicted["rotations"]
    # symmetries first: of every proposed rotation the nearest of the true ones, that with the greatest trace of the relative rotation
    equals = tf.einsum("bij,bkjl->bkil", true["rotation"], turns)
    trace = tf.einsum("bhij,bkij->bhk", rotations, equals)
    chosen_turn = tf.gather(turns, tf.argmax(trace, 2), batch_dims=1)  # (B, H, 3, 3)
    each = {name: tf.repeat(predicted[name], count, 0) for name in ("distance", "scale", "shift")}
    space, pixels = transformed({"rotation": tf.reshape(rotations, (-1, 3, 3)), **each}, tf.repeat(points, count, 0))
    turned = tf.reshape(tf.einsum("bhij,bnj->bhni", chosen_turn, points), (-1, tf.shape(points)[1], 3))
    true_space, true_pixels = transformed({name: tf.repeat(value, count, 0) for name, value in true.items()}, turned)
    in_space = tf.reshape(_mean_length(space - true_space), (batch, count))
    in_image = tf.reshape(_mean_length(pixels - true_pixels), (batch, count))
    best = tf.argmin(in_space + in_image, 1)
    nearness = tf.stop_gradient(tf.nn.softmax(-(in_space + in_image) / SOFTNESS))
    angle = tf.acos(tf.clip_by_value((tf.reduce_max(trace, 2) - 1) / 2, -1.0, 1.0))  # (B, H)
    of_choice = tf.gather(angle, tf.argmax(predicted["scores"], 1), batch_dims=1)
    return {
        "points": 100 * tf.reduce_mean(tf.gather(in_space, best, batch_dims=1)),
        "pixels": 100 * tf.reduce_mean(tf.gather(in_image, best, batch_dims=1)),
        "choice": 10
        * tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=nearness, logits=predicted["scores"])),
        "within_15": tf.reduce_mean(tf.cast(of_choice < np.radians(15), tf.float32)),
    }


def _mean_length(differences):
    """(B, N, C) -> (B,); the epsilon keeps the gradient finite where a difference is zero."""
    return tf.reduce_mean(tf.sqrt(tf.reduce_sum(differences**2, -1) + 1e-8), -1)
