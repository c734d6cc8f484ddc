"""results.json and the printed tables: a prediction beside the mean-shape and retrieval baselines, on the same images."""

import numpy as np
from tqdm import tqdm

from data.samples import network_image
from utils import baselines as base
from utils import metrics
from utils.files import write_json


def baselines(database, train, val, pairs, config):
    """{'mean shape': rows, 'retrieval': rows} for (entry, view) pairs, from the training split (q from validation)."""
    shapes = mean_shapes(database, train, val)
    retrieved = retrieval(database, train, pairs, config)
    rows = {"mean shape": [], "retrieval": []}
    for (entry, view), source in zip(tqdm(pairs, desc="baselines", unit="image", mininterval=2), retrieved, strict=True):
        true = metrics.true_voxels(*database.voxels(entry))
        rows["mean shape"].append(_row(entry, view, shapes.get(entry.category), true))
        rows["retrieval"].append(_row(entry, view, metrics.true_voxels(*database.voxels(source)), true))
    return rows


def _row(entry, view, predicted, true):
    row = {"category": entry.category, "object_id": entry.object_id, "view": entry.view_names[view], "iou": 0.0, "psnr": 0.0}
    if predicted is None or not len(predicted[0]):
        return {**row, "failed": "no training object of this category"}
    return {**row, "iou": metrics.iou(predicted[0], true[0]), "psnr": metrics.psnr(*predicted, *true), "failed": None}


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


def write(path, settings, tables):
    """Write results.json: settings, definitions, {method: summary and rows}; print the tables."""
    summaries = {name: metrics.summarise(rows) for name, rows in tables.items()}
    write_json(path, {**settings, "definitions": metrics.DEFINITIONS, "results": summaries, "images": tables})
    print_tables(summaries)


def print_tables(summaries):
    """IoU and PSNR per category and per view, a row per method, and the failures of each."""
    for metric, unit, digits in (("iou", "IoU", 3), ("psnr", "PSNR dB", 2)):
        categories = list(summaries["prediction"][metric]["categories"])
        print(f"\n{unit:<12}" + "".join(f"{name:>10}" for name in [*categories, "mean"]) + "    failed")
        for method, summary in summaries.items():
            values = [*(summary[metric]["categories"][name] for name in categories), summary[metric]["mean"]]
            cells = "".join(f"{value:>10.{digits}f}" for value in values)
            print(f"{method:<12}{cells}{summary['failed']:>6} of {summary['images']}")
        for view in summaries["prediction"][metric]["views"]:
            for method, summary in summaries.items():
                values = summary[metric]["views"][view]
                cells = "".join(f"{values.get(name, float('nan')):>10.{digits}f}" for name in [*categories, "mean"])
                print(f"{method:<12}{cells}    view {view}")
    print()
