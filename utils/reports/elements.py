"""The HTML elements of a report: escaped text and tables.

Every value that comes from a file passes through `text`, which escapes it.
"""

import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# characters that turn the direction of a text, so that the rest of a line would be reversed; and
# what stands for the bytes of a file name that is not UTF-8, which no file in UTF-8 can hold
UNSHOWN = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def text(value: Any) -> str:
    """Escape any value for an HTML file: strings as they are, floats short, the rest as JSON.

    Characters that turn the direction of a text, or are none, are shown by their code.
    """
    if isinstance(value, float):
        value = f"{value:.6g}"
    elif not isinstance(value, str):
        value = json.dumps(value)
    return html.escape(UNSHOWN.sub(lambda match: f"\\u{ord(match[0]):04x}", value))


def table(heading: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    """Make a table that scrolls by itself on a narrow screen.

    Args:
        heading: cells of the heading, as HTML; without any the table has no heading.
        rows: cells as HTML; the first cell of a row is its heading.
        kind: class of the table, which the style sheet of the report defines.
    """
    head = "".join(f'<th scope="col">{cell}</th>' for cell in heading)
    body = "\n".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>' for first, *rest in rows
    )
    head = f"<thead><tr>{head}</tr></thead>" if heading else ""
    return f'<div class="scroll"><table class="{kind}">{head}<tbody>\n{body}\n</tbody></table></div>'


def nested_tables(values: Mapping[str, Any], level: int = 3) -> str:
    """Show a dict of values and dicts as tables.

    The first table has the values. Dicts of few values follow side by side in one table, others
    each in a table of its own under a heading.

    Args:
        values: {name: value or dict}.
        level: of the headings, 1 to 6.
    """
    dicts = {key: value for key, value in values.items() if isinstance(value, dict) and value}
    single = [(text(key), text(value)) for key, value in values.items() if key not in dicts]
    parts = [table([], single, "pairs")] if single else []
    columns = list(dict.fromkeys(key for value in dicts.values() for key in value))
    flat = not any(isinstance(cell, dict) for value in dicts.values() for cell in value.values())
    if len(dicts) > 1 and flat and len(columns) <= 8:
        rows = [
            [text(key), *(text(value[column]) if column in value else "" for column in columns)]
            for key, value in dicts.items()
        ]
        return "\n".join([*parts, table(["", *map(text, columns)], rows)])
    for key, value in dicts.items():
        parts += [f"<h{level}>{text(key)}</h{level}>", nested_tables(value, min(level + 1, 6))]
    return "\n".join(parts)
