"""The page of eval/report.py: an evaluated run as one HTML file that needs nothing else, neither a network nor JavaScript.

Everything that comes from a file passes `text`, which escapes it. Plots are embedded as SVG.
"""

import dataclasses
import html
import io
import itertools
import json
import math
import string

from utils.metrics import registry

COLOURS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
)  # Okabe and Ito's, told apart by colour-blind eyes


@dataclasses.dataclass
class Card:
    """One image of the gallery."""

    label: str  # why it is shown, such as 'best of 16'
    row: dict  # of results.json
    image: str  # the input; this and the others are img elements
    predicted: list  # from a few sides; empty where there is nothing to show
    truth: list  # from the same sides
    lacking: str | None  # why predicted is empty


@dataclasses.dataclass
class Report:
    """What the page is made of: the files of a run and its evaluation as they were read."""

    run: str
    results: dict
    settings: dict | None
    config: dict | None  # None: the run is a TF1 checkpoint
    history: list | None  # one entry an epoch: epoch, step, minutes, train {part: value}, val {part: value}
    cards: list | None  # of Card, grouped by category; None: without a gallery


STYLE = """
:root { color-scheme: light dark; --line: #d5d9de; --soft: #5c6670; --panel: #f6f7f9; --bad: #b42318 }
@media (prefers-color-scheme: dark) { :root { --line: #3b424a; --soft: #a3adb8; --panel: #1d2126; --bad: #ff8a7a } }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 72rem; margin: 0 auto; padding: 0 1rem 4rem }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1rem; padding-bottom: .8rem; border-bottom: 1px solid var(--line) }
h1 { font-size: 1.5rem } h2 { font-size: 1.25rem; margin-top: 2.2rem } h3 { font-size: 1.05rem; margin: 1.4rem 0 .4rem }
small, .definition { color: var(--soft) } h3 small { font-weight: normal } .definition { margin: .2rem 0; font-size: .85rem; max-width: 60rem }
h1, h2, h3, td, th, figcaption { overflow-wrap: anywhere } .scroll { overflow-x: auto } table { border-collapse: collapse; margin: .4rem 0 }
th, td { padding: .25rem .7rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top }
th:first-child { padding-left: 0 } tbody th { font-weight: normal; min-width: 6rem } .pairs th { color: var(--soft) }
.numbers td, .numbers thead th:not(:first-child) { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }
summary { cursor: pointer; padding: .3rem 0 } .bad { color: var(--bad) } .words { font-size: .85rem }
.legend span { margin-right: 1.2rem } .legend i { display: inline-block; width: .8rem; height: .8rem; margin-right: .4rem; border-radius: 2px }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(19rem, 100%), 1fr)); gap: .8rem }
.plots svg { width: 100%; height: auto; background: #fff; border-radius: 6px }
.card { margin: 0 0 1rem; padding: .7rem; background: var(--panel); border-radius: 6px } figcaption { margin-bottom: .4rem }
figcaption span { margin-left: .6rem; font-size: .85rem }
.strip { display: grid; grid-template-columns: 1fr 3fr 3fr; gap: .8rem } .strip > div { min-width: 0; overflow-wrap: anywhere }
.many > div { display: grid; grid-template-columns: repeat(3, 1fr); gap: 2px }
.strip img { width: 100%; height: auto; display: block; border-radius: 4px } .many .bad { grid-column: 1 / -1 }
@media (max-width: 45rem) { .strip { grid-template-columns: 1fr } .one img { width: 33% } figcaption span { display: block; margin: 0 } }
"""
# the policy makes the browser itself refuse whatever would be loaded from elsewhere or run
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


