"""The views of an evaluation, one by one: predictions to disk, a row of metrics for each.

<folder>/predictions/<category>/<object>/<view>_pred.txt  the field
<folder>/predictions/<category>/<object>/<view>_pred.obj  surface voxels as coloured points
<folder>/predictions/<category>/<object>/<view>_mesh.obj  the coloured mesh, if wanted
<folder>/rows.jsonl                                       a row per finished view
"""

import dataclasses
import itertools
import json
import pathlib
import typing

from tqdm import tqdm

from data.shards import Database, ObjectEntry
from models.inference.field_query import FieldQuery
from models.inference.predict import mesh_of_view, predict_views, surface_voxels
from utils.errors import UserError
from utils.geometry import frames
from utils.mesh.writers import write_mesh, write_points
from utils.metrics import registry
from utils.metrics.comparison import Prediction, load_truth
from utils.surface.field_grid import FieldGrid
from utils.surface.txt_format import read_txt, write_txt

Row = dict[str, typing.Any]  # of results.json: category, object_id, view, failed, no_mesh and the metrics


@dataclasses.dataclass(frozen=True)
class ViewEvaluator:
    """Predicts and measures views of one database into one folder; it resumes where it stopped."""

    query: FieldQuery
    database: Database
    folder: pathlib.Path
    names: list[str]  # of the metrics
    iso: float  # value of the field at the surface
    resolution: int  # points along each axis of the stored fields
    mesh_resolution: int | None  # cells along each axis of the meshes; None: no meshes

    def rows(self, pairs: list[tuple[ObjectEntry, int]]) -> list[Row]:
        """Rows of all images; the last row of an image in rows.jsonl counts."""
        path, rows = self.folder / "rows.jsonl", []
        done = _finished_rows(path)
        with open(path, "a") as log, tqdm(total=len(pairs), desc="evaluating", unit="image", mininterval=2) as bar:
            for entry, group in itertools.groupby(pairs, lambda pair: pair[0]):
                views = [view for _, view in group]
                known = {view: done.get((entry.category, entry.object_id, entry.view_names[view])) for view in views}
                missing = [view for view in views if not self._complete(known[view])]
                fields = predict_views(self.query, self.database, entry, missing, self.resolution, self.iso)
                for view in views:
                    stored = known[view]
                    if view in missing or stored is None:
                        row = self._evaluate(entry, view, next(fields))
                    elif set(self.names) <= set(stored):
                        row = stored
                    else:
                        row = self._with_new_metrics(stored, entry)
                    if row is not stored:
                        log.write(json.dumps(row) + "\n")
                        log.flush()
                    rows.append(row)
                    bar.update()
        return rows

    def _complete(self, row: Row | None) -> bool:
        """Whether all files of a view exist, including a mesh of the wanted resolution."""
        if row is None:
            return False
        files = [] if row["failed"] else ["pred.txt", "pred.obj"]
        if self.mesh_resolution and not row["failed"] and not row["no_mesh"]:
            if row.get("mesh_res") != self.mesh_resolution:
                return False
            files.append("mesh.obj")
        base = self.folder / "predictions" / row["category"] / row["object_id"]
        return all((base / f"{row['view']}_{name}").exists() for name in files)

    def _evaluate(
        self,
        entry: ObjectEntry,
        view: int,
        field: FieldGrid | UserError,
    ) -> Row:
        """Write the files of a view whose field was predicted, and measure it."""
        name = entry.view_names[view]
        base = self.folder / "predictions" / entry.category / entry.object_id
        row: Row = {"category": entry.category, "object_id": entry.object_id, "view": name}
        row |= {**registry.worst_values(self.names), "failed": None, "mesh_res": self.mesh_resolution}
        row["no_mesh"] = None  # the reason, where there are voxels and no surface: no cell is empty
        try:
            if isinstance(field, UserError):
                raise field
            write_txt(base / f"{name}_pred.txt", field)
            if not self.query.occupied(field.geometry, self.iso).any():
                low, high = field.geometry.min(), field.geometry.max()
                raise UserError(f"field is empty: min {low:.4g}, max {high:.4g}, iso value {self.iso:.4g}")
            voxels, colours = surface_voxels(field, self.query.config.binary, self.iso)
        except UserError as error:
            return {**row, "failed": str(error)}
        write_points(base / f"{name}_pred.obj", frames.from_voxel(voxels), colours)
        if self.mesh_resolution:
            try:
                mesh = mesh_of_view(self.query, self.database, entry, view, self.mesh_resolution, self.iso)
                write_mesh(base / f"{name}_mesh.obj", mesh.vertices, mesh.faces, mesh.colours)
            except UserError as error:
                row["no_mesh"] = str(error)
        prediction = Prediction.of_field(field, self.query.config.binary, self.iso, voxels, colours)
        return self._measured(row, prediction, entry, self.names)

    def _with_new_metrics(self, row: Row, entry: ObjectEntry) -> Row:
        """A finished row with the metrics that it lacks, measured on the stored field."""
        if row["failed"]:
            return {**registry.worst_values(self.names), **row}
        base, binary = self.folder / "predictions" / row["category"] / row["object_id"], self.query.config.binary
        field = read_txt(base / f"{row['view']}_pred.txt")
        prediction = Prediction.of_field(field, binary, self.iso, *surface_voxels(field, binary, self.iso))
        return self._measured(row, prediction, entry, [name for name in self.names if name not in row])

    def _measured(
        self,
        row: Row,
        prediction: Prediction,
        entry: ObjectEntry,
        names: list[str],
    ) -> Row:
        values = registry.measure(names, prediction, load_truth(self.database, entry))
        lacking = registry.need_surface(names) and prediction.solid is None
        return {**row, **values, "no_mesh": prediction.no_surface if lacking else row["no_mesh"]}


def _finished_rows(path: pathlib.Path) -> dict[tuple[str, str, str], Row]:
    """{(category, object id, view): row} of an interrupted evaluation.

    A cut last line is dropped.
    """
    if not path.exists():
        return {}
    try:
        lines = path.read_text().splitlines(keepends=True)
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}); delete {path.parent} to evaluate again") from None
    lines = [line for line in lines if line.endswith("\n")]
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            rows.append(_checked_row(json.loads(line)))
        except (ValueError, RecursionError) as error:
            reason = f"line {number}: {error}"
            raise UserError(f"{path} is damaged ({reason}); delete {path.parent} to evaluate again") from None
    path.write_text("".join(lines))
    print(f"{len(rows)} images are done already")
    return {(row["category"], row["object_id"], row["view"]): row for row in rows}


def _checked_row(row: typing.Any) -> Row:
    """A row of rows.jsonl; ValueError where it lacks what all rows have."""
    if not isinstance(row, dict):
        raise ValueError("it is no row")
    for name in ("category", "object_id", "view"):
        if not isinstance(row.get(name), str):
            raise ValueError(f"{name} is missing")
    for name in ("failed", "no_mesh"):
        if not isinstance(row.get(name, ""), str | None):
            raise ValueError(f"{name} is no text")
    for name in registry.METRICS.keys() & row.keys():
        if type(row[name]) not in (int, float):
            raise ValueError(f"{name} is no number")
    return {"failed": None, "no_mesh": None, **row}
