"""The views of an evaluation, object by object: predictions to disk, a row of metrics for each.

Objects are evaluated in this process, or in those of an engine, each of which loads the network.
"""

import collections.abc
import contextlib
import dataclasses
import io
import itertools
import json
import pathlib
import typing

from tqdm import tqdm

from data.shards import AGAIN, Database, ObjectEntry
from models.inference.evaluation_folder import EvaluationFolder
from models.inference.field_query import FieldQuery
from models.inference.predict import mesh_of_view, predict_views
from models.networks.texdisn import build_field_network
from models.weights.sources import ModelSource
from utils.engines import HERE, Engine
from utils.errors import UserError
from utils.files import file_digest, is_number, replacing
from utils.geometry import frames
from utils.mesh.writers import write_mesh, write_points
from utils.metrics import registry
from utils.metrics.comparison import Prediction, load_truth
from utils.processes import DIED
from utils.surface.field_grid import FieldGrid
from utils.surface.field_voxels import surface_voxels
from utils.surface.txt_format import read_txt, write_txt

# of results.json: category, object_id, view, the metrics, and reasons or None: failed; mesh_failed,
# why there is no mesh at mesh_res; no_mesh, why the metrics had no surface (the same as mesh_failed
# where none of them needs one)
Row = dict[str, typing.Any]


def choose_views(
    entries: list[ObjectEntry], views: list[int] | None, limit: int | None
) -> list[tuple[ObjectEntry, int]]:
    """The (entry, view index) pairs to evaluate; UserError for no view or one that is not there."""
    if views is not None and (not views or min(views) < 0 or len(set(views)) < len(views)):
        raise UserError(f"views {views}: give one index or more, from 0 on, each once; or None for all views")
    if limit is not None and limit < 1:
        raise UserError(f"limit {limit}: give 1 object of each category or more, or None for all")
    counts, pairs = collections.Counter[str](), []
    for entry in entries:
        counts[entry.category] += 1
        if limit is not None and counts[entry.category] > limit:
            continue
        wanted = range(len(entry.view_names)) if views is None else views
        if max(wanted) >= len(entry.view_names):
            raise UserError(f"{entry.name} has {len(entry.view_names)} views, there is no view {max(wanted)}")
        pairs += [(entry, view) for view in wanted]
    return pairs


@dataclasses.dataclass(frozen=True)
class ViewEvaluator:
    """Predicts and measures views of one database into one folder; it resumes where it stopped."""

    model: ModelSource
    query: FieldQuery  # of the model
    database: Database
    folder: EvaluationFolder
    names: list[str]  # of the metrics
    iso: float  # value of the field at the surface
    resolution: int  # points along each axis of the stored fields
    mesh_resolution: int | None  # cells along each axis of the meshes; None: no meshes

    def __getstate__(self) -> dict[str, typing.Any]:
        return {**self.__dict__, "query": None}  # another process makes its own (evaluate_object)

    def rows(self, pairs: list[tuple[ObjectEntry, int]], engine: Engine = HERE) -> list[Row]:
        """Rows of all images; the last row of an image in rows.jsonl counts.

        Args:
            pairs: the images, those of an object one after another.
            engine: where the objects are evaluated.
        """
        path, rows, tasks = self.folder.rows, [], []
        done = _finished_rows(path)
        for entry, group in itertools.groupby(pairs, lambda pair: pair[0]):
            names = {view: (entry.category, entry.object_id, entry.view_names[view]) for _, view in group}
            tasks.append(Task(self, entry, {view: done.get(name) for view, name in names.items()}))
        with open(path, "a") as log, tqdm(total=len(pairs), desc="evaluating", unit="image", mininterval=2) as bar:
            for task, results in self._results(tasks, engine):
                for row, stored in zip(results, task.known.values(), strict=True):
                    if row != stored and not _tried_again(row):
                        log.write(json.dumps(row) + "\n")
                        log.flush()
                    rows.append(row)
                    bar.update()
        return rows

    def _results(
        self, tasks: list["Task"], engine: Engine
    ) -> collections.abc.Iterator[tuple["Task", collections.abc.Iterable[Row]]]:
        """(task, its rows) in the order of the tasks."""
        unfinished = [not (engine.is_here or all(map(self._complete, task.known.values()))) for task in tasks]
        if sum(unfinished) < 2:  # other processes would load the network for little
            yield from ((task, self.rows_of(task.entry, task.known)) for task in tasks)
            return
        engine.share_cores()
        network = f"{file_digest(self.model.weights)} {self.model.config}"
        sent = [dataclasses.replace(task, network=network) for task in itertools.compress(tasks, unfinished)]
        with contextlib.closing(engine.run(evaluate_object, sent, died=_died, ordered=True, ahead=2)) as results:
            for task, elsewhere in zip(tasks, unfinished, strict=True):
                yield next(results) if elsewhere else (task, self.rows_of(task.entry, task.known))

    def rows_of(self, entry: ObjectEntry, known: dict[int, Row | None]) -> collections.abc.Iterator[Row]:
        """Rows of views of one object, one by one, so that a stopped evaluation keeps each.

        Args:
            entry: the object.
            known: {view: the row that an earlier evaluation left, which counts if it is complete}.
        """
        missing = [view for view, row in known.items() if not self._complete(row)]
        fields = predict_views(self.query, self.database, entry, missing, self.resolution, self.iso)
        for view, stored in known.items():
            if view in missing or stored is None:
                yield self._evaluate(entry, view, next(fields))
            elif set(self.names) <= set(stored):
                yield stored
            else:
                yield self._with_new_metrics(stored, entry)

    def _complete(self, row: Row | None) -> bool:
        """Whether all files of a view exist, including a mesh of the wanted resolution."""
        if row is None:
            return False
        files = self.folder.prediction(row)
        needed = [] if row["failed"] else [files.field, files.points]
        if self.mesh_resolution and not row["failed"]:
            if row.get("mesh_res") != self.mesh_resolution:
                return False
            needed += [] if row.get("mesh_failed") else [files.mesh]
        return all(path.exists() for path in needed)

    def empty_row(self, entry: ObjectEntry, view: int) -> Row:
        """The row of a view with the worst values."""
        row: Row = {"category": entry.category, "object_id": entry.object_id, "view": entry.view_names[view]}
        row |= {**registry.worst_values(self.names), "failed": None, "mesh_res": self.mesh_resolution}
        return {**row, "no_mesh": None, "mesh_failed": None}

    def _evaluate(
        self,
        entry: ObjectEntry,
        view: int,
        field: FieldGrid | UserError,
    ) -> Row:
        """Write the files of a view whose field was predicted, and measure it."""
        row = self.empty_row(entry, view)
        files = self.folder.prediction(row)
        try:
            if isinstance(field, UserError):
                raise field
            write_txt(files.field, field)
            if not self.query.occupied(field.geometry, self.iso).any():
                low, high = field.geometry.min(), field.geometry.max()
                raise UserError(f"field is empty: min {low:.4g}, max {high:.4g}, iso value {self.iso:.4g}")
            voxels, colours = surface_voxels(field, self.query.config.binary, self.iso)
        except UserError as error:
            return {**row, "failed": str(error)}
        write_points(files.points, frames.from_voxel(voxels), colours)
        if self.mesh_resolution:
            try:
                mesh = mesh_of_view(self.query, self.database, entry, view, self.mesh_resolution, self.iso)
                write_mesh(files.mesh, mesh.vertices, mesh.faces, mesh.colours)
            except UserError as error:
                row["no_mesh"] = row["mesh_failed"] = str(error)
        prediction = Prediction.of_field(field, self.query.config.binary, self.iso, voxels, colours)
        return self._measured(row, prediction, entry, self.names)

    def _with_new_metrics(self, row: Row, entry: ObjectEntry) -> Row:
        """A finished row with the metrics that it lacks, measured on the stored field."""
        if row["failed"]:
            return {**registry.worst_values(self.names), **row}
        field, binary = read_txt(self.folder.prediction(row).field), self.query.config.binary
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
        if registry.need_surface(names):  # theirs is on the grid of the field, whatever the mesh's
            row = {**row, "no_mesh": prediction.no_surface if prediction.solid is None else None}
        return {**row, **values}


