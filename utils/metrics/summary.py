"""Means and standard deviations of per-image results, and their tables."""

import numpy as np

from utils.metrics import registry
from utils.metrics.registry import METRICS, need_surface


def summarise(rows, names):
    """Means and standard deviations of per-image results, as they go into results.json.

    rows: dicts of category, object_id, view, failed (a reason, or None), no_mesh (likewise) and the metrics `names`. A failed
    image counts with the worst value. Gives images, objects, failed, failures (list), without_surface, and for each metric:
    mean, std, categories {name: value}, categories_std, views {view: {category: value, ..., 'mean': value}}, views_std.
    """
    if not rows:
        raise ValueError("no results to summarise")
    failures = [{key: row[key] for key in ("category", "object_id", "view", "failed")} for row in rows if row["failed"]]
    objects = {(row["category"], row["object_id"]) for row in rows}
    result = {"images": len(rows), "objects": len(objects), "failed": len(failures), "failures": failures}
    if need_surface(names):
        result["without_surface"] = sum(bool(row["no_mesh"]) and not row["failed"] for row in rows)
    for name in names:
        values = [(row, METRICS[name].worst if row["failed"] else float(row[name])) for row in rows]
        if not np.isfinite([value for _, value in values]).all():
            raise ValueError(f"a result without a failure has no finite {name}")
        per_object = _groups(((row["category"], row["object_id"]), value) for row, value in values)
        summary = _over_objects([(category, np.mean(each)) for (category, _), each in per_object.items()])
        per_view = _groups((row["view"], (row["category"], value)) for row, value in values)
        views = {view: _over_objects(pairs) for view, pairs in per_view.items()}
        result[name] = {
            **summary,
            "views": {view: {**each["categories"], "mean": each["mean"]} for view, each in views.items()},
            "views_std": {view: {**each["categories_std"], "mean": each["std"]} for view, each in views.items()},
        }
    return result


def _over_objects(pairs):
    """(category, value of an object) pairs -> mean over categories, std over objects, both per category."""
    categories = _groups(pairs)
    means = {name: float(np.mean(values)) for name, values in categories.items()}
    return {
        "mean": float(np.mean(list(means.values()))),
        "std": float(np.std([value for _, value in pairs])),
        "categories": means,
        "categories_std": {name: float(np.std(values)) for name, values in categories.items()},
    }


def _groups(pairs):
    """(key, value) pairs -> {key: [values]}, sorted by key."""
    groups = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return {key: groups[key] for key in sorted(groups)}


def print_tables(summaries, names):
    """A table for each metric: mean ± standard deviation per category, a row per method; then the prediction per view."""
    first = summaries["prediction"]
    for name in names:
        categories, metric = list(first[name]["categories"]), registry.METRICS[name]

        def line(label, means, deviations, categories=categories, metric=metric):
            cells = [
                f"{means[column]:.{metric.digits}f} ± {deviations[column]:.{metric.digits}f}"
                if column in means
                else "-"
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
