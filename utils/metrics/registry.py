"""The metrics by name: what each is, measuring them, and their means and standard deviations."""

import collections.abc
import dataclasses

import numpy as np

from utils.errors import UserError
from utils.metrics import surface_metrics as surfaces
from utils.metrics import voxel_metrics
from utils.metrics.comparison import PREDICTED_POINTS, Comparison

DEFAULT = "iou,psnr"  # the others need the predicted surface: a second an image
F_PERCENT = (0.5, 1, 2, 5, 10, 20)  # thresholds of the F-score that DISN tabulates

CLOUDS = (
    f"between {PREDICTED_POINTS} points drawn uniformly by area from the predicted surface and all surface points that the database stores"
    " of the object (16384 by default; the finite number of true points alone keeps a perfect surface from the best value)"
)
DISN_FRAME = (
    f"{surfaces.DISN_POINTS} random points of each surface (all true ones if fewer are stored), lengths in DISN's frame: the farthest true"
    " surface point is 1 from the mean of them"
)
GENERAL = {
    "predicted voxels": "binary: the occupied cells of the field (g0 > level); SDF: the extracted surface, sampled and voxelised as the"
    " truth is; other resolutions than 64 are first snapped to the 64^3 voxels their points lie in, with the mean colour",
    "predicted surface": "marching cubes of the field at the level; of a binary field, which is a shell of occupied voxels, and of the"
    " baselines' voxels (occupied = 1, empty = 0, level 1/2) after cells that the shell encloses were filled: the outer wall",
    "failures": "a failed or empty prediction has the worst value of every metric; it is counted in every mean and listed. One that has"
    " voxels but no surface (a field without an empty cell) has the worst value of those metrics that need a surface, and is counted",
    "mean": "per image, averaged over an object's views, then over a category's objects, then over the categories",
    "std": "standard deviation (divided by n) over a category's objects, each averaged over its views; of the mean: over all objects",
    "views": "per view: averaged over a category's objects, then over the categories; standard deviations over objects",
    "true voxels": "the object's own true voxels, taken as a prediction: what the metrics give to the best field of 64^3 voxels",
}


@dataclasses.dataclass(frozen=True)
class Metric:
    """One number for one image."""

    heading: str
    digits: int  # after the point, in tables
    worst: float  # of a failed or empty prediction
    measure: collections.abc.Callable  # Comparison -> float
    definition: str
    surface: bool = True  # needs the predicted surface
    colour: bool = False  # needs predicted colours


def _psnr(heading, function, definition, convert=np.asarray):
    text = f"10 log10(1 / mse) dB, peak 1, at most {voxel_metrics.PEAK_DB:g} dB; mse = mean square, over {definition}"
    return Metric(heading, 2, 0.0, lambda c: c.psnr(function, convert), text, surface=False, colour=True)


def _f_score(percent):
    text = f"2 P R / (P + R); P = share of predicted, R = share of true points closer than {percent:g} % of the longest side, {CLOUDS}"
    return Metric(f"F-score {percent:g} %", 3, 0.0, lambda c: c.f_score(percent), text)


