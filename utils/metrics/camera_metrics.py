"""Errors of estimated cameras. Cameras that differ by a symmetry of the object count as equal."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from utils.geometry import symmetry
from utils.geometry.cameras import decompose, project

RIGHT = 15  # degrees
DEFINITIONS = {
    "angle": "degrees of the rotation between estimated and true camera axes; least over the object's symmetries",
    "angle_plain": "the same without regard to symmetries",
    "pixels": "mean distance of surface points in the view, pixels of the view; least over the object's symmetries",
    "space": "mean distance of surface points in the cameras' frames (DISN's d_3D), object-frame length; least over"
    " the symmetries",
    "within_15": f"share of the images whose angle is below {RIGHT} degrees",
}
ERRORS = {"angle": 1, "angle_plain": 1, "pixels": 2, "space": 3}  # error: digits after the point in the table
POINTS = 1024  # surface points that are projected, about


def camera_errors(
    estimated: np.ndarray, true: np.ndarray, points: np.ndarray, colours: np.ndarray
) -> dict[str, float | int]:
    """Compare two cameras of one view.

    Args:
        estimated: (4, 3) trans_mat.
        true: (4, 3) trans_mat.
        points: (S, 3) surface points of the object, object frame.
        colours: (S, 3) uint8 colours of the points.

    Returns:
        The errors of DEFINITIONS except within_15, and `order`, the object's rotational order.
    """
    order = symmetry.rotational_order(points, colours)
    rotations = symmetry.rotations(order)
    sample = points[:: max(1, len(points) // POINTS)]
    (_, RT), (_, true_RT) = decompose(estimated), decompose(true)
    angles = rotation_angle(RT[:, :3], true_RT[:, :3] @ rotations)
    in_view, in_camera_frame = project(sample, estimated)[0], sample @ RT[:, :3].T + RT[:, 3]
    pixels, space = [], []
    for rotation in rotations:
        rotated = sample @ rotation.T
        pixels.append(np.linalg.norm(in_view - project(rotated, true)[0], axis=1).mean())
        space.append(np.linalg.norm(in_camera_frame - rotated @ true_RT[:, :3].T - true_RT[:, 3], axis=1).mean())
    errors = {"angle": angles.min(), "angle_plain": angles[0], "pixels": min(pixels), "space": min(space)}
    return {**{name: float(value) for name, value in errors.items()}, "order": order}


def rotation_angle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Angle in degrees (...) between a rotation (3, 3) and rotations (..., 3, 3)."""
    trace = np.einsum("ij,...ij->...", a, b)
    return np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1)))


def summarise(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Medians and means over images, for all of them and for every category.

    Args:
        rows: the result of `camera_errors` for every image, with its `category`.

    Returns:
        {"all" or category: {"images": n, "within_15": share, "median": {error: value}, "mean":
        {error: value}}}
    """

    def summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        values = {name: np.array([row[name] for row in rows]) for name in ERRORS}
        return {
            "images": len(rows),
            "within_15": float((values["angle"] < RIGHT).mean()),
            "median": {name: float(np.median(value)) for name, value in values.items()},
            "mean": {name: float(np.mean(value)) for name, value in values.items()},
        }

    categories = sorted({row["category"] for row in rows})
    return {
        "all": summary(rows),
        **{category: summary([row for row in rows if row["category"] == category]) for category in categories},
    }


def print_summary(summary: Mapping[str, Mapping[str, Any]]) -> None:
    """Print the table of what `summarise` returns."""
    print("\nestimated cameras: median (mean) over images; symmetries of an object count as equal")
    print(f"{'':<14}{'angle, degrees':>20}{'without symmetry':>20}{'pixels':>18}{'in space':>18}{'within 15':>12}")
    for group, values in summary.items():
        cells = [
            f"{values['median'][name]:.{digits}f} ({values['mean'][name]:.{digits}f})"
            for name, digits in ERRORS.items()
        ]
        print(f"{group:<14}{cells[0]:>20}{cells[1]:>20}{cells[2]:>18}{cells[3]:>18}{values['within_15']:>12.2f}")