def page(report):
    """Report -> the whole HTML file, a str."""
    results, files = (
        report.results,
        [("config.json of the run", report.config), ("settings.json of the evaluation", report.settings)],
    )
    settings = [f"<details><summary>{title}</summary>{nested(values)}</details>" for title, values in files if values]
    parts = [
        ("summary", "Summary", _summary(report)),
        ("results", "Results", _metrics(results)),
        ("failures", "Failures", _failures(results)),
        ("cameras", "Cameras", nested(results["cameras"]) if results.get("cameras") else ""),
        ("views", "Per view", _views(results)),
        ("gallery", "Gallery", _gallery(report.cards, results["metrics"]) if report.cards is not None else ""),
        ("training", "Training", _training(report.history, results.get("step"))),
        ("configuration", "Configuration", "\n".join(settings)),
    ]
    parts = [part for part in parts if part[2]]  # those that have something to show
    return PAGE.substitute(
        title=text(f"{report.run}: {results['split']} split"),
        style=STYLE,
        links=" ".join(f'<a href="#{name}">{title}</a>' for name, title, _ in parts),
        sections="\n".join(
            f'<section id="{name}"><h2>{title}</h2>\n{content}\n</section>' for name, title, content in parts
        ),
    )


def text(value):
    """Any value as text of an HTML file: strings as they are, numbers short, the rest as JSON; escaped."""
    if isinstance(value, float):
        value = f"{value:.6g}"
    elif not isinstance(value, str):
        value = json.dumps(value)
    return html.escape(value)


def table(heading, rows, kind=""):
    """Heading cells, rows of cells (HTML) -> a table that scrolls by itself where the screen is narrow; the first cell heads its row."""
    head = "".join(f'<th scope="col">{cell}</th>' for cell in heading)
    body = "\n".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>' for first, *rest in rows
    )
    head = f"<thead><tr>{head}</tr></thead>" if heading else ""
    return f'<div class="scroll"><table class="{kind}">{head}<tbody>\n{body}\n</tbody></table></div>'


def nested(values, level=3):
    """A dict of values and dicts -> tables: one of the values, then one of the dicts side by side, or a headed one of each."""
    inner = {key: value for key, value in values.items() if isinstance(value, dict) and value}
    single = [(text(key), text(value)) for key, value in values.items() if key not in inner]
    parts = [table([], single, "pairs")] if single else []
    columns = list(dict.fromkeys(key for value in inner.values() for key in value))
    flat = not any(isinstance(cell, dict) for value in inner.values() for cell in value.values())
    if len(inner) > 1 and flat and len(columns) <= 8:
        cells = [
            [text(key), *(text(value[column]) if column in value else "" for column in columns)]
            for key, value in inner.items()
        ]
        return "\n".join([*parts, table(["", *map(text, columns)], cells)])
    for key, value in inner.items():
        parts += [f"<h{level}>{text(key)}</h{level}>", nested(value, min(level + 1, 6))]
    return "\n".join(parts)


def higher(name):
    """Whether higher values of a metric are better."""
    return registry.METRICS[name].worst == 0


def _number(name, value):
    return f"{value:.{registry.METRICS[name].digits}f}"


def _summary(report):
    """What was evaluated, and the first metrics in a line each."""
    results, prediction = report.results, report.results["results"]["prediction"]
    names = {"db": "database", "iso": "level", "sdf_res": "grid points a side"}
    known = [
        key for key in ("mode", "category", "split", "db", "iso", "sdf_res", "views") if results.get(key) is not None
    ]
    rows = [("run", text(report.run)), ("weights", f"{text(results['weights']['file'])}, step {text(results['step'])}")]
    rows += [(names.get(key, key), text(results[key])) for key in known]
    rows.append(("images", f"{prediction['images']} of {prediction['objects']} objects"))
    rows.append(("failed", f"{prediction['failed']} of {prediction['images']}"))
    if prediction.get("without_surface"):
        rows.append(("without a surface", f"{prediction['without_surface']} of {prediction['images']}"))
    if report.history:
        last = report.history[-1]
        rows.append(
            ("trained", f"{text(last['epoch'])} epochs, {text(last['step'])} steps, {last['minutes']:.0f} minutes")
        )
    for name in results["metrics"][:2]:
        means = [
            f"{text(method)} {_number(name, each[name]['mean'])}"
            for method, each in results["results"].items()
            if name in each
        ]
        rows.append((text(registry.METRICS[name].heading), "; ".join(means)))
    return table([], rows, "pairs")