_OURS = "true voxels and channels, of the true colour minus that of the predicted voxel nearest to it"
_THEIRS = "predicted voxels and channels, of the predicted colour minus that of the true voxel nearest to it (Im2Avatar's direction)"
_YCBCR = "; colours as full-range Y Cb Cr (JPEG's), each channel's peak 1"
METRICS = {
    "iou": Metric(
        "IoU",
        3,
        0.0,
        Comparison.iou,
        "m / (|gt| + |pred| - m); m = true surface voxels that have a predicted voxel closer than 1 voxel",
        surface=False,
    ),
    "psnr": _psnr("PSNR dB", voxel_metrics.psnr, _OURS),
    "psnr_ycbcr": _psnr("PSNR YCbCr dB", voxel_metrics.psnr, _OURS + _YCBCR, voxel_metrics.ycbcr),
    "psnr_im2avatar": _psnr("Im2Avatar's PSNR dB", voxel_metrics.psnr_im2avatar, _THEIRS),
    "psnr_ycbcr_im2avatar": _psnr(
        "Im2Avatar's PSNR YCbCr dB", voxel_metrics.psnr_im2avatar, _THEIRS + _YCBCR, voxel_metrics.ycbcr
    ),
    "volume_iou": Metric(
        "volumetric IoU",
        3,
        0.0,
        Comparison.volume_iou,
        "volume of intersection over union of the solids in the cube, by the stored signed-distance points: true where distance < 0 (the"
        " mesh's winding number, or the filled volume), predicted where the field, read linearly, is inside; every point weighs as much as"
        " the share of the cube's 64^3 voxel centres it is the nearest to. 0 for a true surface that encloses no stored point, unless the"
        " prediction encloses none too",
    ),
    "chamfer_l1": Metric(
        "Chamfer-L1 (1/10 of the longest side)",
        3,
        10 * surfaces.CUBE_DIAGONAL,
        Comparison.chamfer_l1,
        f"Occupancy Networks': mean of accuracy and completeness, the mean distances to the nearest point, {CLOUDS};"
        " unit: 1/10 of the longest side of the true bounding box",
    ),
    "chamfer_l2": Metric(
        "Chamfer-L2 (DISN's, x 1000)",
        2,
        1000 * 2 * (2 * surfaces.CUBE_DIAGONAL) ** 2,
        lambda c: c.as_disn(surfaces.chamfer_l2),
        f"DISN's: 1000 x the sum of the two mean squared distances to the nearest point, {DISN_FRAME}",
    ),
    "emd": Metric(
        "EMD (DISN's)",
        3,
        0.01 * surfaces.DISN_POINTS * 2 * surfaces.CUBE_DIAGONAL,
        lambda c: c.as_disn(surfaces.emd),
        f"earth mover's distance in DISN's unit: 0.01 x 2048 x the mean distance of the pairs, {DISN_FRAME}; pairs by the exact best"
        " assignment (scipy's linear_sum_assignment), where DISN approximates it",
    ),
    **{f"f_score_{percent:g}": _f_score(percent) for percent in F_PERCENT},
    "normal_consistency": Metric(
        "normal consistency",
        3,
        0.0,
        Comparison.normal_consistency,
        f"mean of |n . n'| at nearest points, of both directions, {CLOUDS}; normals: of the predicted faces, and of the plane through"
        f" the {surfaces.NEIGHBOURS} nearest of the true points, for the database stores no normals (they agree with the mesh's to 0.9 to"
        " 0.99)",
    ),
}


def parse_names(text):
    """'iou,psnr' or 'all' -> the names, in the order of METRICS; UserError lists what is known."""
    asked = list(METRICS) if text == "all" else text.split(",")
    unknown = [name for name in asked if name not in METRICS]
    if unknown:
        raise UserError(f"--metrics {text}: there is no {unknown[0]!r}; known: all, {', '.join(METRICS)}")
    return [name for name in METRICS if name in asked]


def without_colour(names):
    """Those of the metrics that need no colours, for a network that predicts none; UserError if none is left."""
    left = [name for name in names if not METRICS[name].colour]
    if not left:
        raise UserError(f"--metrics {','.join(names)} needs colours, which this network does not predict")
    return left


def definitions(names):
    """{term: definition} of the metrics and of what all of them share."""
    return {
        **GENERAL,
        **{name: f"{METRICS[name].definition}. Worst value: {METRICS[name].worst:.6g}" for name in names},
    }


def worst_values(names):
    """{name: value} of a failed or empty prediction."""
    return {name: METRICS[name].worst for name in names}


def need_surface(names):
    return any(METRICS[name].surface for name in names)


def measure(names, prediction, truth):
    """{name: value} of a utils.metrics.comparison.Prediction against a Truth; UserError where the truth lacks what a metric needs."""
    if need_surface(names) and not (len(truth.surface) and len(truth.sdf_points)):
        raise UserError(
            "the database has no surface points or distances of this object: metrics of surfaces cannot be measured"
        )
    comparison, values = Comparison(prediction, truth), {}
    for name in names:
        metric = METRICS[name]
        lacking = metric.surface and prediction.solid is None
        values[name] = metric.worst if lacking else float(metric.measure(comparison))
    return values
