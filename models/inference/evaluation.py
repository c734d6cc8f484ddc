"""Evaluation of a trained network on a split: predictions, metrics, results.json, figure.png.

An interrupted evaluation resumes with the missing images; new metrics are measured on stored
fields.
"""

import contextlib
import dataclasses
import functools
import math
import pathlib
import typing

from tqdm import tqdm

from data.data_sets import DataSets
from data.estimated_cameras import EstimatedCameras
from data.network_input import check_masks
from data.shards import Database, ObjectEntry
from models.config import CameraConfig, Config
from models.inference import iso_search
from models.inference.baseline_rows import Baselines, Pair
from models.inference.camera_estimator import CameraEstimator
from models.inference.evaluated_views import Row, ViewEvaluator, choose_views
from models.inference.evaluation_figure import figure_row, shown_objects
from models.inference.evaluation_folder import EvaluationFolder
from models.inference.field_query import FieldQuery
from models.inference.image_description import describe_views
from models.inference.kept_evaluations import make_way, refuse_other_settings
from models.inference.novelty import known_images
from models.networks.precision import chosen, described
from models.networks.texdisn import build_field_network
from models.settings import seen_masks
from models.weights.sources import ModelSource
from models.weights.tf1_conventions import record
from utils.engines import HERE, Engine
from utils.errors import UserError
from utils.files import file_digest, write_json
from utils.metrics import camera_metrics, registry
from utils.metrics.overview import print_overview
from utils.metrics.summary import summarise
from utils.provenance import provenance
from utils.rendering.figure import write_figure
from utils.surface.adaptive import check_resolution


@dataclasses.dataclass(frozen=True)
class Options:
    """What an evaluation does."""

    split: str = "test"
    category: str = "all"
    views: list[int] | None = None  # indices; None: all views
    limit: int | None = None  # objects of each category; None: all
    resolution: int = 64  # points along each axis of the field
    iso: float | None = 0.0  # value of the field at the surface; None: the best on validation
    mesh_resolution: int | None = None  # cells along each axis of the meshes; None: no meshes
    metrics: tuple[str, ...] = tuple(registry.parse_names(registry.DEFAULT))
    camera_run: str = ""  # run of a camera network whose estimates are evaluated too
    figure_objects: int | tuple[str, ...] = 2  # so many of every category (0: no figure), or these
    data_sets: DataSets | None = None  # where the objects come from
    engine: Engine = HERE  # where the objects are evaluated

    def __post_init__(self) -> None:
        if self.resolution < 2:
            raise UserError(f"resolution {self.resolution}: give 2 points along each axis or more")
        if self.iso is not None and not math.isfinite(self.iso):
            raise UserError(f"iso {self.iso}: give a finite number, or None for the best on validation")
        if isinstance(self.figure_objects, int) and self.figure_objects < 0:
            raise UserError(f"figure_objects {self.figure_objects}: give 0 or more, or names")


def _readable(database: Database, pairs: list[Pair], camera: bool = False) -> list[Pair]:
    """The pairs whose view (with `camera`: its camera too) can be read.

    The others are failures of the prediction (predict_views) and do not end the evaluation.
    """
    readable = []
    for entry, view in pairs:
        with contextlib.suppress(UserError):
            database.image(entry, view)
            if camera:
                database.trans_mat(entry, view)
            readable.append((entry, view))
    return readable


