"""Means and standard deviations of per-image results, and their printed tables."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from utils.metrics.registry import METRICS, need_surface

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


def summarise(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    """Compute the means and standard deviations of per-image results, as results.json stores them.

    Args:
        rows: dicts with category, object_id, view, failed (a reason, or None), no_mesh (likewise)
            and the metrics `names`. A failed image counts with the worst value.
        names: of the metrics.

    Returns:
        images, objects, failed, failures (list) and, where a metric needs a surface,
        without_surface. For each metric: mean, std, categories {name: value}, categories_std,
        views {view: {category: value, ..., 'mean': value}} and views_std.

    Raises:
        ValueError: there are no rows, or a row without a failure has a value that is not finite.
    """
    if not rows:
        raise ValueError("no results to summarise")
    failures = [{key: row[key] for key in ("category", "object_id", "view", "failed")} for row in rows if row["failed"]]
    objects = {(row["category"], row["object_id"]) for row in rows}
    result: dict[str, Any] = {
        "images": len(rows),
        "objects": len(objects),
        "failed": len(failures),
        "failures": failures,
    }
    if need_surface(names):
        result["without_surface"] = sum(bool(row["no_mesh"]) and not row["failed"] for row in rows)
    for name in names:
        values = [(row, METRICS[name].worst if row["failed"] else float(row[name])) for row in rows]
        if not np.isfinite([value for _, value in values]).all():
            raise ValueError(f"a result without a failure has no finite {name}")
        values_of_object = _groups(((row["category"], row["object_id"]), value) for row, value in values)
        summary = _over_objects([(category, float(np.mean(v))) for (category, _), v in values_of_object.items()])
        values_of_view = _groups((row["view"], (row["category"], value)) for row, value in values)
        views = {view: _over_objects(pairs) for view, pairs in values_of_view.items()}
        result[name] = {
            **summary,
            "views": {view: {**means["categories"], "mean": means["mean"]} for view, means in views.items()},
            "views_std": {view: {**means["categories_std"], "mean": means["std"]} for view, means in views.items()},
        }
    return result


def _over_objects(pairs: Sequence[tuple[str, float]]) -> dict[str, Any]:
    """Means and standard deviations of one metric.

    pairs: (category, value of an object).
    """
    categories = _groups(pairs)
    means = {name: float(np.mean(values)) for name, values in categories.items()}
    return {
        "mean": float(np.mean(list(means.values()))),
        "std": float(np.std([value for _, value in pairs])),
        "categories": means,
        "categories_std": {name: float(np.std(values)) for name, values in categories.items()},
    }


def _groups(pairs: Iterable[tuple[Key, Value]]) -> dict[Key, list[Value]]:
    """(key, value) pairs -> {key: [values]}, sorted by key."""
    groups: dict[Key, list[Value]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return {key: groups[key] for key in sorted(groups)}  # type: ignore[type-var]


def with_mean(summary: Mapping[str, Any]) -> tuple[dict[str, float], dict[str, float]]:
    """Means and standard deviations of one metric by column: the categories, then 'mean'.

    summary: a metric's part of what `summarise` returns.
    """
    return (
        {**summary["categories"], "mean": summary["mean"]},
        {**summary["categories_std"], "mean": summary["std"]},
    )


def print_tables(summaries: Mapping[str, Mapping[str, Any]], names: Sequence[str]) -> None:
    """Print a table for each metric: mean ± standard deviation per category, a row per method.

    Rows of the views of the prediction follow, where there are several views.

    Args:
        summaries: {method: summary}, one of the methods is 'prediction'.
        names: of the metrics.
    """
    prediction = summaries["prediction"]
    for name in names:
        metric, columns = METRICS[name], [*prediction[name]["categories"], "mean"]
        print(f"\n{metric.heading} ({metric.better} is better): mean ± standard deviation over objects")
        print(" " * 18 + "".join(f"{column:>17}" for column in columns) + "    failed")
        for method, summary in summaries.items():
            lost = metric.images_without_value(summary["failed"], summary.get("without_surface", 0))
            print(_line(method, name, columns, *with_mean(summary[name])) + f"{lost:>6} of {summary['images']}")
        views = prediction[name]["views"]
        for view in views if len(views) > 1 else ():
            print(_line(f"  view {view}", name, columns, views[view], prediction[name]["views_std"][view]))
    print()


def _line(
    label: str, name: str, columns: Sequence[str], means: Mapping[str, float], deviations: Mapping[str, float]
) -> str:
    """A row of a table: the label, then 'mean ± deviation' in every column, '-' where unknown."""
    text = METRICS[name].text
    cells = [f"{text(means[column])} ± {text(deviations[column])}" if column in means else "-" for column in columns]
    return f"{label:<18}" + "".join(f"{cell:>17}" for cell in cells)