def _metrics(results):
    """For every metric a table of methods by categories beside its definition, then what all metrics share."""
    parts = ["<p>Mean ± standard deviation over objects; the best mean of a column is bold.</p>"]
    for name in results["metrics"]:
        heading = (
            f"{text(registry.METRICS[name].heading)} <small>{'higher' if higher(name) else 'lower'} is better</small>"
        )
        definition = f'<p class="definition">{text(results["definitions"].get(name, ""))}</p>'
        parts.append(f"<article><h3>{heading}</h3>\n{definition}\n{_metric(results['results'], name)}</article>")
    shared = [
        (text(term), text(words)) for term, words in results["definitions"].items() if term not in registry.METRICS
    ]
    return "\n".join(
        [*parts, f"<details><summary>What all metrics share</summary>{table([], shared, 'words')}</details>"]
    )


def _metric(summaries, name):
    """{method: summary} -> the table of one metric."""
    methods = {method: summary for method, summary in summaries.items() if name in summary}
    columns = list(dict.fromkeys(category for summary in methods.values() for category in summary[name]["categories"]))
    best = max if higher(name) else min
    means = {
        method: {**summary[name]["categories"], None: summary[name]["mean"]} for method, summary in methods.items()
    }
    deviations = {
        method: {**summary[name]["categories_std"], None: summary[name]["std"]} for method, summary in methods.items()
    }
    rivals = [method for method in methods if method != "true voxels"]  # no prediction can beat those
    rows = []
    for method, summary in methods.items():
        cells = []
        for column in [*columns, None]:  # None: the mean over categories
            if column not in means[method]:
                cells.append("–")
                continue
            top = best(means[rival][column] for rival in rivals if column in means[rival]) if method in rivals else None
            cell = (
                f"{_number(name, means[method][column])} <small>± {_number(name, deviations[method][column])}</small>"
            )
            cells.append(f"<strong>{cell}</strong>" if means[method][column] == top else cell)
        lost = summary["failed"] + (summary.get("without_surface", 0) if registry.METRICS[name].surface else 0)
        rows.append([text(method), *cells, f"{lost} of {summary['images']}"])
    return table(["", *map(text, columns), "mean", "failed"], rows, "numbers")


def _failures(results):
    """Every image of every method that failed or has no surface, with its reason."""
    rows = []
    for method, summary in results["results"].items():
        for row in results["images"].get(method, summary["failures"]):
            reason = row.get("failed") or (row.get("no_mesh") and f"no surface: {row['no_mesh']}")
            if reason:
                rows.append([text(value) for value in (method, row["category"], row["object_id"], row["view"], reason)])
    if not rows:
        return "<p>No image failed.</p>"
    summary = f"<summary>failed or without a surface, over all methods: {len(rows)}</summary>"
    listed = table(["method", "category", "object", "view", "reason"], rows, "words")
    return f"<details{' open' if len(rows) <= 20 else ''}>{summary}{listed}</details>"


def _views(results):
    """A plot a metric: its mean in every view, a line a method; nothing where there is one view only."""
    views = list(results["results"]["prediction"][results["metrics"][0]]["views"])
    if len(views) < 2:
        return ""
    methods, plots = results["results"], []
    colours = {method: COLOURS[number % len(COLOURS)] for number, method in enumerate(methods)}
    for name in results["metrics"]:
        of_view = {method: summary[name]["views"] for method, summary in methods.items() if name in summary}
        lines = {method: [each.get(view, {}).get("mean") for view in views] for method, each in of_view.items()}
        plots.append(plot(f"view{len(plots)}", registry.METRICS[name].heading, "view", views, lines, colours))
    return f'{_legend(colours)}<div class="plots">{"".join(plots)}</div>'


