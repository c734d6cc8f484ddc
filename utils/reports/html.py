"""The page of an evaluated run, as one HTML file that needs neither a network nor JavaScript.

Every value that comes from a file passes through `elements.text`, which escapes it. Plots are
embedded as SVG.
"""

import dataclasses
import itertools
import pathlib
import string
from collections.abc import Mapping, Sequence
from typing import Any

from utils.metrics.registry import METRICS
from utils.metrics.summary import with_mean
from utils.reports.elements import nested_tables, table, text
from utils.reports.plots import colours_of, legend, line_plot

# names of settings and the words by which the summary calls them
SETTINGS = {
    "mode": "mode",
    "category": "category",
    "split": "split",
    "db": "database",
    "iso": "iso value",
    "sdf_res": "grid points a side",
    "views": "views",
}
REFERENCE = "true voxels"  # the method that no prediction can beat


@dataclasses.dataclass(frozen=True, kw_only=True)
class Card:
    """One image of the gallery; its images are HTML elements."""

    label: str  # why it is shown, such as 'best of 16'
    row: Mapping[str, Any]  # of results.json
    image: str  # the input
    predicted: Sequence[str]  # the prediction from a few sides; empty where there is none to show
    truth: Sequence[str]  # the true voxels from the same sides
    lacking: str | None  # why `predicted` is empty


@dataclasses.dataclass(frozen=True, kw_only=True)
class Report:
    """The contents of the page: the files of a run and of its evaluation."""

    run: str  # its folder
    results: Mapping[str, Any]  # results.json
    settings: Mapping[str, Any] | None = None  # settings.json of the evaluation
    config: Mapping[str, Any] | None = None  # config.json of the run; None: it is a TF1 checkpoint
    # one entry per epoch: epoch, step, minutes, train {part of the loss: value}, val {part: value}
    history: Sequence[Mapping[str, Any]] | None = None
    cards: Sequence[Card] | None = None  # grouped by category; None: no gallery


STYLE = pathlib.Path(__file__).with_name("report.css")
# the policy makes the browser refuse everything that would be loaded from elsewhere or executed
PAGE = string.Template("""<!DOCTYPE html>
<html lang="en"><head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>$title</title>
<style>$style</style>
</head><body>
<header><h1>$title</h1><nav>$links</nav></header>
<main>$sections</main>
</body></html>
""")


def page(report: Report) -> str:
    """The whole HTML file. Sections that have nothing to show are left out."""
    results = report.results
    sections = [
        ("summary", "Summary", _summary(report)),
        ("results", "Results", _metrics(results)),
        ("failures", "Failures", _failures(results)),
        ("cameras", "Cameras", nested_tables(results["cameras"]) if results.get("cameras") else ""),
        ("views", "Per view", _views(results)),
        ("gallery", "Gallery", _gallery(report.cards, results["metrics"]) if report.cards is not None else ""),
        ("training", "Training", _training(report.history, results.get("step"))),
        ("configuration", "Configuration", _configuration(report)),
    ]
    sections = [section for section in sections if section[2]]
    return PAGE.substitute(
        title=text(f"{report.run}: {results['split']} split"),
        style="\n" + STYLE.read_text(encoding="utf-8"),
        links=" ".join(f'<a href="#{name}">{title}</a>' for name, title, _ in sections),
        sections="\n".join(
            f'<section id="{name}"><h2>{title}</h2>\n{content}\n</section>' for name, title, content in sections
        ),
    )


def _summary(report: Report) -> str:
    """A table of the evaluated weights, the main settings and the first two metrics."""
    results, prediction = report.results, report.results["results"]["prediction"]
    rows = [("run", text(report.run)), ("weights", f"{text(results['weights']['file'])}, step {text(results['step'])}")]
    rows += [(words, text(results[key])) for key, words in SETTINGS.items() if results.get(key) is not None]
    rows.append(("images", f"{prediction['images']} of {prediction['objects']} objects"))
    rows.append(("failed", f"{prediction['failed']} of {prediction['images']}"))
    if prediction.get("without_surface"):
        rows.append(("without a surface", f"{prediction['without_surface']} of {prediction['images']}"))
    if report.history:
        last = report.history[-1]
        duration = f"{text(last['epoch'])} epochs, {text(last['step'])} steps, {last['minutes']:.0f} minutes"
        rows.append(("trained", duration))
    for name in results["metrics"][:2]:
        means = [
            f"{text(method)} {METRICS[name].text(summary[name]['mean'])}"
            for method, summary in results["results"].items()
            if name in summary
        ]
        rows.append((text(METRICS[name].heading), "; ".join(means)))
    return table([], rows, "pairs")


def _metrics(results: Mapping[str, Any]) -> str:
    """For every metric its definition and a table; then the definitions that all metrics share."""
    parts = ["<p>Mean ± standard deviation over objects; the best mean of a column is bold.</p>"]
    for name in results["metrics"]:
        metric = METRICS[name]
        heading = f"{text(metric.heading)} <small>{metric.better} is better</small>"
        definition = f'<p class="definition">{text(results["definitions"].get(name, ""))}</p>'
        parts.append(f"<article><h3>{heading}</h3>\n{definition}\n{_metric(results['results'], name)}</article>")
    shared = [(text(term), text(words)) for term, words in results["definitions"].items() if term not in METRICS]
    parts.append(f"<details><summary>What all metrics share</summary>{table([], shared, 'words')}</details>")
    return "\n".join(parts)


