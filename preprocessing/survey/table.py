"""The table over all meshes of a folder: its lines, its totals, its files."""

import csv
import dataclasses
import pathlib
from collections.abc import Sequence

from preprocessing.survey.measure import Findings
from utils.files import replacing, write_json

HEADING = (
    f"{'mesh':<44}{'faces':>9}{'parts':>7}{'textures':>9}{'missing':>8}"
    f"{'closed':>7}{'inside':>8}{'longest':>10}{'warnings':>9}"
)
TOTALS = f"{'category':<20}{'meshes':>8}{'unusable':>9}{'textured':>9}{'closed':>7}{'warned':>7}{'mean faces':>11}"


def line(row: Findings) -> str:
    """A mesh in one line, under HEADING."""
    name = f"{row.category}/{row.object_id}"
    if row.error:
        return f"{name:<44}  cannot be used"
    counts = f"{row.faces:>9}{row.parts:>7}{row.textures:>9}{row.missing:>8}{'yes' if row.closed else 'no':>7}"
    return f"{name:<44}{counts}{100 * row.inside:>7.1f}%{max(row.size):>10.4g}{len(row.warnings):>9}"


def totals(rows: Sequence[Findings]) -> list[str]:
    """TOTALS, a line for every category, and one for all of them."""
    names = sorted({row.category for row in rows})
    return [
        TOTALS,
        *(_total(name, [row for row in rows if row.category == name]) for name in names),
        _total("all", rows),
    ]


def _total(name: str, rows: Sequence[Findings]) -> str:
    usable = [row for row in rows if not row.error]
    textured = sum(row.textures > 0 for row in usable)
    closed = sum(row.closed for row in usable)
    warned = sum(bool(row.warnings) for row in usable)
    mean_faces = sum(row.faces for row in usable) / max(len(usable), 1)
    unusable = len(rows) - len(usable)
    return f"{name:<20}{len(rows):>8}{unusable:>9}{textured:>9}{closed:>7}{warned:>7}{mean_faces:>11.0f}"


def write_table(folder: pathlib.Path, rows: Sequence[Findings]) -> None:
    """Write everything found as meshes.csv and meshes.json in a folder."""
    entries = [dataclasses.asdict(row) for row in rows]
    write_json(folder / "meshes.json", entries)
    columns = [field.name for field in dataclasses.fields(Findings)]
    with (
        replacing(folder / "meshes.csv") as temporary,
        open(temporary, "w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        for entry in entries:
            sizes = " ".join(f"{side:g}" for side in entry["size"])
            writer.writerow(entry | {"size": sizes, "warnings": "; ".join(entry["warnings"])})
