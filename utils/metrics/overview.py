"""The overview of an evaluation: methods by metrics, over all, by data set, category and view.

The terminal and the report show the same groups, with the same means marked as the best.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from utils.metrics.registry import METRICS

REFERENCE = "true voxels"  # the method that no prediction can beat: it is never marked as the best
WIDTH = 118  # columns of a printed table
LABEL = 22  # columns of the name of a method or a group

Summaries = Mapping[str, Mapping[str, Any]]  # {method: what utils.metrics.summary.summarise returns}


@dataclasses.dataclass(frozen=True)
class Line:
    """The means of one method in a group."""

    method: str
    means: dict[str, float]  # {metric: value}
    deviations: dict[str, float]  # of the means over categories; empty in other groups
    best: frozenset[str]  # the metrics by which no method of the group is better


@dataclasses.dataclass(frozen=True)
class Group:
    """The lines of all methods over some of the objects."""

    name: str
    objects: int | None  # their number, where it is known
    lines: list[Line]


def over_categories(summaries: Summaries, names: Sequence[str]) -> Group:
    """The means over categories, which results.json calls mean."""
    means, deviations = ({m: _part(s, names, part) for m, s in summaries.items()} for part in ("mean", "std"))
    return _group("all", None, means, deviations)


def over_objects(summaries: Summaries, names: Sequence[str]) -> Group:
    """The means over all objects, whatever their category."""
    objects = next(iter(summaries.values()))["objects"]
    return _group("all objects", objects, {m: _part(s, names, "objects_mean") for m, s in summaries.items()})


def by_group(summaries: Summaries, names: Sequence[str], grouping: str) -> list[Group]:
    """A group for each category or data set, in the order of their names.

    Args:
        summaries: of the methods.
        names: of the metrics.
        grouping: 'categories' or 'data_sets'; of data sets that are not known there are no groups.
    """
    sizes = next(iter(summaries.values()))["objects_of"].get(grouping, {})
    return [
        _group(key, size, {method: _part(s, names, grouping, key) for method, s in summaries.items()})
        for key, size in sizes.items()
    ]


def by_view(summaries: Summaries, names: Sequence[str]) -> list[Group]:
    """A group for each view that the prediction has, of its means over categories."""
    return [
        _group(str(view), None, {method: _part(s, names, "views", view, "mean") for method, s in summaries.items()})
        for view in summaries["prediction"][names[0]]["views"]
    ]


def best_methods(values: Mapping[str, float], name: str) -> set[str]:
    """The methods with the best value of a metric among {method: value}; REFERENCE is none."""
    compared = {method: value for method, value in values.items() if method != REFERENCE}
    best = (max if METRICS[name].higher_is_better else min)(compared.values(), default=None)
    return {method for method, value in compared.items() if value == best}


def images_without_value(summary: Mapping[str, Any], name: str) -> int:
    """How many images of a method have the worst value of a metric because they lack any."""
    return METRICS[name].images_without_value(summary["failed"], summary.get("without_surface", 0))


def print_overview(summaries: Summaries, names: Sequence[str]) -> None:
    """Print methods by metrics: over all, then by data set, by category and by view.

    The best mean of a group is marked with *. Only the first table has standard deviations; those
    of the others are in results.json.

    Args:
        summaries: {method: summary}, one of the methods is 'prediction'.
        names: of the metrics.
    """
    prediction = summaries["prediction"]
    failed = {method: f"{summary['failed']} of {summary['images']}" for method, summary in summaries.items()}
    print(f"\n{prediction['objects']} objects, {prediction['images']} images; * marks the best")
    print("mean over categories ± standard deviation over objects")
    _print([over_categories(summaries, names)], names, deviations=True, last=("failed", failed))
    data_sets = by_group(summaries, names, "data_sets")
    if data_sets:
        print("by data set: mean over its objects")
        _print([*data_sets, over_objects(summaries, names)], names)
    categories = by_group(summaries, names, "categories")
    if len(categories) > 1:
        print("by category")
        _print(categories, names)
    views = by_view(summaries, names)
    if len(views) > 1:
        print("by view: mean over categories")
        _print(views, names)
    lower = [name for name in names if not METRICS[name].higher_is_better]
    print(f"lower is better: {', '.join(lower)}; else higher" if lower else "higher is better")


def _part(summary: Mapping[str, Any], names: Sequence[str], *path: str) -> dict[str, float]:
    """{metric: value} at a path within the metrics' parts of a summary, where they have it."""
    values: dict[str, float] = {}
    for name in names:
        value: Any = summary.get(name)
        for step in path:
            value = value.get(step) if isinstance(value, Mapping) else None
        if value is not None:
            values[name] = value
    return values


def _group(
    name: str,
    objects: int | None,
    means: Mapping[str, dict[str, float]],
    deviations: Mapping[str, dict[str, float]] | None = None,
) -> Group:
    """A group of {method: {metric: value}}; methods without any value are left out."""
    metrics = dict.fromkeys(metric for values in means.values() for metric in values)
    best = {m: best_methods({method: values[m] for method, values in means.items() if m in values}, m) for m in metrics}
    lines = [
        Line(method, values, (deviations or {}).get(method, {}), frozenset(m for m in values if method in best[m]))
        for method, values in means.items()
        if values
    ]
    return Group(name, objects, lines)


def _print(
    groups: Sequence[Group],
    names: Sequence[str],
    deviations: bool = False,
    last: tuple[str, Mapping[str, str]] | None = None,
) -> None:
    """Print groups as one table, or as several one below the other where metrics are many.

    Args:
        groups: a group with a number of objects, or one of several, has a line with its name.
        names: of the metrics.
        deviations: whether to show them.
        last: heading and {method: text} of a column after the metrics.
    """
    width = max(12, *(len(name) + 2 for name in names)) + (7 if deviations else 0)
    step = max(1, (WIDTH - LABEL) // width - (1 if last else 0))
    for first in range(0, len(names), step):
        columns = names[first : first + step]
        heading = "".join(f"{name + ' ':>{width}}" for name in columns)
        print(" " * LABEL + heading + (f"{last[0]:>{width}}" if last else ""))
        for group in groups:
            indent = ""
            if len(groups) > 1:
                print(group.name if group.objects is None else f"{group.name} ({group.objects})")
                indent = "  "
            for line in group.lines:
                cells = "".join(f"{_cell(line, name, deviations):>{width}}" for name in columns)
                end = f"{last[1][line.method]:>{width}}" if last else ""
                print(f"{indent + line.method:<{LABEL}}{cells}{end}")
        print()


def _cell(line: Line, name: str, deviations: bool) -> str:
    """A mean with its mark, '-' where there is none."""
    if name not in line.means:
        return "- "
    text = METRICS[name].text(line.means[name])
    if deviations:
        text += f" ± {METRICS[name].text(line.deviations[name])}"
    return f"{text}{'*' if name in line.best else ' '}"
