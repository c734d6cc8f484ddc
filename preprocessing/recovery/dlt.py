"""Cameras from flow volumes: the projection of voxels to their pixels, and the volume's axes.

The direct linear transform is that of Hartley & Zisserman, Multiple View Geometry, section 4.1 and
algorithm 7.1.
"""

import dataclasses
import itertools
import os
from typing import TypeAlias

import numpy as np

from utils.errors import UserError
from utils.geometry import frames
from utils.geometry.cameras import azimuth_elevation_distance, check_camera, decompose, project

Axes: TypeAlias = tuple[tuple[int, ...], ...]  # 3 x 3 signed permutation, by rows

SAMPLES = 100  # minimal samples per view: with 40 % outliers the chance that all are spoilt is 1 %
MIN_POINTS = 12  # six determine a camera; as many again reveal outliers
MIN_INLIERS = 0.6  # share of the voxels that must agree with one camera
GOOD_ERROR, GOOD_INLIERS = 1.0, 0.9  # pixels and share at which plain least squares is good enough
MAX_ERROR = 2.0  # pixels; a camera whose inliers are further off (RMS) is refused
IDENTITY: Axes = ((1, 0, 0), (0, 1, 0), (0, 0, 1))


@dataclasses.dataclass
class Fit:
    """A recovered camera and its residuals, in pixels."""

    trans_mat: np.ndarray  # (4, 3), object frame to pixels, w = depth in object-frame units
    rms: float  # over the inliers
    median: float  # over all points
    percentile95: float
    inlier_share: float


def _normaliser(points: np.ndarray) -> np.ndarray:
    """Similarity that takes points (N, D) to the origin with a typical distance of sqrt(D).

    It uses medians, since outliers would move the mean. Returns (D+1, D+1) for column vectors.
    """
    size = points.shape[1]
    centre = np.median(points, 0)
    spread = np.median(np.linalg.norm(points - centre, axis=1))
    result = np.eye(size + 1) * (np.sqrt(size) / max(spread, 1e-12))
    result[size, size] = 1
    result[:size, size] = -result[0, 0] * centre
    return result


