"""Training samples of the network that estimates cameras."""

import functools

import numpy as np

from data.augmentation import changed_view
from data.network_input import ViewSettings, network_view
from data.shards import Database, ObjectEntry
from utils.errors import UserError
from utils.geometry import frames, symmetry
from utils.geometry.camera_parameters import CameraParts

LEAST_POINTS = 2048  # kept of an object's surface, and fewer than twice as many
OBJECT_BYTES = 2 * LEAST_POINTS * 3 * np.dtype(np.float32).itemsize
CACHE_BYTES = 256 * 2**20  # memory for the surface points of the most recently used objects


@functools.lru_cache(100_000)
def order_of(database: Database, entry: ObjectEntry) -> int:
    """The rotational order of an object (utils.geometry.symmetry.rotational_order)."""
    return symmetry.rotational_order(*database.surface(entry))


@functools.lru_cache(CACHE_BYTES // OBJECT_BYTES)
def surface_points(database: Database, entry: ObjectEntry) -> np.ndarray:
    """Surface points (N, 3) float32 of an object: every k-th, so that 2048 <= N < 4096, or all.

    They are kept in memory because reading a whole surface for every sample is slow.
    """
    points = database.surface(entry)[0]
    return points[:: max(1, len(points) // LEAST_POINTS)].astype(np.float32)


class CameraSamples:
    """Reads samples of a database: an image, its camera, surface points, the object's symmetries.

    A sample is a dict of float32 arrays:
        image       (h, w, 3 or 4)
        rotation    (3, 3), distance (), scale (), shift (2,): utils.geometry.camera_parameters
        points      (N, 3) on the surface, object frame; the loss compares them under both cameras
        symmetries  (K, 3, 3) rotations that turn the object into itself, K = symmetry.CONTINUOUS,
                    filled up with the identity
    """

    def __init__(self, database: Database, config: ViewSettings):
        self.database, self.config = database, config
        if config.img_h != config.img_w:
            size = f"{config.img_w} x {config.img_h}"
            raise UserError(f"images of {size} pixels: width and height must be equal to estimate cameras")

    @property
    def shapes(self) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
        """{name: (shape, dtype)} of a sample."""
        config = self.config
        shapes: dict[str, tuple[int, ...]] = {
            "image": (config.img_h, config.img_w, config.image_channels),
            "rotation": (3, 3),
            "distance": (),
            "scale": (),
            "shift": (2,),
            "points": (config.num_sample_points, 3),
            "symmetries": (symmetry.CONTINUOUS, 3, 3),
        }
        return {name: (shape, np.dtype(np.float32)) for name, shape in shapes.items()}

    def read(
        self, entry: ObjectEntry, view: int, rng: np.random.Generator, augment: bool = True
    ) -> dict[str, np.ndarray]:
        """The sample of one view; its augmentation, if wanted, and points are drawn from rng."""
        database, config = self.database, self.config
        rgba, trans_mat = database.image(entry, view), database.trans_mat(entry, view)
        mirrored = False
        if augment:
            rgba, trans_mat, mirrored, _ = changed_view(rgba, trans_mat, config.augmirror, config.augcolours, rng)
        image, camera = network_view(rgba, trans_mat, config, rng if augment else None)
        parts = CameraParts.of(camera, config.img_w)
        points = surface_points(database, entry)
        points = points[rng.integers(len(points), size=config.num_sample_points)]
        sample = {
            "image": image,
            **{name: getattr(parts, name) for name in parts.names()},
            "points": points * frames.MIRROR if mirrored else points,
            "symmetries": symmetries(order_of(database, entry)),  # a mirrored object has the same
        }
        return {name: np.asarray(value, np.float32) for name, value in sample.items()}


@functools.cache
def symmetries(order: int) -> np.ndarray:
    """(CONTINUOUS, 3, 3) rotations about y of an order, filled up with the identity."""
    rotations = np.repeat(np.eye(3)[None], symmetry.CONTINUOUS, 0)
    rotations[:order] = [symmetry.rotation_about_y(360 * k / order) for k in range(order)]
    return rotations
