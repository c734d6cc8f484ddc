"""Cameras from flow volumes: the projection that takes voxels to their pixels, and the axes of the volume.

The direct linear transform is that of Hartley & Zisserman, Multiple View Geometry, section 4.1 and algorithm 7.1.
"""

import dataclasses
import itertools

import numpy as np

from utils.errors import UserError
from utils.geometry import frames
from utils.geometry.cameras import azimuth_elevation_distance, check_camera, decompose, project

SAMPLES = 100  # minimal samples per view: with 40 % outliers the chance that all are spoilt is 1 %
MIN_POINTS = 12  # six determine a camera; as many again to tell outliers
MIN_INLIERS = 0.6  # share of the voxels that must agree with one camera
GOOD_ERROR, GOOD_INLIERS = 1.0, 0.9  # pixels and share at which plain least squares needs no second start
MAX_ERROR = 2.0  # pixels; a camera whose inliers are further off (RMS) is refused
IDENTITY = ((1, 0, 0), (0, 1, 0), (0, 0, 1))


@dataclasses.dataclass
class Fit:
    """A recovered camera and how well it fits, residuals in pixels."""

    trans_mat: np.ndarray  # (4, 3), object frame to pixels, w = depth in object-frame units
    rms: float  # over the inliers
    median: float  # over all points
    percentile95: float
    inlier_share: float


def _normaliser(points):
    """(D+1, D+1) similarity that takes points (N, D) to the origin with a typical distance of sqrt(D).

    Medians, since outliers would move the mean; column vectors.
    """
    size = points.shape[1]
    centre = np.median(points, 0)
    spread = np.median(np.linalg.norm(points - centre, axis=1))
    result = np.eye(size + 1) * (np.sqrt(size) / max(spread, 1e-12))
    result[size, size] = 1
    result[:size, size] = -result[0, 0] * centre
    return result


def _equations(points, pixels):
    """(N, 4) homogeneous points, (N, 2) pixels -> (N, 2, 12): two linear equations each in the rows of P (3x4)."""
    zero = np.zeros_like(points)
    u, v = pixels[:, :1] * points, pixels[:, 1:] * points
    return np.stack([np.concatenate([points, zero, -u], 1), np.concatenate([zero, points, -v], 1)], 1)


def _residuals(P, points, pixels):
    """(..., 3, 4) projections, (N, 4), (N, 2) -> (..., N) distances in the image, and the depths w (..., N)."""
    h = points @ np.swapaxes(P, -1, -2)
    w = h[..., 2]
    safe = np.where(np.abs(w) < 1e-9, 1e-9, w)
    return np.linalg.norm(h[..., :2] / safe[..., None] - pixels, axis=-1), w


def _solve(equations, weights):
    """Weighted least squares with |P| = 1: (N, 2, 12), (N,) -> P (3, 4), eigenvalues (12,) ascending."""
    rows = (equations * weights[:, None, None]).reshape(-1, 12)
    values, vectors = np.linalg.eigh(rows.T @ rows)
    return vectors[:, 0].reshape(3, 4), values


def _refine(P, x, y, equations):
    """Least squares over the inliers of P (3, 4), found anew until they stay the same: P, inliers (N,) bool.

    Each equation is divided by its depth, which turns the algebraic error into the distance in the image. Inliers lie
    within three robust standard deviations. UserError if they do not determine a camera.
    """
    inliers = None
    for _ in range(20):
        residuals, w = _residuals(P, x, y)
        # the median of the length of a 2D Gaussian is 1.177 standard deviations; 1e-9 is rounding, in units of the object
        now = residuals <= max(3 / 1.177 * np.median(residuals), 1e-9)
        if inliers is not None and (now == inliers).all():
            break
        inliers = now
        P, values = _solve(equations, inliers / np.maximum(np.abs(w), 1e-6))
        # A plane leaves more than one solution: the second smallest eigenvalue vanishes too. What is merely flat keeps 1e-7.
        if values[1] < 1e-12 * values[-1]:
            raise UserError("the voxels lie in a plane (or on a curve), which does not determine a camera")
    return P, inliers


