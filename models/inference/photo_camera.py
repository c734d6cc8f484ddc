"""The camera of a photograph: given, estimated, or estimated but for its angles."""

import dataclasses
import typing
from collections.abc import Callable, Sequence

import numpy as np

from data.network_input import network_camera, source_camera
from models.config import CameraConfig
from models.inference.camera_estimator import CameraEstimator
from utils.errors import UserError
from utils.geometry.camera_parameters import CameraParts
from utils.geometry.cameras import (
    azimuth_elevation_distance,
    check_angles,
    check_camera,
    compose,
    intrinsics,
    look_at,
    resize_camera,
)

# Support of an estimated camera. Below it, fewer than half of the cameras of validation images are
# right, and nearly as many of the likeliest other ones.
UNSURE = 0.7

Camera = str | Sequence[float] | Sequence[Sequence[float]] | np.ndarray
CameraChoice = dict[str, typing.Any]  # of one image, as results.json has it


class PhotoCamera(typing.NamedTuple):
    """The camera of a photograph, and what a user is told of it."""

    matrix: np.ndarray  # (4, 3) object frame to pixels
    source: str
    choice: CameraChoice | None = None  # how sure an estimated one is
    notes: tuple[str, ...] = ()  # remarks, one line each


def photo_camera(
    rgba: np.ndarray, size: tuple[int, int], camera: Camera, estimator: Callable[[], CameraEstimator]
) -> PhotoCamera:
    """The camera of a photograph.

    Args:
        rgba: the photograph, (H, W, 4) uint8; alpha is the mask.
        size: (height, width) of its file, which may have more pixels.
        camera: as models.inference.reconstruct.Reconstructor.reconstruct takes it.
        estimator: loads the camera network, which a given camera does not need.

    Raises:
        UserError: the camera cannot be used.
    """
    if isinstance(camera, str):
        if camera != "est":
            raise UserError(f"camera {camera}: give est, angles, or a 4x3 matrix")
        return _estimated(estimator().candidates([rgba])[0])
    try:
        numbers = np.asarray(camera, np.float64)
    except (TypeError, ValueError):
        raise UserError(f"camera {camera}: give est, angles, or a 4x3 matrix") from None
    if numbers.ndim != 1:  # of the file's pixels
        return PhotoCamera(resize_camera(check_camera(numbers, "camera"), size, rgba.shape[:2]), "given")
    angles = numbers.tolist()
    check_angles(angles, "camera " + ",".join(map(str, angles)))
    if len(angles) == 2:
        azimuth, elevation = angles
        matrix = turned(rgba, estimator().cameras([rgba])[0], azimuth, elevation, estimator().config)
        return PhotoCamera(matrix, "angles given, the rest estimated")
    K = intrinsics(rgba.shape[1], height=rgba.shape[0])
    return PhotoCamera(compose(K, look_at(*angles)), "angles and distance given")


def _estimated(candidates: list[tuple[np.ndarray, float]]) -> PhotoCamera:
    """The first of the candidates, and what is told of the second one where there is any."""
    (matrix, support), *others = candidates
    choice: CameraChoice = {"support": support, "other": None}
    notes = []
    for camera, share in others:
        azimuth, elevation, _ = (float(x) for x in azimuth_elevation_distance(camera))
        choice["other"] = {"azimuth": azimuth, "elevation": elevation, "support": share}
        if support < UNSURE:
            notes.append(
                f"the camera is not sure (support {support:.2f}): azimuth {azimuth:.0f}, elevation {elevation:.0f} is "
                f"possible too ({share:.2f}); if the mesh is wrong, give the camera {azimuth:.0f},{elevation:.0f}"
            )
    return PhotoCamera(matrix, "estimated", choice, tuple(notes))


def turned(rgba: np.ndarray, camera: np.ndarray, azimuth: float, elevation: float, config: CameraConfig) -> np.ndarray:
    """A camera that looks from another direction; the rest of it stays.

    Args:
        rgba: the image, (H, W, 4) uint8; alpha is the mask.
        camera: (4, 3) of the image.
        azimuth: degrees.
        elevation: degrees, in (-90, 90).
        config: how the camera network sees the image.

    Returns:
        (4, 3) of the image.
    """
    parts = CameraParts.of(network_camera(camera, rgba, config), config.img_w)
    parts = dataclasses.replace(parts, rotation=look_at(azimuth, elevation, 1.0)[:, :3])
    return source_camera(parts.trans_mat(config.img_w), rgba, config)
