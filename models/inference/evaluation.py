"""results.json and the printed tables: a prediction beside the mean-shape and retrieval baselines, on the same images."""

import numpy as np
from tqdm import tqdm

from data import baselines as base
from data.field_samples import network_image
from utils.files import write_json
from utils.metrics import camera_metrics, registry
from utils.metrics.comparison import Prediction, load_truth
from utils.metrics.voxel_metrics import true_voxels


def baselines(database, train, val, pairs, config, names):
    """{'mean shape': rows, 'retrieval': rows} for (entry, view) pairs, from the training split (q from validation).

    names: of the metrics. If some of them need a surface there are 'true voxels' too: what the true voxels themselves score.
    """
    shapes = {category: Prediction.of_voxels(*voxels) for category, voxels in mean_shapes(database, train, val).items()}
    retrieved = retrieval(database, train, pairs, config)
    rows = {"mean shape": [], "retrieval": [], **({"true voxels": []} if registry.need_surface(names) else {})}
    known = {}  # (method, object): those of the two that do not depend on the view
    for (entry, view), source in zip(tqdm(pairs, desc="baselines", unit="image", mininterval=2), retrieved, strict=True):
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
        return {**registry.worst(names), "failed": "no training object of this category", "no_mesh": None}
    return {**registry.measure(names, prediction, truth), "failed": None, "no_mesh": None}


def mean_shapes(database, train, val):
    """{category: (voxels, colours)} of every category's mean shape; without validation objects q is chosen on training."""
    shapes = {}
    for name in sorted({entry.category for entry in train}):
        of_one = [database.voxels(entry) for entry in train if entry.category == name]
        share, colour = base.accumulate((index, colours / 255) for index, colours in of_one)
        unseen = [database.voxels(entry)[0] for entry in val if entry.category == name] or [index for index, _ in of_one]
        q, _ = base.choose_share(share, unseen)
        shapes[name] = base.mean_shape(share, colour, q)
    return shapes


def retrieval(database, train, pairs, config):
    """For every (entry, view) pair the training object whose view is nearest to the picture, over all categories."""
    owners, thumbnails = [], []
    for entry in tqdm(train, desc="training views", unit="object", mininterval=2):
        for view in range(len(entry.view_names)):
            owners.append(entry)
            thumbnails.append(base.thumbnail(network_image(database.image(entry, view), config)[..., :3]))
    neighbours = base.fit_retrieval(np.array(thumbnails))
    queries = [base.thumbnail(network_image(database.image(entry, view), config)[..., :3]) for entry, view in pairs]
    return [owners[i] for i in base.retrieve(neighbours, np.array(queries))[0]]


def write(path, settings, tables, names, cameras=None):
    """Write results.json: settings, definitions of the metrics `names`, {method: summary and rows}, cameras; print the tables.

    cameras: rows of utils.metrics.camera_metrics.camera_errors, where cameras were estimated.
    """
    summaries = {method: registry.summarise(rows, names) for method, rows in tables.items()}
    content = {**settings, "metrics": names, "definitions": registry.definitions(names), "results": summaries, "images": tables}
    if cameras:
        content["cameras"] = camera_metrics.summarise(cameras)
        content["definitions"] |= {f"camera {name}": text for name, text in camera_metrics.DEFINITIONS.items()}
        content["camera_images"] = cameras
    write_json(path, content)
    print_tables(summaries, names)
    if cameras:
        camera_metrics.print_summary(content["cameras"])


def print_tables(summaries, names):
    """A table for each metric: mean ± standard deviation per category, a row per method; then the prediction per view."""
    first = summaries["prediction"]
    for name in names:
        categories, metric = list(first[name]["categories"]), registry.METRICS[name]

        def line(label, means, deviations, categories=categories, metric=metric):
            cells = [
                f"{means[column]:.{metric.digits}f} ± {deviations[column]:.{metric.digits}f}" if column in means else "-"
                for column in [*categories, "mean"]
            ]
            return f"{label:<18}" + "".join(f"{cell:>17}" for cell in cells)

        better = "higher" if metric.worst == 0 else "lower"
        print(f"\n{metric.heading} ({better} is better): mean ± standard deviation over objects")
        print(" " * 18 + "".join(f"{column:>17}" for column in [*categories, "mean"]) + "    failed")
        for method, summary in summaries.items():
            means, deviations = ({**summary[name][key], "mean": summary[name][of_all]} for key, of_all in _COLUMNS)
            print(line(method, means, deviations) + f"{_lost(summary, metric):>6} of {summary['images']}")
        views = first[name]["views"]
        for view in views if len(views) > 1 else ():
            print(line(f"  view {view}", views[view], first[name]["views_std"][view]))
    print()


_COLUMNS = (("categories", "mean"), ("categories_std", "std"))


def _lost(summary, metric):
    """Images that have the worst value because they failed or, where the metric needs a surface, have none."""
    return summary["failed"] + (summary["without_surface"] if metric.surface else 0)