def fit_camera(points, pixels, rng):
    """The camera that projects points (N, 3) (object frame) to pixels (N, 2), for up to 40 % of outliers: a Fit.

    Least squares over all points is the start where it leaves hardly any outliers; else, of many six-point solutions,
    the one with the least median residual. UserError if the points do not determine a camera.
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
    some = rng.permutation(len(x))[:500]
    best = np.argmin(np.median(_residuals(candidates, x[some], y[some])[0], 1))
    return _fit(*_refine(candidates[best], x, y, equations), T, U, points, pixels)


def _fit(P, inliers, T, U, points, pixels):
    """The Fit of a projection P (3, 4) between points normalised by T and pixels normalised by U."""
    P = np.linalg.inv(U) @ P @ T
    w = np.concatenate([points, np.ones((len(points), 1))], 1) @ P[2]
    P *= np.sign(np.median(w)) / np.linalg.norm(P[2, :3])  # w > 0 in front of the camera, and w is the depth
    residuals = np.linalg.norm(project(points, P.T)[0] - pixels, axis=1)
    rms = np.sqrt(np.mean(residuals[inliers] ** 2))
    return Fit(
        P.T, float(rms), float(np.median(residuals)), float(np.percentile(residuals, 95)), float(np.mean(inliers))
    )


def accept(fit, where):
    """UserError naming `where` if a fit is too bad to be used."""
    if fit.rms > MAX_ERROR or fit.inlier_share < MIN_INLIERS:
        raise UserError(
            f"{where}: no camera fits: {fit.inlier_share:.0%} of the voxels agree within {fit.rms:.2f} px (RMS), "
            f"wanted at least {MIN_INLIERS:.0%} within {MAX_ERROR:g} px (median {fit.median:.2f} px, 95 % below {fit.percentile95:.2f} px)"
        )
    check_camera(fit.trans_mat, where)


def signed_permutations():
    """The 48 matrices (nested tuples) that permute and flip the axes, fewest changed axes first, identity first."""
    found = []
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1, -1), repeat=3):
            found.append(tuple(tuple(signs[row] * (order[row] == column) for column in range(3)) for row in range(3)))
    return sorted(found, key=lambda axes: -np.trace(np.maximum(axes, 0)))


def choose_axes(trans_mats):
    """Axes A with p = A q for one object whose cameras (V, 4, 3) were recovered in volume axes q.

    Right-handed cameras and a mean camera-up towards +y leave four choices, which differ by turns about y: the one
    that changes fewest axes is taken, then the one whose view 0 is nearest to azimuth 90 degrees, as in Im2Avatar.
    """
    rotations = np.stack([decompose(matrix)[1][:, :3] for matrix in trans_mats])
    handedness = np.sign(np.sum(np.sign(np.linalg.det(rotations))))
    up = -rotations[:, 1].mean(0)  # the camera's y axis points down
    candidates = [axes for axes in signed_permutations() if np.linalg.det(axes) * handedness > 0]
    upward = max((np.array(axes) @ up)[1] for axes in candidates)
    candidates = [axes for axes in candidates if (np.array(axes) @ up)[1] > upward - 1e-9]
    kept = max(np.trace(np.maximum(axes, 0)) for axes in candidates)

    def off_azimuth(axes):
        back = np.eye(4)
        back[:3, :3] = axes  # row vectors: q = p A, since A is orthogonal
        azimuth = azimuth_elevation_distance(back @ trans_mats[0])[0]
        return abs((azimuth - 90 + 180) % 360 - 180)

    return min((axes for axes in candidates if np.trace(np.maximum(axes, 0)) == kept), key=off_azimuth)


def describe(axes):
    """'x y z' = -z +y +x: which volume axis, with which sign, becomes x, y and z."""
    places = [[value != 0 for value in row].index(True) for row in axes]
    return " ".join(("-" if row[at] < 0 else "+") + "xyz"[at] for row, at in zip(axes, places, strict=True))


def turn_index(index, axes):
    """(N, 3) integer index of a 64^3 volume -> index after p = A q (the middle of the volume stays)."""
    last = frames.VOXELS - 1
    return (((2 * index - last) @ np.array(axes).T + last) // 2).astype(index.dtype)
