"""Frames and cameras, in NumPy. Every other file takes its conventions from here.

object frame   right-handed, y up, bounding box centred in the cube [-0.5, 0.5]^3, longest side 1
voxel frame    v = 64 p - 0.5: the voxel centres of a 64^3 volume are the integers -32..31
model frame    what the network is fed: the voxel frame (binary mode), 2 p (SDF mode), or DISN's, in which every object
               has the mean of its surface at the origin and just fits into the unit sphere
pixel frame    u right (column), v down (row), texel centres at integers
camera frame   OpenCV: x right, y down, z forward
trans_mat      (4, 3) float, row vectors: [x y z 1] @ trans_mat = (u w, v w, w), object frame to pixels
"""

import dataclasses

import numpy as np

VOXELS = 64  # resolution of the volumes: 64^3


def to_voxel(points):
    """Object frame -> voxel frame."""
    return VOXELS * points - 0.5


def from_voxel(points):
    """Voxel frame -> object frame."""
    return (points + 0.5) / VOXELS


def voxel_centres(resolution=VOXELS):
    """(R^3, 3) cell centres of the cube, object frame, x fastest, then y, then z (the order of the txt files)."""
    line = (np.arange(resolution) + 0.5) / resolution - 0.5
    z, y, x = np.meshgrid(line, line, line, indexing="ij")
    return np.stack([x, y, z], -1).reshape(-1, 3)


def model_scale(binary):
    """(scale, offset) of the model frame m = scale p + offset: the voxel frame, or 2 p in SDF mode."""
    return (float(VOXELS), -0.5) if binary else (2.0, 0.0)


@dataclasses.dataclass(frozen=True)
class ModelFrame:
    """The model frame m = scale p + offset of one object; p object frame, offset a number or (3,)."""

    scale: float
    offset: object = 0.0

    def to_model(self, points):
        """Object frame -> model frame."""
        return self.scale * points + self.offset

    def from_model(self, points):
        """Model frame -> object frame."""
        return (points - self.offset) / self.scale

    def camera(self, matrix):
        """(..., 4, 3) trans_mat of the object frame -> that of the model frame, the same pixels."""
        back = np.diag([1 / self.scale] * 3 + [1.0])
        back[3, :3] = -np.asarray(self.offset) / self.scale
        return back @ np.asarray(matrix)

    def object_camera(self, matrix):
        """(..., 4, 3) trans_mat of the model frame -> that of the object frame, the same pixels."""
        forth = np.diag([self.scale] * 3 + [1.0])
        forth[3, :3] = self.offset
        return forth @ np.asarray(matrix)


def cube_frame(binary):
    """The model frame that all objects share: the voxel frame, or 2 p in SDF mode."""
    return ModelFrame(*model_scale(binary))


def sphere_frame(surface_points):
    """(S, 3) points spread over an object's surface -> DISN's frame: their mean at 0, the farthest at distance 1."""
    points = np.asarray(surface_points, np.float64)
    centre = points.mean(0)
    scale = 1 / np.linalg.norm(points - centre, axis=1).max()
    return ModelFrame(scale, -scale * centre)


def to_model(points, binary):
    """Object frame -> model frame of cube_frame."""
    return cube_frame(binary).to_model(points)


def model_camera(matrix, binary):
    """(..., 4, 3) trans_mat of the object frame -> that of cube_frame, the same pixels."""
    return cube_frame(binary).camera(matrix)
