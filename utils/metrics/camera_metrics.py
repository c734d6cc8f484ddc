"""How far an estimated camera is from the true one, where cameras that an object's symmetry makes equal are equal."""

import numpy as np

from utils.geometry import symmetry
from utils.geometry.cameras import decompose, project

DEFINITIONS = {
    "angle": "degrees of the rotation between estimated and true camera axes; least over the object's symmetries",
    "angle_plain": "the same without regard to symmetries",
    "pixels": "mean distance of surface points in the view, pixels of the view; least over the object's symmetries",
    "space": "mean distance of surface points in the cameras' frames (DISN's d_3D), object-frame length; least over the symmetries",
    "within_15": "share of the images whose angle is below 15 degrees",
}
POINTS = 1024


def camera_errors(estimated, true, points, colours):
    """Two (4, 3) cameras of one view, the object's surface points (S, 3) object frame and colours (S, 3) uint8 -> dict of numbers."""
    fold = symmetry.rotational_order(points, colours)
    turns = symmetry.rotations(fold)
    some = points[:: max(1, len(points) // POINTS)]
    (_, RT), (_, true_RT) = decompose(estimated), decompose(true)
    angles = rotation_angle(RT[:, :3], true_RT[:, :3] @ turns)
    pixels, space = [], []
    for turn in turns:
        turned = some @ turn.T
        pixels.append(np.linalg.norm(project(some, estimated)[0] - project(turned, true)[0], axis=1).mean())
        space.append(
            np.linalg.norm(some @ RT[:, :3].T + RT[:, 3] - turned @ true_RT[:, :3].T - true_RT[:, 3], axis=1).mean()
        )
    errors = {"angle": angles.min(), "angle_plain": angles[0], "pixels": min(pixels), "space": min(space)}
    return {**{name: float(value) for name, value in errors.items()}, "fold": fold}


def rotation_angle(a, b):
    """(3, 3) and (..., 3, 3) rotations -> degrees (...) of the rotation from one to the other."""
    trace = np.einsum("ij,...ij->...", a, b)
    return np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1)))


def summarise(rows):
    """Rows of errors, each with its category -> {'median' and 'mean': {error: value}, 'within_15', 'images'} of all and by category."""

    def of(some):
        names = ("angle", "angle_plain", "pixels", "space")
        values = {name: np.array([row[name] for row in some]) for name in names}
        return {
            "images": len(some),
            "within_15": float((values["angle"] < 15).mean()),
            "median": {name: float(np.median(value)) for name, value in values.items()},
            "mean": {name: float(np.mean(value)) for name, value in values.items()},
        }

    categories = sorted({row["category"] for row in rows})
    return {"all": of(rows), **{name: of([row for row in rows if row["category"] == name]) for name in categories}}


def print_summary(summary):
    print("\nestimated cameras: median (mean) over images; symmetries of an object count as equal")
    print(f"{'':<14}{'angle, degrees':>20}{'without symmetry':>20}{'pixels':>18}{'in space':>18}{'within 15':>12}")
    for name, each in summary.items():
        shown = (("angle", 1), ("angle_plain", 1), ("pixels", 2), ("space", 3))
        cells = [f"{each['median'][key]:.{digits}f} ({each['mean'][key]:.{digits}f})" for key, digits in shown]
        print(f"{name:<14}{cells[0]:>20}{cells[1]:>20}{cells[2]:>18}{cells[3]:>18}{each['within_15']:>12.2f}")
