"""A camera as the parameters that a network estimates: rotation, distance, scale, shift.

Rotation and translation as in DISN, section 3.3, and a scale.
"""

import dataclasses

import numpy as np

from utils.geometry.cameras import compose, decompose, image_to_pixel, pixel_to_image, project


@dataclasses.dataclass(frozen=True)
class CameraParts:
    """A camera without skew and with square pixels. It sees a point p of the object frame at

        c = rotation p + (0, 0, distance)                      camera axes, object-frame length
        t = 0.5 + shift + scale distance (c_x, c_y) / c_z      image coordinates in [0, 1]

    (image_to_pixel turns image coordinates into pixels). A crop changes shift and scale. They are
    therefore not tied to the distance, which only shows in the perspective.

    Attributes:
        rotation: (3, 3), object frame to camera axes.
        distance: depth of the object's origin, object-frame length.
        scale: image sides that an object-frame length of 1 spans at that depth, which is the focal
            length in image sides over the distance.
        shift: (2,) position of the object's origin relative to the image's middle, image sides.
    """

    rotation: np.ndarray
    distance: float
    scale: float
    shift: np.ndarray

    @classmethod
    def of(cls, trans_mat: np.ndarray, size: int) -> "CameraParts":
        """The parameters of a (4, 3) trans_mat to a square image of `size` pixels.

        They are exact where the camera looks at the object's origin, in any crop. Otherwise they
        describe a camera that looks straight at it: exact at the origin, elsewhere off because of
        the angle between the two directions.
        """
        K, RT = decompose(trans_mat)
        origin, depth = project(np.zeros((1, 3)), trans_mat)
        focal = np.sqrt(K[0, 0] * K[1, 1]) / size
        matrix_scale = np.linalg.norm(np.asarray(trans_mat)[:3, 2])  # w is the depth times this scale
        distance = float(depth[0] / matrix_scale)
        return cls(RT[:, :3], distance, float(focal / distance), pixel_to_image(origin[0], size) - 0.5)

    @classmethod
    def names(cls) -> list[str]:
        """Names of the parameters, also the keys of a camera network's outputs and samples."""
        return [field.name for field in dataclasses.fields(cls)]

    def trans_mat(self, size: int) -> np.ndarray:
        """(4, 3) camera to the pixels of a square image of `size` pixels; the inverse of of()."""
        focal = self.scale * self.distance * size
        u, v = image_to_pixel(0.5 + np.asarray(self.shift, np.float64), size)
        RT = np.concatenate([self.rotation, [[0], [0], [self.distance]]], 1)
        return compose(np.array([[focal, 0, u], [0, focal, v], [0, 0, 1]]), RT)
