"""The page of an evaluated run, as one HTML file that needs neither a network nor JavaScript.

Every value that comes from a file passes through `elements.text`, which escapes it. Plots are
embedded as SVG.
"""

import dataclasses
import pathlib
import string
from collections.abc import Mapping, Sequence
from typing import Any

from utils.metrics.registry import METRICS
from utils.reports.elements import nested_tables, table, text
from utils.reports.images import Card, Links, gallery, image_tables
from utils.reports.plots import colours_of, legend, line_plot
from utils.reports.result_tables import category_matrices, metric_tables, overview_tables

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
    links: Links = dataclasses.field(default_factory=dict)  # to the files of the images, relative to the page
    earlier: Sequence[Mapping[str, Any]] = ()  # results.json of evaluations of other weights, by step
    made: Mapping[str, Any] | None = None  # the provenance of the page


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
        ("overview", "Overview", overview_tables(results)),
        ("categories", "Categories", category_matrices(results)),
        ("failures", "Failures", _failures(results)),
        ("cameras", "Cameras", nested_tables(results["cameras"]) if results.get("cameras") else ""),
        ("views", "Per view", _views(results)),
        ("gallery", "Gallery", gallery(report.cards, results["metrics"], report.links) if report.cards else ""),
        ("images", "All images", image_tables(results["images"]["prediction"], results["metrics"], report.links)),
        ("training", "Training", _training(report.history, results.get("step"))),
        ("earlier", "Other weights", _earlier(report)),
        ("results", "Definitions", metric_tables(results)),
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
    """Remarks; a table of the evaluated weights, the main settings, and the results' origin."""
    results, prediction = report.results, report.results["results"]["prediction"]
    rows = [("run", text(report.run)), ("weights", f"{text(results['weights']['file'])}, step {text(results['step'])}")]
    rows += [(words, text(results[key])) for key, words in SETTINGS.items() if results.get(key) is not None]
    others = {name: number for name, number in results.get("objects", {}).items() if name != "evaluated"}
    counts = "; ".join(f"{text(name)} {text(number)}" for name, number in others.items())
    evaluated = f"{prediction['objects']} evaluated, {prediction['images']} images"
    rows.append(("objects", f"{evaluated}; {counts}" if counts else evaluated))
    rows.append(("failed", f"{prediction['failed']} of {prediction['images']}"))
    if prediction.get("without_surface"):
        rows.append(("without a surface", f"{prediction['without_surface']} of {prediction['images']}"))
    if report.history:
        last = report.history[-1]
        duration = f"{text(last['epoch'])} epochs, {text(last['step'])} steps, {last['minutes']:.0f} minutes"
        rows.append(("trained", duration))
    for words, made in (("evaluated", results.get("made")), ("report", report.made)):
        if made:
            versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
            commit = f"commit {made['commit']}" if made["commit"] else "no git checkout"
            code = f"<code>{text(made['command'])}</code>"
            rows.append((words, f"{text(made['date'])}, {text(commit)}<br>{code}<br><small>{text(versions)}</small>"))
    remarks = "".join(f'<p class="bad">{text(remark)}</p>' for remark in results.get("remarks", []))
    return remarks + table([], rows, "pairs")


def _earlier(report: Report) -> str:
    """The prediction's means of other weights that were evaluated in the same folder, by step."""
    if not report.earlier:
        return ""
    names, rows, evaluated = report.results["metrics"], [], _images(report.results)
    for results in sorted([*report.earlier, report.results], key=lambda evaluation: evaluation.get("step") or 0):
        prediction = results["results"]["prediction"]
        values = [METRICS[name].text(prediction[name]["mean"]) if name in prediction else "–" for name in names]
        shown = " (this page)" if results is report.results else ""
        if _images(results) != evaluated:  # --views, --limit and --category may change in a folder
            shown = f" (other images: {prediction['images']})"
        rows.append([f"{text(results.get('step'))}{shown}", *values])
    heading = ["step", *(text(METRICS[name].heading) for name in names)]
    return f"<p>Mean of the prediction over categories.</p>{table(heading, rows, 'numbers')}"


def _images(results: Mapping[str, Any]) -> set[tuple[str, str, str]]:
    """Category, object and view of every image of an evaluation."""
    return {(row["category"], row["object_id"], row["view"]) for row in results["images"]["prediction"]}


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
    """A plot for every part of the loss, and for the scores of a few validation objects, by epoch.

    step: of the evaluated weights, whose epoch is marked.
    """
    if not history:
        return ""
    epochs = [row["epoch"] for row in history]
    titles = {"train": "training", "val": "validation", "scores": "validation objects"}
    titles = {key: title for key, title in titles.items() if any(row.get(key) for row in history)}
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
