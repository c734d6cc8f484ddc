"""Training samples from the shards: which (object, view) pairs an epoch has, and what one of them holds."""

import functools

import numpy as np

from utils.geometry import frames
from utils.images.crop import object_square
from utils.images.resize import resize_picture

NEAR = 1 / frames.VOXELS  # within one voxel of the surface, object-frame length: here colour is supervised


def epoch_order(entries, seed, epoch, cat_limit):
    """(n, 2) int array of (object, view) index pairs in random order; a function of its arguments alone.

    At most cat_limit samples of each category, drawn anew for each epoch. seed None: the plain order, for validation.
    """
    pairs = {}
    for i, entry in enumerate(entries):
        pairs.setdefault(entry.category, []).extend((i, v) for v in range(len(entry.view_names)))
    if seed is None:
        return np.array(sum(pairs.values(), []))
    rng = np.random.default_rng((seed, epoch))
    return rng.permutation(np.concatenate([rng.permutation(of_one)[:cat_limit] for of_one in pairs.values()]))


def network_image(rgba, config, rng=None):
    """(H, W, 4) uint8 -> (img_h, img_w, 3 or 4) float32 in [0, 1] as the network sees it: cropped, resized, composited.

    rng: the source of the augmentations; None (evaluation) leaves them out.
    """
    if config.crop:
        rgba = object_square(rgba[..., 3], config.crop).cut(rgba)
    rgba = resize_picture(rgba, (config.img_h, config.img_w))
    alpha, colour = rgba[..., 3:] / np.float32(255), rgba[..., :3] / np.float32(255)
    background = np.full(3, 1.0 if config.backcolorwhite else 0.0, np.float32)
    if rng is not None and config.augcolorfore:
        colour = np.clip(colour + rng.uniform(-30, 30, 3) / 255, 0, 1)
    if rng is not None and config.augcolorback:
        background = rng.random(3)
    image = colour * alpha + background * (1 - alpha)
    return np.concatenate([image, alpha], -1).astype(np.float32) if config.alpha else image.astype(np.float32)


def network_camera(trans_mat, rgba, config):
    """(4, 3) object-frame camera of a picture (H, W, 4) uint8 -> that of its network_image."""
    size = rgba.shape[:2]
    if config.crop:
        square = object_square(rgba[..., 3], config.crop)
        trans_mat, size = square.camera(trans_mat), (square.side, square.side)
    return frames.resize_camera(trans_mat, size, (config.img_h, config.img_w))


def picture_camera(trans_mat, rgba, config):
    """(4, 3) object-frame camera of network_image(rgba, config) -> that of the picture; the inverse of network_camera."""
    size = rgba.shape[:2]
    square = object_square(rgba[..., 3], config.crop) if config.crop else None
    trans_mat = frames.resize_camera(trans_mat, (config.img_h, config.img_w), (square.side, square.side) if square else size)
    return square.picture_camera(trans_mat) if square else trans_mat


@functools.lru_cache(4096)
def object_frame(config, database, entry):
    """The frames.ModelFrame that the network has for an object: with config.model_frame sphere it follows from the object's surface."""
    if config.model_frame == "sphere":
        return frames.sphere_frame(database.surface(entry)[0])
    return frames.cube_frame(config.binary)


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
        shapes = {"image": (config.img_h, config.img_w, config.image_channels), "trans_mat": (4, 3), "points": (n, 3), "colour": (n, 3)}
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
        points, distance, colour = database.sdf_block(entry, int(rng.integers(entry.sdf_count)), config.num_sample_points)
        return {
            **sample,
            "points": frame.to_model(points).astype(np.float32),
            "colour": colour / np.float32(255),
            "distance": (frame.scale * distance - config.distance_offset).astype(np.float32),
            "near": np.abs(distance) <= NEAR,
        }
