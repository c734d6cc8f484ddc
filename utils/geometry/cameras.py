"""Cameras: intrinsics, extrinsics, projection, and what becomes of them when images are resized."""

import numpy as np

from utils.errors import UserError

FOCAL = 35 / 32  # focal length over image width: 35 mm on a 32 mm sensor (3D-R2N2)


def intrinsics(size, focal=FOCAL):
    """(3, 3) K of a square image of `size` pixels whose principal ray goes through its middle."""
    return np.array([[focal * size, 0, (size - 1) / 2], [0, focal * size, (size - 1) / 2], [0, 0, 1]])


def look_at(azimuth, elevation, distance):
    """(3, 4) extrinsics [R | t], object frame to camera frame, of a camera that looks at the origin.

    Angles in degrees. The camera stands at distance * (cos el sin az, sin el, cos el cos az), +y up.
    """
    if not -90 < elevation < 90:
        raise UserError(f"elevation {elevation} is outside (-90, 90) degrees")
    az, el = np.radians(azimuth), np.radians(elevation)
    centre = distance * np.array([np.cos(el) * np.sin(az), np.sin(el), np.cos(el) * np.cos(az)])
    forward = -centre / np.linalg.norm(centre)
    right = np.cross(forward, [0, 1, 0])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])  # rows: x right, y down, z forward
    return np.concatenate([rotation, -rotation @ centre[:, None]], 1)


def compose(K, RT):
    """(3, 3) K and (3, 4) [R | t] -> (4, 3) matrix for row vectors."""
    return (K @ RT).T


def decompose(matrix):
    """(4, 3) trans_mat -> K (3, 3) with K[2,2] = 1 and positive focals, [R | t] (3, 4).

    det R is +1, or -1 for a mirrored camera. RQ decomposition (Hartley & Zisserman, section 6.2.4). The overall
    sign of a trans_mat is meaningful: w > 0 in front of the camera.
    """
    P = np.asarray(matrix, np.float64).T
    reverse = np.eye(3)[::-1]
    q, r = np.linalg.qr((reverse @ P[:, :3]).T)
    K, R = reverse @ r.T @ reverse, reverse @ q.T
    signs = np.diag(np.sign(np.diag(K)))
    K, R = K @ signs, signs @ R
    return K / K[2, 2], np.concatenate([R, np.linalg.solve(K, P[:, 3:])], 1)


def azimuth_elevation_distance(matrix):
    """(4, 3) trans_mat -> azimuth in [0, 360), elevation (degrees), distance of its camera from the origin."""
    RT = decompose(matrix)[1]
    centre = -RT[:, :3].T @ RT[:, 3]
    distance = np.linalg.norm(centre)
    return np.degrees(np.arctan2(centre[0], centre[2])) % 360, np.degrees(np.arcsin(centre[1] / distance)), distance


def project(points, matrix):
    """(N, 3) object-frame points, (4, 3) trans_mat -> (N, 2) pixels, (N,) w; pixels are not clipped."""
    h = np.concatenate([points, np.ones_like(points[:, :1])], 1) @ matrix
    return h[:, :2] / h[:, 2:], h[:, 2]


def resize_camera(matrix, old, new):
    """The trans_mat after resizing an image of old = (height, width) to new: u' = (u + 0.5) W'/W - 0.5."""
    sy, sx = new[0] / old[0], new[1] / old[1]
    return np.asarray(matrix) @ np.array([[sx, 0, 0], [0, sy, 0], [0.5 * sx - 0.5, 0.5 * sy - 0.5, 1]])


def image_to_pixel(t, size):
    """Image coordinate in [0, 1] -> pixel, u = t W - 0.5."""
    return t * size - 0.5


def pixel_to_image(u, size):
    """Pixel -> image coordinate in [0, 1]."""
    return (u + 0.5) / size


def check_camera(matrix, where):
    """A (4, 3) float64 camera that can be used, or a UserError that names `where` it came from."""
    matrix = np.asarray(matrix, np.float64)
    if matrix.shape != (4, 3):
        raise UserError(
            f"{where}: a camera is a 4x3 trans_mat (row vectors), this one is {'x'.join(map(str, matrix.shape))}"
        )
    if not np.isfinite(matrix).all():
        raise UserError(f"{where}: the camera has values that are not finite")
    if abs(np.linalg.det(matrix[:3])) < 1e-12:
        raise UserError(f"{where}: the camera is singular, it does not project to an image")
    if matrix[3, 2] <= 0:  # w of the origin: the object must stand in front of the camera
        raise UserError(f"{where}: the object is behind the camera (w = {matrix[3, 2]:.3g} at the origin)")
    return matrix


MARGIN = 1.03  # the bounding sphere leaves 3 % free, so that antialiasing and voxel corners stay in the picture


def fitting_distance(radius):
    """The smallest distance (with margin) at which a sphere of this radius around the origin is wholly in the picture."""
    return radius / np.sin(np.arctan(0.5 / FOCAL)) * MARGIN
