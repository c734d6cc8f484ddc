"""Training samples of the network that predicts the field."""

import functools

import numpy as np

from data.augmentation import changed_view, recoloured, stretch_factors, stretched_camera, warped_view
from data.network_input import FieldSettings, network_view, object_frame
from data.shards import Database, ObjectEntry
from utils.errors import UserError
from utils.geometry import frames

NEAR = 1 / frames.VOXELS  # colour is supervised within one voxel of the surface, object-frame length


@functools.lru_cache(100_000)
def extent(database: Database, entry: ObjectEntry) -> np.ndarray:
    """The sides (3,) of an object's bounding box, object frame."""
    return np.ptp(database.surface(entry)[0], axis=0)


def voxel_points(
    index: np.ndarray, colours: np.ndarray, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Points of binary mode: the first half from occupied voxels, the second half from empty ones.

    Args:
        index: the occupied voxels, (M, 3) uint8 in 0..63; not all that there are.
        colours: their RGB, (M, 3) uint8.
        count: the number of points.
        rng: the points are drawn from it.

    Returns:
        Points (count, 3) float32 in the voxel frame, and targets (count, 3) float32: the colour in
        [0, 1], or -1 where the voxel is empty.
    """
    occupied = np.zeros((frames.VOXELS,) * 3, bool)
    occupied[tuple(index.T)] = True
    chosen = rng.integers(len(index), size=count // 2)
    drawn = rng.integers(frames.VOXELS, size=(count, 3))  # a few percent of space is occupied: mostly enough
    empty = drawn[~occupied[tuple(drawn.T)]][: count - count // 2]
    if len(empty) < count - count // 2:
        others = np.argwhere(~occupied)
        empty = others[rng.integers(len(others), size=count - count // 2)]
    points = np.concatenate([index[chosen], empty]).astype(np.float32) - frames.VOXELS // 2
    target = np.concatenate([colours[chosen] / np.float32(255), np.full(empty.shape, -1, np.float32)])
    return points, target


class FieldSamples:
    """Reads samples of a database: an image, its camera, points and the true field at them.

    A sample is a dict of float32 arrays; points and camera are in the model frame:
        image      (h, w, 3 or 4)
        trans_mat  (4, 3)
        points     (N, 3)
        colour     (N, 3)
    and in SDF mode also
        distance   (N,) in the model frame, minus config.distance_offset
        near       (N,) bool: whether the colour is supervised
    """

    def __init__(self, database: Database, config: FieldSettings):
        self.database, self.config = database, config

    @property
    def shapes(self) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
        """{name: (shape, dtype)} of a sample."""
        config, n = self.config, self.config.num_sample_points
        shapes: dict[str, tuple[int, ...]] = {
            "image": (config.img_h, config.img_w, config.image_channels),
            "trans_mat": (4, 3),
            "points": (n, 3),
            "colour": (n, 3),
        }
        if not config.binary:
            shapes |= {"distance": (n,), "near": (n,)}
        return {name: (shape, np.dtype(bool if name == "near" else np.float32)) for name, shape in shapes.items()}

    def read(
        self, entry: ObjectEntry, view: int, rng: np.random.Generator, augment: bool = True
    ) -> dict[str, np.ndarray]:
        """The sample of one view; its augmentation, if wanted, and points are drawn from rng.

        UserError where the view cannot be read, or has nothing to learn from.
        """
        database, config = self.database, self.config
        rgba, trans_mat = database.image(entry, view), database.trans_mat(entry, view)
        mirrored, colour_map = False, None
        if augment:
            rgba, trans_mat, mirrored, colour_map = changed_view(
                rgba, trans_mat, config.augmirror, config.augcolours, rng
            )
        factors = np.ones(3)
        if augment and config.augshape and not config.binary:  # voxels stay where they are
            rgba, trans_mat = warped_view(rgba, trans_mat, rng)
            factors = stretch_factors(extent(database, entry), rng)
            trans_mat = stretched_camera(trans_mat, factors)
        image, camera = network_view(rgba, trans_mat, config, rng if augment else None)
        frame = object_frame(config, database, entry)
        sample = {"image": image, "trans_mat": frame.camera(camera).astype(np.float32)}
        if config.binary:
            index, colours = database.voxels(entry)
            if len(index) == frames.VOXELS**3:
                raise UserError(
                    f"{entry.name} fills the whole volume: it has no empty voxels to learn from, leave it out"
                )
            if mirrored:
                index = index * np.array([-1, 1, 1]) + np.array([frames.VOXELS - 1, 0, 0])
            if colour_map is not None:
                colours = recoloured(colours, colour_map)
            points, colour = voxel_points(index, colours, config.num_sample_points, rng)
            return {**sample, "points": points, "colour": colour}
        start = int(rng.integers(entry.sdf_count))
        points, distance, colour = database.sdf_block(entry, start, config.num_sample_points)
        if mirrored:
            points = points * frames.MIRROR
        if colour_map is not None:
            colour = recoloured(colour, colour_map)
        near = np.abs(distance) <= NEAR
        distance = distance * np.prod(factors) ** (1 / 3)  # of a stretched object: right on average over directions
        return {
            **sample,
            "points": frame.to_model(points * factors).astype(np.float32),
            "colour": colour / np.float32(255),
            "distance": (frame.scale * distance - config.distance_offset).astype(np.float32),
            "near": near,
        }
