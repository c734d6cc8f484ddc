"""IoU and F-score of a few validation objects while a network is trained.

The losses of training say how well points are told apart, not what the surface is like. These are
the volumetric IoU and the F-score of the evaluation, on a coarse grid and with fewer points, so
that they take a fraction of a second an object.
"""

import functools
import typing

import numpy as np

from data.network_input import network_view, object_frame
from data.shards import Database, ObjectEntry
from models.inference.field_query import FieldQuery
from utils.errors import UserError
from utils.geometry import frames
from utils.metrics import surface_metrics as surfaces
from utils.metrics.comparison import Truth, load_truth
from utils.surface import dense
from utils.surface.field_grid import FieldGrid

RESOLUTION = 32  # cells along an axis
SAMPLES = 8192  # points of each surface
NEAR = 0.02  # of the F-score: a distance in the object frame, whose unit is the longest side
VOLUME_IOU, F_SCORE = "volume_iou", "f_score_2"
# {binary: tried}: distances of objects that a network is not sure of do not fall to 0
ISO_VALUES = {True: (0.0,), False: (0.0, 0.25 / frames.VOXELS, 0.5 / frames.VOXELS)}


class Scores(typing.NamedTuple):
    """Of a field, at its best iso value."""

    iso: float
    means: dict[str, float]  # VOLUME_IOU and F_SCORE over the objects; empty without any


def validation_scores(query: FieldQuery, database: Database, entries: list[ObjectEntry]) -> Scores:
    """Means over objects, each seen in its first view.

    They are those at the iso value of ISO_VALUES with the highest F-score. A field without a
    surface counts as 0.

    Args:
        query: the network.
        database: of the objects.
        entries: the objects; without any the iso value is 0.
    """
    if not entries:
        return Scores(0.0, {})
    means = np.mean([_scores(query, database, entry) for entry in entries], 0)  # (iso values, 2)
    best = int(means[:, 1].argmax())
    volume_iou, f_score = means[best].tolist()
    return Scores(ISO_VALUES[query.config.binary][best], {VOLUME_IOU: volume_iou, F_SCORE: f_score})


def _scores(query: FieldQuery, database: Database, entry: ObjectEntry) -> list[tuple[float, float]]:
    """(volumetric IoU, F-score) of an object at each of ISO_VALUES."""
    config = query.config
    image, camera = network_view(database.image(entry, 0), database.trans_mat(entry, 0), config)
    encoded = query.encode(image, camera, object_frame(config, database, entry))
    geometry = query.geometry(encoded, frames.voxel_centres(RESOLUTION))
    grid = FieldGrid(RESOLUTION, geometry, np.zeros((len(geometry), 3), np.float32)).grid()
    truth = _truth(database, entry)
    return [_compared(grid, config.binary, iso, truth) for iso in ISO_VALUES[config.binary]]


def _compared(grid: np.ndarray, binary: bool, iso: float, truth: Truth) -> tuple[float, float]:
    try:
        solid = dense.solid(grid, binary, iso, fill=binary)
        points, _ = surfaces.sample_mesh(*solid.surface(), SAMPLES)
    except UserError:  # no surface at this value
        return 0.0, 0.0
    iou = surfaces.solid_iou(solid.contains(truth.sdf_points), truth.inside, truth.volumes)
    true = surfaces.subset(truth.surface, SAMPLES)
    accuracy, completeness = surfaces.nearest(points, truth.tree)[0], surfaces.nearest(true, points)[0]
    return iou, surfaces.f_score(accuracy, completeness, NEAR)


@functools.lru_cache(64)  # what is costly to make of an object stays with it from epoch to epoch
def _truth(database: Database, entry: ObjectEntry) -> Truth:
    return load_truth(database, entry)
