"""DISN's voxel decoder: a grid of geometry, without colour, from the global feature alone."""

import keras
import tensorflow as tf

from models.config import Config
from models.networks.layers import BuiltByCall, activate, normaliser
from utils.geometry import frames


class VoxelDecoder(BuiltByCall, keras.layers.Layer):
    """Decodes a global feature (B, F) to geometry (B, 65, 65, 65, 2 or 1), float32.

    Six transposed convolutions of stride 2 (1 -> 2 -> 4 -> 8 -> 16 -> 32 -> 65 nodes) with ReLU,
    then a linear layer at every node. The grid is indexed [z, y, x]. Its nodes are evenly spaced
    over the cube of the model frame, its faces included: [-32.5, 31.5]^3 of the voxel frame,
    [-1, 1]^3 in SDF mode.
    """

    def __init__(self, config: Config, policy: str) -> None:
        super().__init__(name="sdf3dcnn", dtype=policy, autocast=False)
        self.binary = config.binary
        self.deconvs = []
        for i, width in enumerate(config.voxel_widths, 1):
            kernel, padding = 2 if i == 1 else 3, "valid" if i == len(config.voxel_widths) else "same"
            layer = keras.layers.Conv3DTranspose(
                width, kernel, strides=2, padding=padding, name=f"3deconv{i}", dtype=policy
            )
            self.deconvs.append((layer, normaliser(config, f"3deconv{i}_norm", policy)))
        self.out = keras.layers.Conv3D(config.geometry_channels, 1, name="3conv7", dtype="float32")

    def encode(self, global_feature: tf.Tensor, maps: list[tf.Tensor], training: bool = False) -> tf.Tensor:
        """Compute the grid of an image from its features; the maps are not used."""
        return self(global_feature, training=training)

    def decode(
        self, grid: tf.Tensor, points: tf.Tensor, trans_mat: tf.Tensor, training: bool = False
    ) -> tuple[tf.Tensor, None]:
        """Read the grid at model-frame points (B, N, 3) -> geometry (B, N, 2 or 1), no colour."""
        return read_grid(grid, points, self.binary), None

    def call(self, global_feature: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Compute the grid."""
        x = tf.cast(global_feature, self.compute_dtype)[:, None, None, None]
        for layer, norm in self.deconvs:
            x = activate(layer(x), norm, training)
        return self.out(tf.cast(x, tf.float32))


def read_grid(grid: tf.Tensor, points: tf.Tensor, binary: bool) -> tf.Tensor:
    """Read a grid trilinearly.

    Args:
        grid: (B, 65, 65, 65, C), indexed [z, y, x], as VoxelDecoder returns it.
        points: (B, N, 3) in the model frame. A point outside the cube gets the value at the
            nearest point of its faces.
        binary: The model frame is that of binary mode, otherwise that of SDF mode.

    Returns:
        (B, N, C).
    """
    nodes, channels = grid.shape[1], grid.shape[-1]
    position = tf.clip_by_value((frames.cube_frame(binary).from_model(points) + 0.5) * (nodes - 1.0), 0.0, nodes - 1.0)
    low = tf.minimum(tf.floor(position), nodes - 2.0)  # the last cell includes its far face
    fraction = position - low
    x, y, z = tf.unstack(tf.cast(low, tf.int32), axis=-1)
    corners, weights = [], []
    for dz, dy, dx in [(i >> 2 & 1, i >> 1 & 1, i & 1) for i in range(8)]:
        corners.append(((z + dz) * nodes + y + dy) * nodes + x + dx)
        fx, fy, fz = (f if d else 1 - f for f, d in zip(tf.unstack(fraction, axis=-1), (dx, dy, dz), strict=True))
        weights.append(fx * fy * fz)
    values = tf.gather(tf.reshape(grid, (-1, nodes**3, channels)), tf.stack(corners, -1), batch_dims=1)
    return tf.reduce_sum(values * tf.stack(weights, -1)[..., None], -2)
