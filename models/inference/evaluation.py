"""results.json and the printed tables: a prediction beside the mean-shape and retrieval baselines, on the same images."""

from tqdm import tqdm

from data.baselines import mean_shapes, retrieval
from utils.files import write_json
from utils.metrics import camera_metrics, registry
from utils.metrics.comparison import Prediction, load_truth
from utils.metrics.summary import print_tables, summarise
from utils.metrics.voxel_metrics import true_voxels


def baselines(database, train, val, pairs, config, names):
    """{'mean shape': rows, 'retrieval': rows} for (entry, view) pairs, from the training split (q from validation).

    names: of the metrics. If some of them need a surface there are 'true voxels' too: what the true voxels themselves score.
    """
    shapes = {category: Prediction.of_voxels(*voxels) for category, voxels in mean_shapes(database, train, val).items()}
    retrieved = retrieval(database, train, pairs, config)
    rows = {"mean shape": [], "retrieval": [], **({"true voxels": []} if registry.need_surface(names) else {})}
    known = {}  # (method, object): those of the two that do not depend on the view
    for (entry, view), source in zip(
        tqdm(pairs, desc="baselines", unit="image", mininterval=2), retrieved, strict=True
    ):
        truth = load_truth(database, entry)
        if known.get("entry") != entry:
            known = {"entry": entry, "mean shape": _measured(shapes.get(entry.category), truth, names)}
            if "true voxels" in rows:
                known["true voxels"] = _measured(Prediction.of_voxels(truth.voxels, truth.colours), truth, names)
        found = Prediction.of_voxels(*true_voxels(*database.voxels(source)))
        of_view = {**known, "retrieval": _measured(found, truth, names)}
        for method, of_method in rows.items():
            image = {"category": entry.category, "object_id": entry.object_id, "view": entry.view_names[view]}
            of_method.append({**image, **of_view[method]})
    return rows


def _measured(prediction, truth, names):
    """The part of a row that does not name the image; prediction None: there is no training object of the category."""
    if prediction is None or not len(prediction.voxels):
        return {**registry.worst_values(names), "failed": "no training object of this category", "no_mesh": None}
    return {**registry.measure(names, prediction, truth), "failed": None, "no_mesh": None}


def write(path, settings, tables, names, cameras=None):
    """Write results.json: settings, definitions of the metrics `names`, {method: summary and rows}, cameras; print the tables.

    cameras: rows of utils.metrics.camera_metrics.camera_errors, where cameras were estimated.
    """
    summaries = {method: summarise(rows, names) for method, rows in tables.items()}
    content = {
        **settings,
        "metrics": names,
        "definitions": registry.definitions(names),
        "results": summaries,
        "images": tables,
    }
    if cameras:
        content["cameras"] = camera_metrics.summarise(cameras)
        content["definitions"] |= {f"camera {name}": text for name, text in camera_metrics.DEFINITIONS.items()}
        content["camera_images"] = cameras
    write_json(path, content)
    print_tables(summaries, names)
    if cameras:
        camera_metrics.print_summary(content["cameras"])
