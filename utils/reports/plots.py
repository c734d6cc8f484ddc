"""Line plots of a report as SVG text, and their legend."""

import io
import math
from collections.abc import Iterable, Mapping, Sequence

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from utils.reports.elements import text

# the colours of Okabe and Ito, which colour-blind readers can tell apart
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MOST_NAMES = 12  # labels along the axis: more would run into each other


def colours_of(labels: Iterable[str]) -> dict[str, str]:
    """{label: colour}; after the last colour the first comes again."""
    return {label: COLOURS[number % len(COLOURS)] for number, label in enumerate(labels)}


def legend(colours: Mapping[str, str]) -> str:
    """The legend that all plots of a section share, as HTML."""
    items = (f'<span><i style="background:{colour}"></i>{text(label)}</span>' for label, colour in colours.items())
    return f'<p class="legend">{"".join(items)}</p>'


def line_plot(
    name: str,
    title: str,
    axis: str,
    positions: Sequence[float] | Sequence[str],
    lines: Mapping[str, Sequence[float | None]],
    colours: Mapping[str, str],
    marked: float | None = None,
) -> str:
    """Draw a small line plot.

    Args:
        name: of the plot, unique in the page.
        title: over the plot.
        axis: label of the horizontal axis.
        positions: along the horizontal axis: numbers, or names that are spaced evenly.
        lines: {label: values at the positions}, None where a value is unknown.
        colours: {label: colour}.
        marked: a position that gets a dotted vertical line.

    Returns:
        An svg element.
    """
    # Text stays text, which is small and can be searched. A $ in a name starts no formula. The salt
    # makes the same plot the same file every time.
    settings = {"svg.fonttype": "none", "text.parse_math": False, "svg.hashsalt": name, "font.size": 9}
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=(4, 2.5), layout="constrained")
        axes = figure.subplots()
        for label, values in lines.items():
            heights = [value if isinstance(value, (int, float)) else math.nan for value in values]
            axes.plot(positions, heights, color=colours[label], marker="o", markersize=3, linewidth=1.4)
        if marked is not None:
            axes.axvline(marked, color="#666", linestyle=":", linewidth=1)
        axes.set_title(title, loc="left", fontsize=10)
        axes.set_xlabel(axis)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        if isinstance(positions[0], str):
            axes.set_xticks(positions[:: math.ceil(len(positions) / MOST_NAMES)])
            # no metric is below 0: an axis from 0 on shows differences as small as they are
            axes.set_ylim(0, 1.1 * max(axes.get_ylim()[1], 1e-3))
        else:
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))  # else one epoch gets fractions
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    svg = "".join(out.getvalue().partition("<svg")[1:])  # without the XML declaration and the URL of a DTD
    for before in (' id="', 'href="#', "url(#"):  # matplotlib uses the same ids in every plot
        svg = svg.replace(before, f"{before}{name}_")
    return svg.replace("<svg", f'<svg role="img" aria-label="{text(title)} by {text(axis)}"', 1)
