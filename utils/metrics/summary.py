"""Means and standard deviations of per-image results, over categories, data sets and views."""

import collections
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from utils.files import natural
from utils.metrics.registry import METRICS, need_surface

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


def summarise(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    """Compute the means and standard deviations of per-image results, as results.json stores them.

    Args:
        rows: dicts with category, object_id, view, failed (a reason, or None), no_mesh (likewise)
            and the metrics `names`; data_set too where that is known. A failed image counts with
            the worst value.
        names: of the metrics.

    Returns:
        images, objects, failed, failures (list), objects_of {'categories': {name: number of
        objects}, 'data_sets': likewise} and, where a metric needs a surface, without_surface. For
        each metric: mean (over categories), objects_mean (over objects), std, categories {name:
        value}, categories_std, data_sets and data_sets_std likewise where they are known, views
        {view: {category: value, ..., 'mean': value}} and views_std.

    Raises:
        ValueError: there are no rows, or a row without a failure has a value that is not finite.
    """
    if not rows:
        raise ValueError("no results to summarise")
    failures = [{key: row[key] for key in ("category", "object_id", "view", "failed")} for row in rows if row["failed"]]
    data_set_of = {(row["category"], row["object_id"]): row.get("data_set") for row in rows}
    known = None not in data_set_of.values()
    objects_of = {"categories": _counts(category for category, _ in data_set_of)}
    if known:
        objects_of["data_sets"] = _counts(str(data_set) for data_set in data_set_of.values())
    result: dict[str, Any] = {
        "images": len(rows),
        "objects": len(data_set_of),
        "failed": len(failures),
        "failures": failures,
        "objects_of": objects_of,
    }
    if need_surface(names):
        result["without_surface"] = sum(bool(row["no_mesh"]) and not row["failed"] for row in rows)
    for name in names:
        values = [(row, METRICS[name].worst if row["failed"] else float(row[name])) for row in rows]
        if not np.isfinite([value for _, value in values]).all():
            raise ValueError(f"a result without a failure has no finite {name}")
        values_of_object = _groups(((row["category"], row["object_id"]), value) for row, value in values)
        means = {key: float(np.mean(v)) for key, v in values_of_object.items()}
        summary = _over_objects([(category, value) for (category, _), value in means.items()])
        summary["objects_mean"] = float(np.mean(list(means.values())))
        if known:
            by_data_set = _over_objects([(str(data_set_of[key]), value) for key, value in means.items()])
            summary |= {"data_sets": by_data_set["categories"], "data_sets_std": by_data_set["categories_std"]}
        values_of_view = _groups((row["view"], (row["category"], value)) for row, value in values)
        in_order = sorted(values_of_view, key=lambda view: natural(str(view)))  # as databases have them: 2 before 10
        views = {view: _over_objects(values_of_view[view]) for view in in_order}
        result[name] = {
            **summary,
            "views": {view: {**of_view["categories"], "mean": of_view["mean"]} for view, of_view in views.items()},
            "views_std": {
                view: {**of_view["categories_std"], "mean": of_view["std"]} for view, of_view in views.items()
            },
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


def _counts(names: Iterable[str]) -> dict[str, int]:
    """{name: how often it occurs}, sorted by name."""
    return dict(sorted(collections.Counter(names).items()))


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
