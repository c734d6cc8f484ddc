"""The network that estimates the camera of an image: VGG16, its global feature, a few layers, the camera (DISN, section 3.3)."""

import keras
import tensorflow as tf

from models.encoder import Encoder
from models.layers import activate, dense, normaliser, policies

OUTPUTS = 10  # 6 of the rotation, log distance, log scale, shift (2)
DISTANCE = 2.3  # what the network's zero stands for: a camera whose picture a cube fills (preprocessing.render_views)


def rotation_of(six):
    """(B, 6) -> (B, 3, 3) rotations: two vectors made orthonormal and their cross product, as rows (Zhou et al., CVPR 2019, eq. 15)."""
    first, second = six[:, :3], six[:, 3:]
    x = tf.math.l2_normalize(first, -1, 1e-12)
    # the epsilon keeps the gradient finite where both vectors have one direction
    y = tf.math.l2_normalize(second - tf.reduce_sum(x * second, -1, keepdims=True) * x, -1, 1e-12)
    return tf.stack([x, y, tf.linalg.cross(x, y)], 1)


class CameraNetwork(keras.Model):
    """images (B, img_h, img_w, 3 or 4) float32 in [0, 1], RGB(A) -> dict of the parts of utils.camera_parts:
    rotation (B, 3, 3), distance (B,), scale (B,), shift (B, 2)."""

    def __init__(self, config, all_bfloat16=False):
        super().__init__(name="texdisn", autocast=False)  # the field network's: encoders have the same names in all checkpoints
        self.config = config
        self.encoder = Encoder(config, *policies(config, all_bfloat16))
        self.hidden = []
        for i, width in enumerate(config.camera_widths, 1):
            self.hidden.append((dense(width, f"camera{i}", "float32"), normaliser(config, f"camera{i}_norm", "float32")))
        self.out = dense(OUTPUTS, "camera_out", "float32")

    def call(self, images, training=False):
        x, _ = self.encoder(images, training=training)
        x = tf.nn.relu(x)
        for layer, norm in self.hidden:
            x = activate(layer(x), norm, training)
        six, distance, scale, shift = tf.split(self.out(x), [6, 1, 1, 2], -1)
        return {
            # down in the image is nearly down in the world, whereas the image's right may be anywhere: a start without preference for it
            "rotation": rotation_of(six + tf.constant([0.1, 0, 0, 0, -1, 0])),
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
    """Predicted and true parts, surface points (B, N, 3), the object's symmetries (B, K, 3, 3) -> dict of scalars.

    DISN (eq. 4 and 5) compares the points in the camera's frame and in the image. Here it is their mean distance, 100 x in object-frame
    lengths (`points`) and 100 x in image sides (`pixels`), under that symmetry of the object that makes their sum least: a mean of
    several right answers is none. `within_15`: share of the images whose rotation is right to 15 degrees.
    """
    count = tf.shape(turns)[1]
    many = {name: tf.repeat(value, count, 0) for name, value in true.items()}
    turned = tf.reshape(tf.einsum("bkij,bnj->bkni", turns, points), (-1, tf.shape(points)[1], 3))
    space, pixels = transformed(predicted, points)
    true_space, true_pixels = (tf.reshape(x, (-1, count, *x.shape[1:])) for x in transformed(many, turned))
    in_space = _mean_length(space[:, None] - true_space)
    in_image = _mean_length(pixels[:, None] - true_pixels)
    best = tf.argmin(in_space + in_image, 1)
    rotations = tf.einsum("bij,bkjl->bkil", true["rotation"], turns)
    trace = tf.einsum("bij,bkij->bk", predicted["rotation"], rotations)
    angle = tf.acos(tf.clip_by_value((tf.reduce_max(trace, 1) - 1) / 2, -1.0, 1.0))
    return {
        "points": 100 * tf.reduce_mean(tf.gather(in_space, best, batch_dims=1)),
        "pixels": 100 * tf.reduce_mean(tf.gather(in_image, best, batch_dims=1)),
        "within_15": tf.reduce_mean(tf.cast(angle < 15 * 3.14159265 / 180, tf.float32)),
    }


def _mean_length(differences):
    """(B, K, N, C) -> (B, K); the epsilon keeps the gradient finite where a difference is zero."""
    return tf.reduce_mean(tf.sqrt(tf.reduce_sum(differences**2, -1) + 1e-8), -1)
