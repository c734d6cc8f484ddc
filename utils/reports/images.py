"""The images of a report: the gallery, and a table of all of them with links to their files."""

import base64
import dataclasses
import io
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from utils.metrics.registry import METRICS
from utils.reports.elements import table, text

Row = Mapping[str, Any]  # of results.json: one image
Links = Mapping[tuple[str, str, str], Mapping[str, str]]  # {(category, object id, view): {file: URL}}
IN_CAPTION = 2  # metrics
IMAGE_SIDE = 224  # pixels: about the size of an image on a screen of two pixels a point


@dataclasses.dataclass(frozen=True, kw_only=True)
class Card:
    """One image of the gallery; its images are HTML elements."""

    label: str  # why it is shown, such as 'best of 16'
    row: Row
    image: str  # the input, or why it is missing
    predicted: Sequence[str]  # the prediction from a few sides; empty where there is none to show
    truth: Sequence[str]  # the true voxels from the same sides
    lacking: str | None  # why `predicted` is empty


def choose(rows: Sequence[Row], name: str, count: int) -> list[tuple[str, Row]]:
    """Choose images of one category for a gallery: the best, `count` between, the worst.

    Those between are spread evenly over the ranks. Where there are enough objects, they are of
    different ones, each with its middle view by rank. Failed images rank behind all others.

    Args:
        rows: of the category.
        name: of the metric that ranks them.
        count: number of images between the best and the worst.

    Returns:
        (label, row) by rank.
    """
    sign = 1 if METRICS[name].higher_is_better else -1
    ranked = sorted(rows, key=lambda row: (not row["failed"], sign * row[name]), reverse=True)
    inner_ranks = range(1, len(ranked) - 1)
    ends = {ranked[0]["object_id"], ranked[-1]["object_id"]}
    ranks_of_object: dict[str, list[int]] = {}
    for rank in inner_ranks:
        if ranked[rank]["object_id"] not in ends:
            ranks_of_object.setdefault(ranked[rank]["object_id"], []).append(rank)
    middle_ranks = sorted(ranks[len(ranks) // 2] for ranks in ranks_of_object.values())
    pool = middle_ranks if len(middle_ranks) >= count else list(inner_ranks)
    count = min(count, len(pool))
    between = [pool[(2 * i + 1) * len(pool) // (2 * count)] for i in range(count)]
    if len(ranked) == 1:
        return [("the only image", ranked[0])]
    return [
        (f"best of {len(ranked)}", ranked[0]),
        *((f"rank {rank + 1} of {len(ranked)}", ranked[rank]) for rank in between),
        (f"worst of {len(ranked)}", ranked[-1]),
    ]


def embedded(rgba: np.ndarray) -> str:
    """An img element with an (H, W, 4) uint8 image on white, reduced to IMAGE_SIDE, as WebP."""
    image = Image.fromarray(rgba, "RGBA")
    image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    image.thumbnail((IMAGE_SIDE, IMAGE_SIDE))
    out = io.BytesIO()
    image.save(out, "WEBP", quality=85)
    data = base64.b64encode(out.getvalue()).decode()
    return f'<img alt="" width="{image.width}" height="{image.height}" src="data:image/webp;base64,{data}">'


def gallery(cards: Sequence[Card], names: Sequence[str], links: Links) -> str:
    """The cards under the headings of their categories.

    Args:
        cards: grouped by category.
        names: of the metrics; the cards are ranked by the first one.
        links: to the files of the images.
    """
    parts = [f"<p>Ranked by {text(METRICS[names[0]].heading)} within a category.</p>"]
    for category, group in itertools.groupby(cards, lambda card: card.row["category"]):
        parts += [f"<h3>{text(category)}</h3>", *(_card(card, names, links) for card in group)]
    return "\n".join(parts)


def image_tables(rows: Sequence[Row], names: Sequence[str], links: Links) -> str:
    """Every image with its metrics and links to its files: a table for each category, folded up."""
    parts = []
    for category, group in itertools.groupby(rows, lambda row: row["category"]):
        listed = []
        for row in group:
            values = ["failed" if row["failed"] else METRICS[name].text(row[name]) for name in names]
            listed.append([text(row["object_id"]), text(row["view"]), *values, _anchors(row, links) + _unlike(row)])
        heading = ["object", "view", *(text(METRICS[name].heading) for name in names), "files"]
        content = table(heading, listed, "numbers")
        parts.append(f"<details><summary>{text(category)}: {len(listed)}</summary>{content}</details>")
    return "\n".join(parts)


def _unlike(row: Row) -> str:
    """A warning for an image that is unlike those of the training."""
    distance = row.get("distance")
    if not isinstance(distance, int | float) or distance <= 1:
        return ""
    return f' <span class="bad">unlike the images of the training: {distance:.2f} times the limit</span>'


def _anchors(row: Row, links: Links) -> str:
    """Links to the files of an image."""
    files = links.get((row["category"], row["object_id"], row["view"]), {})
    return " ".join(f'<a href="{text(url)}">{text(name)}</a>' for name, url in files.items())


def _card(card: Card, names: Sequence[str], links: Links) -> str:
    """A figure: the first metrics of an image, then input, prediction and truth side by side."""
    row = card.row
    shown = names[:IN_CAPTION]
    values = " · ".join(f"{text(METRICS[name].heading)} {METRICS[name].text(row[name])}" for name in shown)
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
    files = _anchors(row, links)
    files = f" <span>{files}</span>" if files else ""
    return (
        f'<figure class="card"><figcaption>{title} <span>{values}</span>{files}{failed}{_unlike(row)}</figcaption>'
        f'<div class="strip">{strip}</div></figure>'
    )
