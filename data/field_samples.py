"""Training samples from the shards: which (object, view) pairs an epoch has, and what one of them holds."""

import numpy as np

from data.network_input import network_camera, network_image, object_frame
from utils.geometry import frames

NEAR = 1 / frames.VOXELS  # within one voxel of the surface, object-frame length: here colour is supervised


def voxel_points(index, colours, count, rng):
    """Points for binary mode: half from the occupied voxels, half from the empty ones.

    index (M, 3) uint8, colours (M, 3) uint8 -> points (count, 3) float32 in the voxel frame, target (count, 3)
    float32: the colour in [0, 1], or -1 where empty.
    """
    occupied = np.zeros((frames.VOXELS,) * 3, bool)
    occupied[tuple(index.T)] = True
    inside = rng.integers(len(index), size=count // 2)
    empty = np.empty((0, 3), np.int64)
    while len(empty) < count - count // 2:  # a few percent of space is occupied: one round is nearly always enough
        draw = rng.integers(frames.VOXELS, size=(count, 3))
        empty = np.concatenate([empty, draw[~occupied[tuple(draw.T)]]])
    empty = empty[: count - count // 2]
    points = np.concatenate([index[inside], empty]).astype(np.float32) - frames.VOXELS // 2
    target = np.concatenate([colours[inside] / np.float32(255), np.full(empty.shape, -1, np.float32)])
    return points, target


class FieldSamples:
    """Samples of the network that predicts the field: an image, its camera, points and what is there.

    A sample is a dict of float32 arrays (near: bool), points and camera in the model frame: image (h, w, 3 or 4), trans_mat (4, 3),
    points (N, 3), colour (N, 3); in SDF mode also distance (N,) in the model frame, less config.distance_offset, and near (N,).
    """

    def __init__(self, database, config):
        self.database, self.config = database, config

    @property
    def shapes(self):
        """{name: (shape, dtype)} of a sample."""
        config, n = self.config, self.config.num_sample_points
        shapes = {
            "image": (config.img_h, config.img_w, config.image_channels),
            "trans_mat": (4, 3),
            "points": (n, 3),
            "colour": (n, 3),
        }
        if not config.binary:
            shapes |= {"distance": (n,), "near": (n,)}
        return {name: (shape, np.dtype(bool if name == "near" else np.float32)) for name, shape in shapes.items()}

    def read(self, entry, view, rng, augment=True):
        """The sample of one view; its points, and the augmentation where it is wanted, are drawn from rng."""
        database, config = self.database, self.config
        rgba = database.image(entry, view)
        image = network_image(rgba, config, rng if augment else None)
        camera = network_camera(database.trans_mat(entry, view), rgba, config)
        frame = object_frame(config, database, entry)
        sample = {"image": image, "trans_mat": frame.camera(camera).astype(np.float32)}
        if config.binary:
            points, colour = voxel_points(*database.voxels(entry), config.num_sample_points, rng)
            return {**sample, "points": points, "colour": colour}
        points, distance, colour = database.sdf_block(
            entry, int(rng.integers(entry.sdf_count)), config.num_sample_points
        )
        return {
            **sample,
            "points": frame.to_model(points).astype(np.float32),
            "colour": colour / np.float32(255),
            "distance": (frame.scale * distance - config.distance_offset).astype(np.float32),
            "near": np.abs(distance) <= NEAR,
        }
