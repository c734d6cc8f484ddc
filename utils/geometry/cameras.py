"""Cameras: intrinsics, extrinsics, projection, and their change when images are resized."""

import pathlib
from collections.abc import Sequence

import numpy as np

from utils.errors import UserError
from utils.text_files import read_numbers

FOCAL = 35 / 32  # focal length over image width: 35 mm on a 32 mm sensor (3D-R2N2)
MARGIN = 1.03  # 3 % around the bounding sphere, so that antialiasing and voxel corners stay in the image


def intrinsics(width: int, focal: float = FOCAL, height: int | None = None) -> np.ndarray:
    """(3, 3) K of an image whose principal ray passes through its middle.

    Args:
        width: pixels.
        focal: focal length over the width.
        height: pixels; None: as wide.
    """
    height = width if height is None else height
    return np.array([[focal * width, 0, (width - 1) / 2], [0, focal * width, (height - 1) / 2], [0, 0, 1]])


def look_at(azimuth: float, elevation: float, distance: float) -> np.ndarray:
    """Extrinsics of a camera that looks at the origin.

    The camera stands at distance * (cos el sin az, sin el, cos el cos az), +y up.

    Args:
        azimuth: degrees.
        elevation: degrees, in (-90, 90).
        distance: object-frame length.

    Returns:
        (3, 4) [R | t], object frame to camera frame.
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


def compose(K: np.ndarray, RT: np.ndarray) -> np.ndarray:
    """(3, 3) K and (3, 4) [R | t] -> (4, 3) trans_mat."""
    return (K @ RT).T


def decompose(trans_mat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(4, 3) trans_mat -> K (3, 3) with K[2,2] = 1 and positive focal lengths, [R | t] (3, 4).

    det R is +1, or -1 for a mirrored camera. RQ decomposition (Hartley & Zisserman, section 6.2.4).
    The overall sign of a trans_mat matters: w > 0 in front of the camera.
    """
    P = np.asarray(trans_mat, np.float64).T
    reverse = np.eye(3)[::-1]
    q, r = np.linalg.qr((reverse @ P[:, :3]).T)
    K, R = reverse @ r.T @ reverse, reverse @ q.T
    signs = np.diag(np.sign(np.diag(K)))
    K, R = K @ signs, signs @ R
    return K / K[2, 2], np.concatenate([R, np.linalg.solve(K, P[:, 3:])], 1)


def azimuth_elevation_distance(trans_mat: np.ndarray) -> tuple[float, float, float]:
    """Where the camera of a (4, 3) trans_mat stands, as look_at takes it; azimuth in [0, 360)."""
    RT = decompose(trans_mat)[1]
    centre = -RT[:, :3].T @ RT[:, 3]
    distance = float(np.linalg.norm(centre))
    return np.degrees(np.arctan2(centre[0], centre[2])) % 360, np.degrees(np.arcsin(centre[1] / distance)), distance


def project(points: np.ndarray, trans_mat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, 3) object-frame points, (4, 3) trans_mat -> (N, 2) pixels, not clipped, and (N,) w."""
    h = np.concatenate([points, np.ones_like(points[:, :1])], 1) @ trans_mat
    return h[:, :2] / h[:, 2:], h[:, 2]


def camera_centre(trans_mat: np.ndarray) -> np.ndarray:
    """(3,) where the camera of a (4, 3) trans_mat stands."""
    return -np.linalg.solve(trans_mat[:3].T, trans_mat[3])


def pixel_rays(trans_mat: np.ndarray, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rays of a camera through pixels; the inverse of project().

    Args:
        trans_mat: (4, 3), object frame to pixels.
        u, v: (N,) pixels.

    Returns:
        Their origin (3,), which is the place of the camera, and their directions (N, 3), object
        frame. One step along a direction leads to w = 1.
    """
    P = np.asarray(trans_mat).T
    inverse = np.linalg.inv(P[:, :3])
    return -inverse @ P[:, 3], np.stack([u, v, np.ones_like(u)], 1) @ inverse.T


