"""The metrics by name: their definitions, directions and worst values, and measuring them.

A new metric is a function in voxel_metrics or surface_metrics (with a method of Comparison where it
shares work with others) and an entry of METRICS. Tables and the report follow the entry.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from utils.errors import UserError
from utils.metrics import surface_metrics as surfaces
from utils.metrics import voxel_metrics
from utils.metrics.comparison import PREDICTED_POINTS, Comparison, Prediction, Truth

DEFAULT = "iou,psnr"  # the others need the predicted surface, which takes a second an image
F_PERCENT = (0.5, 1, 2, 5, 10, 20)  # thresholds of the F-score that DISN tabulates

POINT_CLOUDS = (
    f"between {PREDICTED_POINTS} points drawn uniformly by area from the predicted surface and all surface points that"
    " the database stores of the object (16384 by default; the finite number of true points alone keeps a perfect"
    " surface from the best value)"
)
DISN_FRAME = (
    f"{surfaces.DISN_POINTS} random points of each surface (all true ones if fewer are stored), lengths in DISN's"
    " frame: the farthest true surface point is 1 from the mean of them"
)
GENERAL = {
    "predicted voxels": "binary: the occupied cells of the field (g0 > iso value); SDF: the extracted surface, sampled"
    " and voxelised as the truth is; other resolutions than 64 are first snapped to the 64^3 voxels their points lie"
    " in, with the mean colour",
    "predicted surface": "marching cubes of the field at the iso value; of a binary field, which is a shell of occupied"
    " voxels, and of the baselines' voxels (occupied = 1, empty = 0, iso value 1/2) after cells that the shell encloses"
    " were filled: the outer wall",
    "failures": "a failed or empty prediction has the worst value of every metric; it is counted in every mean and"
    " listed. One that has voxels but no surface (a field without an empty cell) has the worst value of those metrics"
    " that need a surface, and is counted",
    "mean": "per image, averaged over an object's views, then over a category's objects, then over the categories",
    "data sets": "per image, averaged over an object's views, then over the objects of a data set; so is the mean over"
    " all objects",
    "std": "standard deviation (divided by n) over a category's objects, each averaged over its views; of the mean:"
    " over all objects",
    "views": "per view: averaged over a category's objects, then over the categories; standard deviations over objects",
    "true voxels": "the object's own true voxels, taken as a prediction: what the metrics give to the best field of"
    " 64^3 voxels",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Metric:
    """A number that compares one prediction with the truth."""

    heading: str  # in tables
    definition: str
    digits: int  # after the point, in tables
    higher_is_better: bool
    worst: float  # value of a failed or empty prediction
    measure: Callable[[Comparison], float]
    needs_surface: bool = True  # of the prediction
    needs_colour: bool = False  # of the prediction

    @property
    def better(self) -> str:
        """'higher' or 'lower'."""
        return "higher" if self.higher_is_better else "lower"

    def text(self, value: float) -> str:
        """A value as tables show it."""
        return f"{value:.{self.digits}f}"

    def images_without_value(self, failed: int, without_surface: int) -> int:
        """How many images have the worst value: those that failed, or lack a needed surface."""
        return failed + (without_surface if self.needs_surface else 0)


def _psnr(
    heading: str,
    function: Callable[..., float],
    mean_over: str,
    convert: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> Metric:
    return Metric(
        heading=heading,
        definition=f"10 log10(1 / mse) dB, peak 1, at most {voxel_metrics.PEAK_DB:g} dB; mse = mean square, over"
        f" {mean_over}",
        digits=2,
        higher_is_better=True,
        worst=0.0,
        measure=lambda comparison: comparison.psnr(function, convert),
        needs_surface=False,
        needs_colour=True,
    )


def _f_score(percent: float) -> Metric:
    return Metric(
        heading=f"F-score {percent:g} %",
        definition=f"2 P R / (P + R); P = share of predicted, R = share of true points closer than {percent:g} % of the"
        f" longest side, {POINT_CLOUDS}",
        digits=3,
        higher_is_better=True,
        worst=0.0,
        measure=lambda comparison: comparison.f_score(percent),
    )


_FROM_TRUTH = "true voxels and channels, of the true colour minus that of the predicted voxel nearest to it"
_FROM_PREDICTION = (
    "predicted voxels and channels, of the predicted colour minus that of the true voxel nearest to it"
    " (Im2Avatar's direction)"
)
_YCBCR = "; colours as full-range Y Cb Cr (JPEG's), each channel's peak 1"
METRICS = {
    "iou": Metric(
        heading="IoU",
        definition="m / (|gt| + |pred| - m); m = true surface voxels that have a predicted voxel closer than 1 voxel",
        digits=3,
        higher_is_better=True,
        worst=0.0,
        measure=Comparison.iou,
        needs_surface=False,
    ),
    "psnr": _psnr("PSNR dB", voxel_metrics.psnr, _FROM_TRUTH),
    "psnr_ycbcr": _psnr("PSNR YCbCr dB", voxel_metrics.psnr, _FROM_TRUTH + _YCBCR, voxel_metrics.ycbcr),
    "psnr_im2avatar": _psnr("Im2Avatar's PSNR dB", voxel_metrics.psnr_im2avatar, _FROM_PREDICTION),
    "psnr_ycbcr_im2avatar": _psnr(
        "Im2Avatar's PSNR YCbCr dB", voxel_metrics.psnr_im2avatar, _FROM_PREDICTION + _YCBCR, voxel_metrics.ycbcr
    ),
    "volume_iou": Metric(
        heading="volumetric IoU",
        definition="volume of intersection over union of the solids in the cube, by the stored signed-distance points:"
        " true where distance < 0 (by the sign that the data were made with, or the filled volume), predicted where the"
        " field, read linearly, is inside; every point weighs as much as the share of the cube's 64^3 voxel centres it"
        " is the nearest to. 0 for a true surface that encloses no stored point, unless the prediction does so too",
        digits=3,
        higher_is_better=True,
        worst=0.0,
        measure=Comparison.volume_iou,
    ),
    "chamfer_l1": Metric(
        heading="Chamfer-L1 (1/10 of the longest side)",
        definition="Occupancy Networks': mean of accuracy and completeness, the mean distances to the nearest point,"
        f" {POINT_CLOUDS}; unit: 1/10 of the longest side of the true bounding box",
        digits=3,
        higher_is_better=False,
        worst=10 * surfaces.CUBE_DIAGONAL,
        measure=Comparison.chamfer_l1,
    ),
    "chamfer_l2": Metric(
        heading="Chamfer-L2 (DISN's, x 1000)",
        definition=f"DISN's: 1000 x the sum of the two mean squared distances to the nearest point, {DISN_FRAME}",
        digits=2,
        higher_is_better=False,
        worst=1000 * 2 * (2 * surfaces.CUBE_DIAGONAL) ** 2,
        measure=lambda comparison: comparison.as_disn(surfaces.chamfer_l2),
    ),
    "emd": Metric(
        heading="EMD (DISN's)",
        definition="earth mover's distance in DISN's unit: 0.01 x 2048 x the mean distance of the pairs,"
        f" {DISN_FRAME}; pairs by the exact best assignment (scipy's linear_sum_assignment), where DISN"
        " approximates it",
        digits=3,
        higher_is_better=False,
        worst=0.01 * surfaces.DISN_POINTS * 2 * surfaces.CUBE_DIAGONAL,
        measure=lambda comparison: comparison.as_disn(surfaces.emd),
    ),
    **{f"f_score_{percent:g}": _f_score(percent) for percent in F_PERCENT},
    "normal_consistency": Metric(
        heading="normal consistency",
        definition=f"mean of |n . n'| at nearest points, of both directions, {POINT_CLOUDS}; normals: of the predicted"
        f" faces, and of the plane through the {surfaces.NEIGHBOURS} nearest of the true points, for the database"
        " stores no normals (they agree with the mesh's to 0.9 to 0.99)",
        digits=3,
        higher_is_better=True,
        worst=0.0,
        measure=Comparison.normal_consistency,
    ),
}


def parse_names(text: str) -> list[str]:
    """Parse 'iou,psnr' or 'all' into names in the order of METRICS.

    UserError lists the known names.
    """
    requested = list(METRICS) if text == "all" else [name.strip() for name in text.split(",")]
    unknown = [name for name in requested if name not in METRICS]
    if unknown:
        raise UserError(f"unknown metric {unknown[0]!r}; known: all, {', '.join(METRICS)}")
    return [name for name in METRICS if name in requested]


def without_colour(names: Sequence[str]) -> list[str]:
    """The metrics that a network without colours can be measured by; UserError if none is left."""
    remaining = [name for name in names if not METRICS[name].needs_colour]
    if not remaining:
        raise UserError(
            f"metrics {','.join(names)} need colours, which this network does not predict: choose others, such as iou"
        )
    return remaining


def definitions(names: Sequence[str]) -> dict[str, str]:
    """{term: definition} of the metrics `names` and of the terms that all metrics share."""
    return {
        **GENERAL,
        **{name: f"{METRICS[name].definition}. Worst value: {METRICS[name].worst:.6g}" for name in names},
    }


def worst_values(names: Sequence[str]) -> dict[str, float]:
    """{name: value} of a failed or empty prediction."""
    return {name: METRICS[name].worst for name in names}


def need_surface(names: Sequence[str]) -> bool:
    """Whether any of the metrics needs the predicted surface."""
    return any(METRICS[name].needs_surface for name in names)


def measure(names: Sequence[str], prediction: Prediction, truth: Truth) -> dict[str, float]:
    """{name: value} of a prediction; UserError where the truth lacks what a metric needs.

    A prediction without a surface has the worst value of the metrics that need one.
    """
    if need_surface(names) and not (len(truth.surface) and len(truth.sdf_points)):
        raise UserError(
            "the database has no surface points or distances of this object: metrics of surfaces cannot be measured"
        )
    comparison, values = Comparison(prediction, truth), {}
    for name in names:
        metric = METRICS[name]
        lacks_surface = metric.needs_surface and prediction.solid is None
        values[name] = metric.worst if lacks_surface else float(metric.measure(comparison))
    return values