@dataclasses.dataclass(frozen=True)
class Task:
    """Views of an object to be evaluated."""

    evaluator: ViewEvaluator
    entry: ObjectEntry
    known: dict[int, Row | None]  # as rows_of takes it
    network: str = ""  # tells networks apart


_queries: dict[str, FieldQuery] = {}  # in a process of an engine, which keeps the last network


def evaluate_object(task: Task) -> list[Row]:
    """ViewEvaluator.rows_of in a process of an engine, which loads the network once."""
    if task.network not in _queries:
        model = task.evaluator.model
        network = build_field_network(model.config)
        with contextlib.redirect_stdout(io.StringIO()):  # the evaluation has said what was loaded
            model.load(network)
        _queries.clear()
        _queries[task.network] = FieldQuery(network)
    evaluator = dataclasses.replace(task.evaluator, query=_queries[task.network])
    return list(evaluator.rows_of(task.entry, task.known))


def _died(task: Task) -> list[Row]:
    """The rows of an object whose evaluation killed its process."""
    evaluator, entry = task.evaluator, task.entry
    return [{**evaluator.empty_row(entry, view), "failed": DIED} for view in task.known]


def _tried_again(row: Row) -> bool:
    """Whether the next run evaluates a view again: its process died, or it could not be read."""
    return any(str(row.get(name)).endswith((DIED, AGAIN)) for name in ("failed", "mesh_failed"))


def _finished_rows(path: pathlib.Path) -> dict[tuple[str, str, str], Row]:
    """{(category, object id, view): row} of an interrupted evaluation.

    A cut last line is dropped, and so are rows of what is tried again, which older versions kept.
    """
    if not path.exists():
        return {}
    try:
        stored = path.read_text().splitlines(keepends=True)
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}); delete {path.parent} to evaluate again") from None
    lines = [line for line in stored if line.endswith("\n")]
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            rows.append(checked_row(json.loads(line)))
        except (ValueError, RecursionError) as error:
            reason = f"line {number}: {error}"
            raise UserError(f"{path} is damaged ({reason}); delete {path.parent} to evaluate again") from None
    if lines != stored:
        with replacing(path) as temporary:
            temporary.write_text("".join(lines))
    done = {(row["category"], row["object_id"], row["view"]): row for row in rows if not _tried_again(row)}
    print(f"{len(done)} images are done already")
    return done


def checked_row(row: typing.Any) -> Row:
    """A row of a file; ValueError where it lacks what all rows have, or a value is damaged."""
    if not isinstance(row, dict):
        raise ValueError("it is not a row")
    for name in ("category", "object_id", "view"):
        if not isinstance(row.get(name), str):
            raise ValueError(f"{name} is missing")
    for name in ("failed", "no_mesh", "mesh_failed"):
        if not isinstance(row.get(name, ""), str | None):
            raise ValueError(f"{name} is not a text")
    for name in registry.METRICS.keys() & row.keys():
        if not is_number(row[name]):
            raise ValueError(f"{name} is not a finite number")
    return {"failed": None, "no_mesh": None, **row}
