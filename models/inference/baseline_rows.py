"""The scores of the baselines on the images of an evaluation."""

import typing

from tqdm import tqdm

from data.baselines import mean_shapes, retrieval
from data.shards import Database, ObjectEntry
from models.config import Config
from models.inference.evaluated_views import Row
from utils.metrics import registry
from utils.metrics.comparison import Prediction, Truth, load_truth
from utils.metrics.voxel_metrics import true_voxels


def baseline_rows(
    database: Database,
    train: list[ObjectEntry],
    val: list[ObjectEntry],
    pairs: list[tuple[ObjectEntry, int]],
    config: Config,
    names: list[str],
) -> dict[str, list[Row]]:
    """Rows of 'mean shape' and 'retrieval' for (entry, view) pairs.

    Both come from the training split; the mean shape's q is chosen on validation. If some metrics
    need a surface, 'true voxels' says what the true voxels themselves score.

    Args:
        database: of all splits.
        train, val: training and validation objects.
        pairs: the images.
        config: of the evaluated network, whose input images retrieval compares.
        names: of the metrics.
    """
    shapes = {category: Prediction.of_voxels(*voxels) for category, voxels in mean_shapes(database, train, val).items()}
    retrieved = retrieval(database, train, pairs, config)
    rows: dict[str, list[Row]] = {"mean shape": [], "retrieval": []}
    if registry.need_surface(names):
        rows["true voxels"] = []
    of_object: dict[str, typing.Any] = {}  # the values that are the same for all views of an object
    bar = tqdm(pairs, desc="baselines", unit="image", mininterval=2)
    for (entry, view), source in zip(bar, retrieved, strict=True):
        truth = load_truth(database, entry)
        if of_object.get("entry") != entry:
            of_object = {"entry": entry, "mean shape": _measured(shapes.get(entry.category), truth, names)}
            if "true voxels" in rows:
                of_object["true voxels"] = _measured(Prediction.of_voxels(truth.voxels, truth.colours), truth, names)
        nearest = Prediction.of_voxels(*true_voxels(*database.voxels(source)))
        values = {**of_object, "retrieval": _measured(nearest, truth, names)}
        image = {"category": entry.category, "object_id": entry.object_id, "view": entry.view_names[view]}
        for method, of_method in rows.items():
            of_method.append({**image, **values[method]})
    return rows


def _measured(prediction: Prediction | None, truth: Truth, names: list[str]) -> Row:
    """The part of a row that does not name the image; None: the category has no training object."""
    if prediction is None or not len(prediction.voxels):
        return {**registry.worst_values(names), "failed": "no training object of this category", "no_mesh": None}
    return {**registry.measure(names, prediction, truth), "failed": None, "no_mesh": None}
