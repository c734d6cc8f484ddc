"""Coordinate frames, in NumPy. Every other file takes its conventions from here.

object frame   right-handed, y up, bounding box centred in the cube [-0.5, 0.5]^3, longest side 1
voxel frame    v = 64 p - 0.5: the voxel centres of a 64^3 volume are the integers -32..31
model frame    the input frame of the network: the voxel frame (binary mode), 2 p (SDF mode), or
               DISN's, in which every object has the mean of its surface at the origin and just
               fits into the unit sphere
pixel frame    u right (column), v down (row), pixel centres at integers
camera frame   OpenCV: x right, y down, z forward
trans_mat      (4, 3) float, row vectors: [x y z 1] @ trans_mat = (u w, v w, w), from the object
               frame to pixels
"""

import dataclasses

import numpy as np

VOXELS = 64  # resolution of the volumes: 64^3
MIRROR = np.array([-1, 1, 1], np.float32)  # times an object-frame point: its mirror image (left, right)


def to_voxel(points: np.ndarray) -> np.ndarray:
    """Points from the object frame to the voxel frame."""
    return VOXELS * points - 0.5


def from_voxel(points: np.ndarray) -> np.ndarray:
    """Points from the voxel frame to the object frame."""
    return (points + 0.5) / VOXELS


def centres_of(index: np.ndarray) -> np.ndarray:
    """(N, 3) indices 0..63 of voxels -> their centres, object frame."""
    return (index + 0.5) / VOXELS - 0.5


def cell_centres(resolution: int) -> np.ndarray:
    """(R,) centres of the cells along an axis of the cube, object frame: (i + 0.5)/R - 0.5."""
    return (np.arange(resolution) + 0.5) / resolution - 0.5


def voxel_centres(resolution: int = VOXELS) -> np.ndarray:
    """(R^3, 3) cell centres of the cube, object frame; x varies fastest, z slowest (txt files)."""
    line = cell_centres(resolution)
    z, y, x = np.meshgrid(line, line, line, indexing="ij")
    return np.stack([x, y, z], -1).reshape(-1, 3)


@dataclasses.dataclass(frozen=True)
class ModelFrame:
    """The model frame of one object: m = scale p + offset, where p is in the object frame.

    Attributes:
        scale: model-frame lengths per object-frame length.
        offset: a number or (3,), in model-frame lengths.
    """

    scale: float
    offset: float | np.ndarray = 0.0

    def to_model(self, points: np.ndarray) -> np.ndarray:
        """Points from the object frame to the model frame."""
        return self.scale * points + self.offset

    def from_model(self, points: np.ndarray) -> np.ndarray:
        """Points from the model frame to the object frame."""
        return (points - self.offset) / self.scale

    def camera(self, trans_mat: np.ndarray) -> np.ndarray:
        """(..., 4, 3) trans_mat of the object frame -> of the model frame, to the same pixels."""
        from_model = np.diag([1 / self.scale] * 3 + [1.0])
        from_model[3, :3] = -np.asarray(self.offset) / self.scale
        return from_model @ np.asarray(trans_mat)

    def object_camera(self, trans_mat: np.ndarray) -> np.ndarray:
        """(..., 4, 3) trans_mat of the model frame -> of the object frame, to the same pixels."""
        to_model = np.diag([self.scale] * 3 + [1.0])
        to_model[3, :3] = self.offset
        return to_model @ np.asarray(trans_mat)


def cube_frame(binary: bool) -> ModelFrame:
    """The model frame that all objects share: the voxel frame, or 2 p in SDF mode."""
    return ModelFrame(float(VOXELS), -0.5) if binary else ModelFrame(2.0)


def sphere_frame(surface_points: np.ndarray) -> ModelFrame:
    """DISN's model frame of an object: its mean at the origin, its farthest point at distance 1.

    Args:
        surface_points: (S, 3), spread over the surface, object frame.
    """
    points = np.asarray(surface_points, np.float64)
    centre = points.mean(0)
    scale = 1 / np.linalg.norm(points - centre, axis=1).max()
    return ModelFrame(scale, -scale * centre)