def _metric(summaries: Mapping[str, Any], name: str) -> str:
    """The table of one metric: a row per method, a column per category and one of the mean.

    summaries: {method: summary}.
    """
    metric = METRICS[name]
    values = {method: with_mean(summary[name]) for method, summary in summaries.items() if name in summary}
    columns = [*dict.fromkeys(category for method in values for category in summaries[method][name]["categories"])]
    columns.append("mean")
    best = {}
    for column in columns:
        means = [mean[column] for method, (mean, _) in values.items() if method != REFERENCE and column in mean]
        best[column] = (max if metric.higher_is_better else min)(means, default=None)
    rows = []
    for method, (mean, deviation) in values.items():
        summary, cells = summaries[method], []
        for column in columns:
            if column not in mean:
                cells.append("–")
                continue
            cell = f"{metric.text(mean[column])} <small>± {metric.text(deviation[column])}</small>"
            is_best = method != REFERENCE and mean[column] == best[column]
            cells.append(f"<strong>{cell}</strong>" if is_best else cell)
        lost = metric.images_without_value(summary["failed"], summary.get("without_surface", 0))
        rows.append([text(method), *cells, f"{lost} of {summary['images']}"])
    return table(["", *map(text, columns), "failed"], rows, "numbers")


def _failures(results: Mapping[str, Any]) -> str:
    """Every image of every method that failed or has no surface, with its reason."""
    rows = []
    for method, summary in results["results"].items():
        for row in results["images"].get(method, summary["failures"]):
            reason = row.get("failed") or (row.get("no_mesh") and f"no surface: {row['no_mesh']}")
            if reason:
                rows.append([text(value) for value in (method, row["category"], row["object_id"], row["view"], reason)])
    if not rows:
        return "<p>No image failed.</p>"
    heading = f"<summary>failed or without a surface, over all methods: {len(rows)}</summary>"
    listed = table(["method", "category", "object", "view", "reason"], rows, "words")
    return f"<details{' open' if len(rows) <= 20 else ''}>{heading}{listed}</details>"


def _views(results: Mapping[str, Any]) -> str:
    """A plot per metric: its mean in every view, a line per method. Empty for a single view."""
    methods = results["results"]
    views = list(methods["prediction"][results["metrics"][0]]["views"])
    if len(views) < 2:
        return ""
    colours = colours_of(methods)
    plots: list[str] = []
    for name in results["metrics"]:
        lines = {
            method: [summary[name]["views"].get(view, {}).get("mean") for view in views]
            for method, summary in methods.items()
            if name in summary
        }
        plots.append(line_plot(f"view{len(plots)}", METRICS[name].heading, "view", views, lines, colours))
    return f'{legend(colours)}<div class="plots">{"".join(plots)}</div>'


def _training(history: Sequence[Mapping[str, Any]] | None, step: int | None) -> str:
    """A plot for every part of the loss: training and validation by epoch.

    step: of the evaluated weights, whose epoch is marked.
    """
    if not history:
        return ""
    epochs = [row["epoch"] for row in history]
    titles = {"train": "training", "val": "validation"}
    parts = list(dict.fromkeys(part for key in titles for row in history for part in row.get(key) or {}))
    colours = colours_of(titles.values())
    plots: list[str] = []
    evaluated = next((row["epoch"] for row in history if row.get("step") == step), None)
    for part in parts:
        lines = {title: [(row.get(key) or {}).get(part) for row in history] for key, title in titles.items()}
        plots.append(line_plot(f"history{len(plots)}", part, "epoch", epochs, lines, colours, evaluated))
    note = ""
    if evaluated is not None:
        note = f"<p>The dotted line is the epoch of the evaluated weights ({text(evaluated)}).</p>"
    return f'{legend(colours)}{note}<div class="plots">{"".join(plots)}</div>'


def _configuration(report: Report) -> str:
    """The configuration of the run and the settings of the evaluation, folded up."""
    files = (("config.json of the run", report.config), ("settings.json of the evaluation", report.settings))
    return "\n".join(
        f"<details><summary>{title}</summary>{nested_tables(values)}</details>" for title, values in files if values
    )


def _gallery(cards: Sequence[Card], names: Sequence[str]) -> str:
    """The cards under the headings of their categories.

    names: of the metrics; the cards are ranked by the first one.
    """
    parts = [f"<p>Ranked by {text(METRICS[names[0]].heading)} among the images of a category.</p>"]
    for category, group in itertools.groupby(cards, lambda card: card.row["category"]):
        parts += [f"<h3>{text(category)}</h3>", *(_card(card, names) for card in group)]
    return "\n".join(parts)


def _card(card: Card, names: Sequence[str]) -> str:
    """A figure: the metrics of an image, then input, prediction and true voxels side by side."""
    row = card.row
    values = " · ".join(f"{text(METRICS[name].heading)} {METRICS[name].text(row[name])}" for name in names)
    failed = f' <span class="bad">failed: {text(row["failed"])}</span>' if row["failed"] else ""
    title = f"<strong>{text(card.label)}</strong> {text(row['object_id'])}, view {text(row['view'])}"
    predicted = "".join(card.predicted)
    if not card.predicted:
        predicted = f'<p class="bad">{"failed" if row["failed"] else text(card.lacking)}</p>'
    groups = (
        ("one", "input", card.image),
        ("many", "prediction", predicted),
        ("many", "true voxels", "".join(card.truth)),
    )
    strip = "".join(
        f'<div class="{kind}"><small>{heading}</small><div>{inner}</div></div>' for kind, heading, inner in groups
    )
    return (
        f'<figure class="card"><figcaption>{title} <span>{values}</span>{failed}</figcaption>'
        f'<div class="strip">{strip}</div></figure>'
    )
