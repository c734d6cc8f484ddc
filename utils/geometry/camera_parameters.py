"""A camera in the parts that a network estimates: rotation, distance, scale, shift (DISN's, section 3.3, and a scale)."""

import dataclasses

import numpy as np

from utils.geometry.cameras import compose, decompose, image_to_pixel, pixel_to_image, project


@dataclasses.dataclass(frozen=True)
class CameraParts:
    """A camera without skew, whose pixels are square, seen from the object: a point p of the object frame is at

        c = rotation p + (0, 0, distance)                      camera axes, object-frame length
        t = 0.5 + shift + scale distance (c_x, c_y) / c_z      image coordinates in [0, 1], image_to_pixel gives pixels

    rotation (3, 3); distance: depth of the object's origin; scale: image sides that an object-frame length of 1 takes at that depth
    (focal length / distance); shift (2,): where the origin is, from the image's middle, in image sides. A crop moves shift and
    scale, so that these are no longer tied to the distance, of which perspective alone then tells.
    """

    rotation: np.ndarray
    distance: float
    scale: float
    shift: np.ndarray

    @classmethod
    def of(cls, trans_mat, size):
        """(4, 3) trans_mat of a square image of `size` pixels. Exact where the camera looks at the origin, whatever the crop;
        else the object is seen as from straight ahead of it, which is right at the origin and off by the angle between the two."""
        K, RT = decompose(trans_mat)
        origin, depth = project(np.zeros((1, 3)), trans_mat)
        focal = np.sqrt(K[0, 0] * K[1, 1]) / size
        distance = float(
            depth[0] / np.linalg.norm(np.asarray(trans_mat)[:3, 2])
        )  # w is depth times the scale of the matrix
        return cls(RT[:, :3], distance, float(focal / distance), pixel_to_image(origin[0], size) - 0.5)

    @classmethod
    def names(cls):
        """Names of the parts, those of what a camera network returns and of its samples."""
        return [field.name for field in dataclasses.fields(cls)]

    def trans_mat(self, size):
        """(4, 3) object frame to the pixels of a square image of `size` pixels; the inverse of of()."""
        focal = self.scale * self.distance * size
        u, v = image_to_pixel(0.5 + np.asarray(self.shift, np.float64), size)
        RT = np.concatenate([self.rotation, [[0], [0], [self.distance]]], 1)
        return compose(np.array([[focal, 0, u], [0, focal, v], [0, 0, 1]]), RT)
