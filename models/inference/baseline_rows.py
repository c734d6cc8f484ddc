"""The scores of the baselines on the images of an evaluation, kept in a file.

The file has a line that names what they depend on, then a row per method and image.

They depend on the database and on the images that a network sees, not on its weights. Evaluations
of other weights in the same folder find them there.
"""

import dataclasses
import functools
import hashlib
import json
import pathlib

import numpy as np
from tqdm import tqdm

from data.baselines import MeanShape, mean_shape_of, retrieval
from data.shards import Database, ObjectEntry
from models.config import Config
from models.inference.evaluated_views import Row, checked_row
from utils.errors import UserError
from utils.files import replacing
from utils.metrics import registry
from utils.metrics.comparison import Prediction, Truth, load_truth
from utils.metrics.voxel_metrics import true_voxels

VERSION = 1  # of what the rows mean
SEEN = ("crop", "backcolorwhite")  # settings of the images that retrieval compares
MEAN_SHAPE, RETRIEVAL, TRUE_VOXELS = "mean shape", "retrieval", "true voxels"
NEAREST = "nearest"  # in a row of retrieval: the training object, <category>/<object id>

Pair = tuple[ObjectEntry, int]  # an object and the index of a view
Key = tuple[str, str, str, str]  # method, category, object id, name of the view


@dataclasses.dataclass(frozen=True)
class Baselines:
    """The baselines of one database, in one folder of evaluation."""

    database: Database  # of all splits
    train: list[ObjectEntry]
    val: list[ObjectEntry]
    config: Config  # of the evaluated network
    file: pathlib.Path  # of the evaluation's folder

    def rows(self, pairs: list[Pair], names: list[str]) -> dict[str, list[Row]]:
        """Rows of 'mean shape' and 'retrieval' for (entry, view) pairs.

        Both come from the training split, without the evaluated object itself; the mean shape's q
        is chosen on validation. If some metrics need a surface, 'true voxels' says what the true
        voxels themselves score. What the file holds already is not measured again.

        Args:
            pairs: the images, those of an object one after another.
            names: of the metrics.
        """
        methods = [MEAN_SHAPE, RETRIEVAL, *([TRUE_VOXELS] if registry.need_surface(names) else [])]
        known = self._read()
        missing = [
            pair for pair in pairs if any(not set(names) <= known.get(_key(m, *pair), {}).keys() for m in methods)
        ]
        if missing:
            self._measure(missing, methods, names, known)
        else:
            print(f"the baselines of all {len(pairs)} images are known from {self.file}")
        return {method: [known[_key(method, *pair)] for pair in pairs] for method in methods}

    def _measure(self, pairs: list[Pair], methods: list[str], names: list[str], known: dict[Key, Row]) -> None:
        """Add to `known`, and to the file, what it lacks of some images."""
        predictions, previous = _Predictions(self.database, self.train, self.val), None
        measured: dict[tuple[str, str], Row] = {}  # of the present object: by method and what it compares with
        sources = self._sources(pairs, known)
        bar = tqdm(pairs, desc="baselines", unit="image", mininterval=2)
        with open(self.file, "a") as log:
            for (entry, view), source in zip(bar, sources, strict=True):
                if entry != previous:
                    measured, previous = {}, entry
                image = {"category": entry.category, "object_id": entry.object_id, "view": entry.view_names[view]}
                for method in methods:
                    key = _key(method, entry, view)
                    compared = source if method == RETRIEVAL else entry
                    if isinstance(compared, UserError):  # a failure, not kept: the next run tries again
                        known[key] = {**image, **_failed(str(compared), names)}
                        continue
                    place, stored = (method, compared.name), known.get(key, {})
                    lacking = [name for name in names if name not in stored]
                    if not lacking:
                        continue
                    if not set(lacking) <= measured.get(place, {}).keys():
                        prediction = predictions.get(method, compared)
                        measured[place] = _scores(prediction, load_truth(self.database, entry), lacking)
                    nearest = {NEAREST: compared.name} if method == RETRIEVAL else {}
                    known[key] = {**image, **stored, **measured[place], **nearest}
                    log.write(json.dumps({"method": method, **known[key]}) + "\n")

    def _sources(self, pairs: list[Pair], known: dict[Key, Row]) -> list[ObjectEntry | UserError]:
        """What retrieval() finds, which only searches where the training object is not known."""
        named = {entry.name: entry for entry in self.train}
        rows = [known.get(_key(RETRIEVAL, *pair)) for pair in pairs]
        new = [pair for pair, row in zip(pairs, rows, strict=True) if row is None]
        answers = iter(retrieval(self.database, self.train, new, self.config) if new else [])
        return [next(answers) if row is None else named[row[NEAREST]] for row in rows]

    def _read(self) -> dict[Key, Row]:
        """{key: row} of the file. It begins anew where its rows are of something else.

        The last row of an image counts; a cut last line is dropped.
        """
        path, heading = self.file, json.dumps({"baselines": self._digest()}) + "\n"
        train = {entry.name for entry in self.train}
        try:
            lines = path.read_text().splitlines(keepends=True) if path.exists() else []
            whole = [line for line in lines if line.endswith("\n")]
            if not whole or whole[0] != heading:
                whole = [heading]
            if whole != lines:
                with replacing(path) as temporary:
                    temporary.write_text("".join(whole))
            rows = [checked_row(json.loads(line)) for line in whole[1:]]
            if any(row["method"] == RETRIEVAL and row[NEAREST] not in train for row in rows):
                raise ValueError(f"{NEAREST} is not a training object")
            return {(row.pop("method"), row["category"], row["object_id"], row["view"]): row for row in rows}
        except (KeyError, RecursionError, TypeError, ValueError) as error:
            raise UserError(f"{path} is damaged ({type(error).__name__}: {error}); delete it") from None

    def _digest(self) -> str:
        """SHA-256 of what the rows depend on, wherever the database is."""
        parts = {
            "version": VERSION,
            "database": self.database.digest,
            "train": sorted(entry.name for entry in self.train),
            "val": sorted(entry.name for entry in self.val),
            **{name: getattr(self.config, name) for name in SEEN},
        }
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


