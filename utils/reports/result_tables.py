"""The results of a report: the overview, matrices of the categories, tables of every metric."""

from collections.abc import Mapping, Sequence
from typing import Any

from utils.metrics import overview
from utils.metrics.overview import Group, Line
from utils.metrics.registry import METRICS
from utils.metrics.summary import with_mean
from utils.reports.elements import table, text

# the ends of the scale of a matrix, RGB; from the middle on, white letters are easier to read
WEAK, STRONG = (247, 251, 255), (8, 69, 148)


def overview_tables(results: Mapping[str, Any]) -> str:
    """Methods by metrics: over categories with standard deviations, then by data set."""
    summaries, names = results["results"], results["metrics"]
    group = overview.over_categories(summaries, names)
    failed = {method: f"{s['failed']} of {s['images']}" for method, s in summaries.items()}
    rows = [[text(line.method), *_cells(line, names, True), text(failed[line.method])] for line in group.lines]
    parts = [
        "<p>Mean over categories ± standard deviation over objects; the best is bold.</p>",
        table(["", *_headings(names), "failed"], rows, "numbers"),
    ]
    data_sets = overview.by_group(summaries, names, "data_sets")
    if data_sets:
        groups = [*data_sets, overview.over_objects(summaries, names)]
        parts += ["<h3>By data set</h3>", "<p>Mean over objects.</p>", _groups_table("data set", groups, names)]
    return "\n".join(parts)


def category_matrices(results: Mapping[str, Any]) -> str:
    """A matrix for each metric: categories by methods, dark where they are good.

    Empty for one category, whose numbers are those of the overview.
    """
    summaries, names = results["results"], results["metrics"]
    groups = overview.by_group(summaries, names, "categories")
    if len(groups) < 2:
        return ""
    matrices = "".join(_matrix(groups, name) for name in names)
    note = "<p>The darker the better within a metric; the best of a category is bold.</p>"
    return f'{note}<div class="matrices">{matrices}</div>'


def metric_tables(results: Mapping[str, Any]) -> str:
    """Folded up: for every metric its definition and a table; the definitions that all share."""
    parts = ["<p>Definitions, and mean ± standard deviation over objects.</p>"]
    for name in results["metrics"]:
        metric = METRICS[name]
        heading = f"{text(metric.heading)} <small>{metric.better} is better</small>"
        definition = f'<p class="definition">{text(results["definitions"].get(name, ""))}</p>'
        content = f"{definition}\n{_metric(results['results'], name)}"
        parts.append(f"<details><summary>{heading}</summary>\n{content}</details>")
    shared = [(text(term), text(words)) for term, words in results["definitions"].items() if term not in METRICS]
    parts.append(f"<details><summary>What all metrics share</summary>{table([], shared, 'words')}</details>")
    return "\n".join(parts)


def _headings(names: Sequence[str]) -> list[str]:
    """Columns of metrics; an arrow says where the better values are."""
    arrows = {True: "↑", False: "↓"}
    return [f"{text(METRICS[name].heading)} {arrows[METRICS[name].higher_is_better]}" for name in names]


def _cells(line: Line, names: Sequence[str], deviations: bool = False) -> list[str]:
    """The means of a line, the best bold."""
    cells = []
    for name in names:
        if name not in line.means:
            cells.append("–")
            continue
        cell = METRICS[name].text(line.means[name])
        if deviations:
            cell += f" <small>± {METRICS[name].text(line.deviations[name])}</small>"
        cells.append(f"<strong>{cell}</strong>" if name in line.best else cell)
    return cells


def _groups_table(kind: str, groups: Sequence[Group], names: Sequence[str]) -> str:
    """A table of several groups, whose names stand in the first line of each."""
    rows = []
    for group in groups:
        for number, line in enumerate(group.lines):
            title = text(group.name) if number == 0 else ""
            size = f" <small>({group.objects})</small>" if number == 0 and group.objects is not None else ""
            rows.append([f"{title}{size}", text(line.method), *_cells(line, names)])
    return table([kind, "", *_headings(names)], rows, "numbers grouped")


def _matrix(groups: Sequence[Group], name: str) -> str:
    """One metric: a row for each category, a column for each method."""
    metric = METRICS[name]
    # what no prediction can reach would leave no colours for the others
    lines = [line for group in groups for line in group.lines if name in line.means]
    values = [line.means[name] for line in lines if line.method != overview.REFERENCE]
    low, high = min(values), max(values)
    methods = list(dict.fromkeys(line.method for line in lines))
    rows = []
    for group in groups:
        of_method = {line.method: line for line in group.lines}
        cells = []
        for method in methods:
            line = of_method.get(method)
            if line is None or name not in line.means:
                cells.append("<td>–</td>")
                continue
            share = (line.means[name] - low) / (high - low) if high > low else 0.0
            share = min(max(share if metric.higher_is_better else 1 - share, 0.0), 1.0)
            value = metric.text(line.means[name])
            value = f"<strong>{value}</strong>" if name in line.best else value
            cells.append(f'<td style="{_colours(share)}">{value}</td>')
        size = f" <small>({group.objects})</small>"
        rows.append(f'<tr><th scope="row">{text(group.name)}{size}</th>{"".join(cells)}</tr>')
    head = "".join(f'<th scope="col">{text(method)}</th>' for method in ["", *methods])
    title = f"{text(metric.heading)} <small>{metric.better} is better</small>"
    body = "\n".join(rows)
    return (
        f'<div><h3>{title}</h3><div class="scroll"><table class="matrix"><thead><tr>{head}</tr></thead>'
        f"<tbody>\n{body}\n</tbody></table></div></div>"
    )


def _colours(share: float) -> str:
    """The style of a cell: between WEAK (0) and STRONG (1), with letters that can be read on it."""
    red, green, blue = (round(weak + share * (strong - weak)) for weak, strong in zip(WEAK, STRONG, strict=True))
    return f"background:rgb({red},{green},{blue});color:{'#fff' if share > 0.5 else '#111'}"


def _metric(summaries: Mapping[str, Any], name: str) -> str:
    """The table of one metric: a row per category and one of the mean, a column per method."""
    metric = METRICS[name]
    values = {method: with_mean(summary[name]) for method, summary in summaries.items() if name in summary}
    rows = []
    for row in dict.fromkeys(key for means, _ in values.values() for key in means):
        best = overview.best_methods(
            {method: means[row] for method, (means, _) in values.items() if row in means}, name
        )
        cells = []
        for method, (means, deviations) in values.items():
            cell = f"{metric.text(means[row])} <small>± {metric.text(deviations[row])}</small>" if row in means else "–"
            cells.append(f"<strong>{cell}</strong>" if method in best else cell)
        rows.append([text(row), *cells])
    lost = [
        f"{overview.images_without_value(summaries[method], name)} of {summaries[method]['images']}"
        for method in values
    ]
    return table(["", *map(text, values)], [*rows, ["without a value", *lost]], "numbers")