def _training(history, step):
    """A plot for every part of the loss: training and validation by epoch."""
    if not history:
        return ""
    epochs = [row["epoch"] for row in history]
    kinds = {"train": "training", "val": "validation"}
    parts = list(dict.fromkeys(part for kind in kinds for row in history for part in row.get(kind) or {}))
    colours, plots = dict(zip(kinds.values(), COLOURS, strict=False)), []
    chosen = next((row["epoch"] for row in history if row.get("step") == step), None)
    for part in parts:
        lines = {title: [(row.get(kind) or {}).get(part) for row in history] for kind, title in kinds.items()}
        plots.append(plot(f"history{len(plots)}", part, "epoch", epochs, lines, colours, chosen))
    note = (
        f"<p>The dotted line is the epoch of the evaluated weights ({text(chosen)}).</p>" if chosen is not None else ""
    )
    return f'{_legend(colours)}{note}<div class="plots">{"".join(plots)}</div>'


def _legend(colours):
    items = (f'<span><i style="background:{colour}"></i>{text(name)}</span>' for name, colour in colours.items())
    return f'<p class="legend">{"".join(items)}</p>'


def plot(name, title, axis, positions, lines, colours, marked=None):
    """A small line plot as SVG text. name: of the plot in the page; positions: numbers, or names that are spaced evenly; lines {label:
    values, None where unknown}; colours {label: colour}; marked: a position that gets a dotted line."""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    named = isinstance(positions[0], str)
    # letters stay letters (small, and found by a search); $ in a name is no formula; the salt makes the file the same every time
    with matplotlib.rc_context(
        {"svg.fonttype": "none", "text.parse_math": False, "svg.hashsalt": name, "font.size": 9}
    ):
        sheet = Figure(figsize=(4, 2.5), layout="constrained")
        axes = sheet.subplots()
        for label, values in lines.items():
            known = [value if isinstance(value, (int, float)) else math.nan for value in values]
            axes.plot(positions, known, color=colours[label], marker="o", markersize=3, linewidth=1.4)
        if marked is not None:
            axes.axvline(marked, color="#666", linestyle=":", linewidth=1)
        axes.set_title(title, loc="left", fontsize=10)
        axes.set_xlabel(axis)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        if named:
            axes.set_xticks(
                positions[:: math.ceil(len(positions) / 12)]
            )  # more names than a dozen would run into each other
            axes.set_ylim(
                0, 1.1 * max(axes.get_ylim()[1], 1e-3)
            )  # no metric is below 0; differences look as small as they are
        else:
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        out = io.StringIO()
        sheet.savefig(out, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    svg = "".join(out.getvalue().partition("<svg")[1:])  # without the XML declaration and the address of a DTD
    for before in (' id="', 'href="#', "url(#"):  # every SVG counts its parts from 1: names must differ within the page
        svg = svg.replace(before, f"{before}{name}_")
    return svg.replace("<svg", f'<svg role="img" aria-label="{text(title)} by {text(axis)}"', 1)


def _gallery(cards, names):
    parts = [f"<p>Ranked by {text(registry.METRICS[names[0]].heading)} among the images of a category.</p>"]
    for category, group in itertools.groupby(cards, lambda card: card.row["category"]):
        parts += [f"<h3>{text(category)}</h3>", *(_card(card, names) for card in group)]
    return "\n".join(parts)


def _card(card, names):
    row = card.row
    values = " · ".join(f"{text(registry.METRICS[name].heading)} {_number(name, row[name])}" for name in names)
    failed = f' <span class="bad">failed: {text(row["failed"])}</span>' if row["failed"] else ""
    caption = f"<strong>{text(card.label)}</strong> {text(row['object_id'])}, view {text(row['view'])} <span>{values}</span>{failed}"
    predicted = "".join(card.predicted)
    if not card.predicted:
        predicted = f'<p class="bad">{"failed" if row["failed"] else text(card.lacking)}</p>'
    groups = [
        ("one", "input", card.image),
        ("many", "prediction", predicted),
        ("many", "true voxels", "".join(card.truth)),
    ]
    strip = "".join(
        f'<div class="{kind}"><small>{title}</small><div>{inner}</div></div>' for kind, title, inner in groups
    )
    return f'<figure class="card"><figcaption>{caption}</figcaption><div class="strip">{strip}</div></figure>'