class _Predictions:
    """The predictions of the baselines; the last ones are kept, with their surfaces."""

    def __init__(self, database: Database, train: list[ObjectEntry], val: list[ObjectEntry]) -> None:
        self.database, self.training = database, set(train)
        self.retrieved = functools.lru_cache(4)(self._true)
        self.shape = functools.lru_cache(1)(functools.partial(mean_shape_of, database, train, val))
        self.mean_shape = functools.lru_cache(1)(self._mean_shape)

    def get(self, method: str, entry: ObjectEntry) -> Prediction | None:
        """The prediction of a method; None where the category has no other training object.

        Args:
            method: of the baselines.
            entry: of retrieval the retrieved object, of the others the evaluated one.
        """
        if method == RETRIEVAL:
            return self.retrieved(entry)
        if method == TRUE_VOXELS:
            return self._true(entry)
        shape = self.shape(entry.category)
        if shape and entry in self.training:
            index, colours = self.database.voxels(entry)
            return _of_voxels(*shape.without(index, colours / 255))
        return self.mean_shape(entry.category)

    def _true(self, entry: ObjectEntry) -> Prediction:
        return Prediction.of_voxels(*true_voxels(*self.database.voxels(entry)))

    def _mean_shape(self, category: str) -> Prediction | None:
        shape: MeanShape | None = self.shape(category)
        return _of_voxels(*shape.voxels()) if shape else None


def _of_voxels(voxels: np.ndarray, colours: np.ndarray) -> Prediction | None:
    return Prediction.of_voxels(voxels, colours) if len(voxels) else None


def _scores(prediction: Prediction | None, truth: Truth, names: list[str]) -> Row:
    """The part of a row that does not name the image."""
    if prediction is None:
        return _failed("no other training object of this category", names)
    return {**registry.measure(names, prediction, truth), "failed": None, "no_mesh": None}


def _failed(reason: str, names: list[str]) -> Row:
    """The same of an image for which a method has no prediction."""
    return {**registry.worst_values(names), "failed": reason, "no_mesh": None}


def _key(method: str, entry: ObjectEntry, view: int) -> Key:
    return method, entry.category, entry.object_id, entry.view_names[view]