def resize_camera(trans_mat: np.ndarray, old: Sequence[int], new: Sequence[int]) -> np.ndarray:
    """The camera of a resized image: u' = (u + 0.5) W'/W - 0.5, likewise v'.

    Args:
        trans_mat: (4, 3) camera of the image.
        old: (height, width) of the image.
        new: (height, width) of the resized image.

    Returns:
        (4, 3) trans_mat.
    """
    sy, sx = new[0] / old[0], new[1] / old[1]
    return np.asarray(trans_mat) @ np.array([[sx, 0, 0], [0, sy, 0], [0.5 * sx - 0.5, 0.5 * sy - 0.5, 1]])


def image_to_pixel(t: np.ndarray, size: int | np.ndarray) -> np.ndarray:
    """Image coordinates in [0, 1] -> pixels, u = t size - 0.5."""
    return t * size - 0.5


def pixel_to_image(u: np.ndarray, size: int | np.ndarray) -> np.ndarray:
    """Pixels -> image coordinates in [0, 1]."""
    return (u + 0.5) / size


def check_camera(trans_mat: np.ndarray, source: object) -> np.ndarray:
    """Check that a camera can be used.

    Args:
        trans_mat: (4, 3) camera.
        source: the file or view it comes from, for messages.

    Returns:
        The camera as float64.

    Raises:
        UserError: the shape is wrong, values are not finite, it does not project to an image, or
            the object is behind the camera.
    """
    trans_mat = np.asarray(trans_mat, np.float64)
    if trans_mat.shape != (4, 3):
        raise UserError(
            f"{source}: a camera is a 4x3 trans_mat (row vectors), this one is {'x'.join(map(str, trans_mat.shape))}"
        )
    if not np.isfinite(trans_mat).all():
        raise UserError(f"{source}: the camera has values that are not finite")
    columns = trans_mat[:3] / np.maximum(np.linalg.norm(trans_mat[:3], axis=0), 1e-150)  # scaled, it is the same camera
    if abs(np.linalg.det(columns)) < 1e-9:
        raise UserError(f"{source}: the camera is singular, it does not project to an image")
    if trans_mat[3, 2] <= 0:  # w of the origin: the object must be in front of the camera
        raise UserError(f"{source}: the object is behind the camera (w = {trans_mat[3, 2]:.3g} at the origin)")
    return trans_mat


def fitting_distance(radius: float, focal: float = FOCAL) -> float:
    """The distance at which a sphere around the origin just fits into the image, with MARGIN.

    `focal` is the focal length over the width of the image.
    """
    return radius / np.sin(np.arctan(0.5 / focal)) * MARGIN


def parse_camera(text: str) -> str | tuple[float, ...] | np.ndarray:
    """Parse a camera as commands take it.

    Args:
        text: est; azimuth,elevation or azimuth,elevation,distance in degrees; or the path of a
            text file with a 4x3 trans_mat.

    Returns:
        "est", the numbers, or the (4, 3) matrix.

    Raises:
        UserError: it is none of these, or out of range.
    """
    if text == "est":
        return text
    path = pathlib.Path(text)
    if path.exists():
        try:
            matrix = read_numbers(path)
        except (ValueError, OSError, UnicodeDecodeError) as error:
            reason = str(error).splitlines()[0]
            raise UserError(f"{path} is not a camera: give 4 lines of 3 numbers ({reason})") from None
        return check_camera(matrix, path)
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    check_angles(numbers, f"camera {text}")
    return numbers


def check_angles(numbers: Sequence[float], name: str) -> None:
    """UserError, with the name, unless these are azimuth, elevation and possibly a distance."""
    if len(numbers) not in (2, 3) or not np.isfinite(numbers).all():
        wanted = "est, azimuth,elevation or azimuth,elevation,distance in degrees, or an existing file"
        raise UserError(f"{name}: give {wanted}")
    if not -90 < numbers[1] < 90:
        raise UserError(f"{name}: the elevation must be between -90 and 90 degrees")
    if len(numbers) == 3 and numbers[2] <= 0.5:
        raise UserError(f"{name}: the distance must be above 0.5, the object's longest side being 1")