class Evaluation:
    """One model, one database, one folder of results."""

    def __init__(self, model: ModelSource, database: Database, folder: pathlib.Path, options: Options):
        self.model, self.database, self.options = model, database, options
        self.folder = EvaluationFolder(folder)
        self.config = model.config
        if options.mesh_resolution is not None:
            check_resolution("mesh_resolution", options.mesh_resolution)
        self.names = registry.parse_names(",".join(options.metrics))
        if not self.config.colour:
            self.names = registry.without_colour(self.names)
            print("the network predicts no colours: they are grey in every file; metrics of colours are left out")
        self.pairs = choose_views(database.objects(options.split, options.category), options.views, options.limit)
        self._check_masks(self.config)
        if not isinstance(options.figure_objects, int):
            names = {entry.name for entry, _ in self.pairs}
            if missing := [name for name in options.figure_objects if name not in names]:
                raise UserError(f"the figure cannot show {missing[0]}, which is not among the evaluated objects")
        self.train, self.val = (database.objects(split, options.category, needed=False) for split in ("train", "val"))
        self.network = build_field_network(self.config)
        model.load(self.network)
        self.query = FieldQuery(self.network)
        self.iso = 0.0 if options.iso is None else options.iso
        self.remarks: list[str] = []  # what a reader of the results has to know

    def run(self) -> dict[str, typing.Any]:
        """Evaluate, print the tables and write the results; returns the content of results.json."""
        images = f"{len(self.pairs)} images of {self.database.path}, {self.options.split} split"
        print(f"evaluating {self.model.weights} (step {self.model.step}) on {images} -> {self.folder.path}")
        print(f"precision {described(self.config.precision)}")
        settings = self._begin()
        # opened before the images are predicted, which may take hours
        estimator = self._open_estimator(settings) if self.options.camera_run else None
        tables = {
            "prediction": self._with_distances(
                self._views(self.database, self.folder).rows(self.pairs, self.options.engine)
            )
        }
        cameras = None
        if estimator:
            tables["estimated camera"], cameras = self._with_estimated_cameras(estimator)
        baselines = Baselines(self.database, self.train, self.val, self.config, self.folder.baselines)
        tables |= baselines.rows(self.pairs, self.names)
        options = self.options
        views = None if options.views is None else ",".join(map(str, options.views))
        details = {
            "mode": "binary" if self.config.binary else "sdf",
            "category": options.category,
            "views": views,
            "limit": options.limit,
            "colour": self.config.colour,
            "cam_est": options.camera_run or None,
            "objects": {
                "training": len(self.train),
                "validation": len(self.val),
                "evaluated": len({entry for entry, _ in self.pairs}),
            },
            "remarks": self.remarks,
            "made": provenance(),
        }
        results = self._write({**settings, **details}, tables, cameras)
        if options.figure_objects:
            self._write_figure(tables["prediction"])
        return results

    def _check_masks(self, config: Config | CameraConfig) -> None:
        """Refuse views without the mask that a network sees."""
        check_masks(self.database, list(dict.fromkeys(entry for entry, _ in self.pairs)), seen_masks(config))

    def _begin(self) -> dict[str, typing.Any]:
        """The settings that predictions depend on; refuses a folder that has others.

        Results of other weights make way.
        """
        options = self.options
        settings: dict[str, typing.Any] = {
            "weights": {"file": str(self.model.weights), "sha256": file_digest(self.model.weights)},
            "step": self.model.step,
            "db": str(self.database.path),
            "db_sha256": self.database.digest,
            "split": options.split,
            "sdf_res": options.resolution,
            "conventions": record(self.config),
            "precision": chosen(self.config.precision),
        }
        make_way(self.folder, settings)
        best_iso = None
        if options.iso is None:
            best_iso = iso_search.find_iso(self.folder.iso, self.model, self.query, self.database, self.val)
            self.iso = best_iso["iso"]
            self.remarks += iso_search.remarks(best_iso)
        settings["iso"] = self.iso
        refuse_other_settings(self.folder, settings)
        if best_iso is not None:  # that of a refused evaluation would replace the one that the results have
            write_json(self.folder.iso, best_iso)
        write_json(self.folder.settings, settings)
        return settings

    def _views(self, database: Database, folder: EvaluationFolder) -> ViewEvaluator:
        sizes = self.options.resolution, self.options.mesh_resolution
        return ViewEvaluator(self.model, self.query, database, folder, self.names, self.iso, *sizes)

    @functools.cached_property
    def readable(self) -> list[Pair]:
        """The pairs whose view can be read."""
        return _readable(self.database, self.pairs)

    def _with_distances(self, rows: list[Row]) -> list[Row]:
        """The rows, with the distances of their images to those of the training, where known."""
        known = known_images(self.model)
        if known is None:
            return rows
        shown = self.readable
        if not shown:
            return rows
        values = known.distance(describe_views(self.database, shown, "the evaluation")).tolist()
        unlike = sum(value > 1 for value in values)
        if unlike:
            images = f"{unlike} of {len(values)} images {'is' if unlike == 1 else 'are'}"
            self.remarks.append(f"{images} unlike those that the weights were trained on")
        distances = dict(zip(shown, values, strict=True))
        return [{**row, "distance": distances.get(pair)} for pair, row in zip(self.pairs, rows, strict=True)]

    def _open_estimator(self, settings: dict[str, typing.Any]) -> CameraEstimator:
        """The camera network; UserError where the folder has the cameras of another one."""
        estimator = CameraEstimator(self.options.camera_run, self.config.precision)
        self._check_masks(estimator.config)
        folder = self.folder.with_estimated_cameras()
        weights = {"file": str(estimator.weights), "sha256": file_digest(estimator.weights)}
        settings = {**settings, "cam_est": weights}
        refuse_other_settings(folder, settings)
        write_json(folder.settings, settings)
        return estimator

    def _with_estimated_cameras(self, estimator: CameraEstimator) -> tuple[list[Row], list[Row]]:
        """Rows of the same images with estimated cameras, and rows of the cameras' errors."""
        folder = self.folder.with_estimated_cameras()
        estimated = EstimatedCameras(self.database, estimator, self.readable)
        rows, errors = self._views(estimated, folder).rows(self.pairs, self.options.engine), []
        compared = _readable(self.database, self.pairs, camera=True)
        if unread := len(self.pairs) - len(compared):
            self.remarks.append(f"{unread} of {len(self.pairs)} images cannot be read and have no error of cameras")
        for entry, view in compared:
            cameras = estimated.trans_mat(entry, view), self.database.trans_mat(entry, view)
            image = {"category": entry.category, "object_id": entry.object_id, "view": entry.view_names[view]}
            errors.append({**image, **camera_metrics.camera_errors(*cameras, *self.database.surface(entry))})
        return rows, errors

    def _write(
        self, settings: dict[str, typing.Any], tables: dict[str, list[Row]], cameras: list[Row] | None
    ) -> dict[str, typing.Any]:
        """Write results.json, print the tables and the remarks."""
        if self.options.data_sets:
            of = self.options.data_sets.of
            tables = {
                method: [{**row, "data_set": of(row["category"], row["object_id"])} for row in rows]
                for method, rows in tables.items()
            }
        summaries = {method: summarise(rows, self.names) for method, rows in tables.items()}
        content = {
            **settings,
            "metrics": self.names,
            "definitions": registry.definitions(self.names),
            "results": summaries,
            "images": tables,
        }
        if cameras:
            content["cameras"] = camera_metrics.summarise(cameras)
            content["definitions"] |= {f"camera {name}": text for name, text in camera_metrics.DEFINITIONS.items()}
            content["camera_images"] = cameras
        write_json(self.folder.results, content)
        print_overview(summaries, self.names)
        if cameras:
            camera_metrics.print_summary(content["cameras"])
        for remark in self.remarks:
            print(f"remark: {remark}")
        return content

    def _write_figure(self, measured: list[Row]) -> None:
        """The first readable view of each object that the figure shows."""
        first: dict[ObjectEntry, tuple[int, Row]] = {}
        for (entry, view), row in zip(self.pairs, measured, strict=True):
            if entry not in first and _readable(self.database, [(entry, view)], camera=True):
                first[entry] = (view, row)
        shown = shown_objects(list(first), self.options.figure_objects)
        if shown:
            bar = tqdm(shown, desc="drawing the figure", unit="object", mininterval=2)
            how = self.names[:2], self.iso
            rows = (figure_row(self.query, self.database, entry, *first[entry], *how) for entry in bar)
            write_figure(rows, self.folder.figure)
