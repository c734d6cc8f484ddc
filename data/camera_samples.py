"""Samples of the network that estimates cameras."""

import functools

import numpy as np

from data.network_input import network_camera, network_image
from utils.errors import UserError
from utils.geometry import symmetry
from utils.geometry.camera_parameters import CameraParts


@functools.lru_cache(100_000)
def order_of(database, entry):
    """utils.geometry.symmetry.rotational_order of an object of the database."""
    return symmetry.rotational_order(*database.surface(entry))


class CameraSamples:
    """Samples: an image, its camera in parts, surface points that are compared under both cameras, the object's symmetry.

    A sample is a dict: image (h, w, 3 or 4), rotation (3, 3), distance (), scale (), shift (2,) as utils.geometry.camera_parameters, points (N, 3) on the
    surface in the object frame, turns (ROUND, 3, 3) the rotations that change nothing, the identity where there are fewer.
    """

    def __init__(self, database, config):
        self.database, self.config = database, config
        if config.img_h != config.img_w:
            raise UserError("--img_h and --img_w must be equal: the cameras that are estimated have square pixels")

    @property
    def shapes(self):
        """{name: (shape, dtype)} of a sample."""
        config = self.config
        shapes = {
            "image": (config.img_h, config.img_w, config.image_channels),
            "rotation": (3, 3),
            "distance": (),
            "scale": (),
            "shift": (2,),
        }
        shapes |= {"points": (config.num_sample_points, 3), "turns": (symmetry.CONTINUOUS, 3, 3)}
        return {name: (shape, np.dtype(np.float32)) for name, shape in shapes.items()}

    def read(self, entry, view, rng, augment=True):
        """The sample of one view; its points, and the augmentation where it is wanted, are drawn from rng."""
        rgba = self.database.image(entry, view)
        image = network_image(rgba, self.config, rng if augment else None)
        parts = CameraParts.of(
            network_camera(self.database.trans_mat(entry, view), rgba, self.config), self.config.img_w
        )
        points = surface_points(self.database, entry)
        fold = order_of(self.database, entry)
        turns = np.repeat(np.eye(3)[None], symmetry.CONTINUOUS, 0)
        turns[:fold] = [symmetry.rotation_about_y(360 * k / fold) for k in range(fold)]
        sample = {**{name: getattr(parts, name) for name in parts.names()}, "turns": turns}
        sample["points"] = points[rng.integers(len(points), size=self.config.num_sample_points)]
        return {"image": image, **{name: np.asarray(value, np.float32) for name, value in sample.items()}}


@functools.lru_cache(100_000)
def surface_points(database, entry):
    """(up to 2048, 3) float32 surface points of an object, kept in memory: reading all of them for every sample would take the time."""
    points = database.surface(entry)[0]
    return points[:: max(1, len(points) // 2048)].astype(np.float32)