def _equations(points: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """(N, 2, 12): two linear equations for each point in the rows of P (3, 4).

    points: (N, 4) homogeneous; pixels: (N, 2).
    """
    zero = np.zeros_like(points)
    u, v = pixels[:, :1] * points, pixels[:, 1:] * points
    return np.stack([np.concatenate([points, zero, -u], 1), np.concatenate([zero, points, -v], 1)], 1)


def _residuals(P: np.ndarray, points: np.ndarray, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances in the image (..., N) and depths w (..., N) under projections P (..., 3, 4).

    points: (N, 4) homogeneous; pixels: (N, 2).
    """
    h = points @ np.swapaxes(P, -1, -2)
    w = h[..., 2]
    safe = np.where(np.abs(w) < 1e-9, 1e-9, w)
    return np.linalg.norm(h[..., :2] / safe[..., None] - pixels, axis=-1), w


def _solve(equations: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weighted least squares with |P| = 1.

    equations (N, 2, 12), weights (N,) -> P (3, 4), eigenvalues (12,) ascending.
    """
    rows = (equations * weights[:, None, None]).reshape(-1, 12)
    values, vectors = np.linalg.eigh(rows.T @ rows)
    return vectors[:, 0].reshape(3, 4), values


def _refine(P: np.ndarray, x: np.ndarray, y: np.ndarray, equations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least squares over the inliers, repeated until these stay the same.

    Each equation is divided by its depth, which turns the algebraic error into the distance in the
    image. Inliers are within three robust standard deviations.

    Args:
        P: the first projection, (3, 4).
        x: normalised homogeneous points, (N, 4).
        y: normalised pixels, (N, 2).
        equations: of _equations(x, y).

    Returns:
        P (3, 4), inliers (N,) bool.

    Raises:
        UserError: the inliers do not determine a camera.
    """
    inliers: np.ndarray | None = None
    for _ in range(20):
        residuals, w = _residuals(P, x, y)
        # The median length of a 2D Gaussian is 1.177 standard deviations. 1e-9 allows for rounding,
        # in units of the object.
        now = residuals <= max(3 / 1.177 * np.median(residuals), 1e-9)
        if inliers is not None and (now == inliers).all():
            break
        inliers = now
        P, values = _solve(equations, inliers / np.maximum(np.abs(w), 1e-6))
        # A plane leaves more than one solution: the second smallest eigenvalue vanishes too. Points
        # that are merely flat keep 1e-7.
        if values[1] < 1e-12 * values[-1]:
            raise UserError("the voxels lie in a plane (or on a curve), which does not determine a camera")
    assert inliers is not None
    return P, inliers


def fit_camera(points: np.ndarray, pixels: np.ndarray, rng: np.random.Generator) -> Fit:
    """The camera that projects points to pixels, in spite of up to 40 % of outliers.

    Least squares over all points is the start where it leaves hardly any outliers. Otherwise the
    start is, of many six-point solutions, the one with the smallest median residual.

    Args:
        points: (N, 3), object frame.
        pixels: (N, 2).
        rng: the six-point samples are drawn from it.

    Raises:
        UserError: the points do not determine a camera.
    """
    if len(points) < MIN_POINTS:
        raise UserError(f"only {len(points)} voxels have a pixel, a camera needs at least {MIN_POINTS}")
    T, U = _normaliser(points), _normaliser(pixels)
    x = np.concatenate([points, np.ones((len(points), 1))], 1) @ T.T
    y = pixels @ U[:2, :2].T + U[:2, 2]
    equations = _equations(x, y)
    fit = _fit(*_refine(_solve(equations, np.ones(len(x)))[0], x, y, equations), T, U, points, pixels)
    if fit.rms < GOOD_ERROR and fit.inlier_share > GOOD_INLIERS:
        return fit
    chosen = np.stack([rng.choice(len(x), 6, replace=False) for _ in range(SAMPLES)])
    candidates = np.linalg.svd(equations[chosen].reshape(SAMPLES, 12, 12))[2][:, -1].reshape(-1, 3, 4)
    subset = rng.permutation(len(x))[:500]
    best = np.argmin(np.median(_residuals(candidates, x[subset], y[subset])[0], 1))
    return _fit(*_refine(candidates[best], x, y, equations), T, U, points, pixels)


def _fit(
    P: np.ndarray, inliers: np.ndarray, T: np.ndarray, U: np.ndarray, points: np.ndarray, pixels: np.ndarray
) -> Fit:
    """The Fit of a projection P (3, 4) from points normalised by T to pixels normalised by U."""
    P = np.linalg.inv(U) @ P @ T
    w = np.concatenate([points, np.ones((len(points), 1))], 1) @ P[2]
    P *= np.sign(np.median(w)) / np.linalg.norm(P[2, :3])  # w > 0 in front of the camera, and w is the depth
    residuals = np.linalg.norm(project(points, P.T)[0] - pixels, axis=1)
    return Fit(
        trans_mat=P.T,
        rms=float(np.sqrt(np.mean(residuals[inliers] ** 2))),
        median=float(np.median(residuals)),
        percentile95=float(np.percentile(residuals, 95)),
        inlier_share=float(np.mean(inliers)),
    )


def accept(fit: Fit, where: str | os.PathLike[str]) -> None:
    """UserError naming the file `where` if a fit is too bad to be used."""
    if fit.rms > MAX_ERROR or fit.inlier_share < MIN_INLIERS:
        raise UserError(
            f"{where}: no camera fits: {fit.inlier_share:.0%} of the voxels agree within {fit.rms:.2f} px (RMS), "
            f"wanted at least {MIN_INLIERS:.0%} within {MAX_ERROR:g} px "
            f"(median {fit.median:.2f} px, 95 % below {fit.percentile95:.2f} px)"
        )
    check_camera(fit.trans_mat, where)


def signed_permutations() -> list[Axes]:
    """The 48 matrices that permute and flip the axes; those that change fewest axes come first."""
    matrices = []
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1, -1), repeat=3):
            rows = (tuple(signs[row] * (order[row] == column) for column in range(3)) for row in range(3))
            matrices.append(tuple(rows))
    return sorted(matrices, key=lambda axes: -np.trace(np.maximum(axes, 0)))


def choose_axes(trans_mats: np.ndarray) -> Axes:
    """The axes A with p = A q of an object whose cameras were recovered in volume axes q.

    The cameras have to be right-handed, and their mean up direction has to be near +y. That leaves
    four choices, which differ by turns about y. Of these, the ones that change fewest axes are
    taken, and of those the one whose view 0 is nearest to azimuth 90 degrees, as in Im2Avatar.

    trans_mats: (V, 4, 3).
    """
    rotations = np.stack([decompose(matrix)[1][:, :3] for matrix in trans_mats])
    handedness = np.sign(np.sum(np.sign(np.linalg.det(rotations))))
    up = -rotations[:, 1].mean(0)  # the camera's y axis points down
    candidates = [axes for axes in signed_permutations() if np.linalg.det(axes) * handedness > 0]
    upward = max((np.array(axes) @ up)[1] for axes in candidates)
    candidates = [axes for axes in candidates if (np.array(axes) @ up)[1] > upward - 1e-9]
    kept = max(np.trace(np.maximum(axes, 0)) for axes in candidates)

    def off_azimuth(axes: Axes) -> float:
        back = np.eye(4)
        back[:3, :3] = axes  # row vectors: q = p A, since A is orthogonal
        azimuth = azimuth_elevation_distance(back @ trans_mats[0])[0]
        return abs((azimuth - 90 + 180) % 360 - 180)

    return min((axes for axes in candidates if np.trace(np.maximum(axes, 0)) == kept), key=off_azimuth)


def describe(axes: Axes) -> str:
    """For example '-z +y +x': the volume axes, with signs, that become x, y and z."""
    places = [[value != 0 for value in row].index(True) for row in axes]
    return " ".join(("-" if row[at] < 0 else "+") + "xyz"[at] for row, at in zip(axes, places, strict=True))


def turn_index(index: np.ndarray, axes: Axes | np.ndarray) -> np.ndarray:
    """Turn the integer index (N, 3) of a 64^3 volume about the volume's middle: p = A q."""
    last = frames.VOXELS - 1
    return (((2 * index - last) @ np.array(axes).T + last) // 2).astype(index.dtype)
