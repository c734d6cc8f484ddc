"""The folder of an evaluation. This file owns every file name in it.

<folder>/settings.json    what the predictions depend on
<folder>/iso.json         the iso value, where it was searched
<folder>/rows.jsonl       a row per finished view
<folder>/predictions/<category>/<object>/<view>_pred.txt  the field
<folder>/predictions/<category>/<object>/<view>_pred.obj  surface voxels as coloured points
<folder>/predictions/<category>/<object>/<view>_mesh.obj  the coloured mesh, if wanted
<folder>/cam_est/         settings.json, rows.jsonl and predictions/ with estimated cameras
<folder>/baselines.jsonl  the scores of the baselines, which do not depend on the weights
<folder>/results.json     the outcome: settings, means, failures, all rows
<folder>/figure.png       the outcome in pictures
<folder>/report.html      the outcome as a page, of eval/report.py
<folder>/steps/<step>/    a folder of the same kind for each of the other weights
"""

import dataclasses
import os
import pathlib
from collections.abc import Mapping
from typing import Any


def default_name(split: str) -> str:
    """The name of the folder beside the evaluated weights, unless another is chosen."""
    return f"eval_{split}"


@dataclasses.dataclass(frozen=True)
class PredictionFiles:
    """Paths of the files of one view."""

    field: pathlib.Path
    points: pathlib.Path
    mesh: pathlib.Path


class EvaluationFolder:
    """Paths of a folder of evaluation.

    Attributes:
        path: Of the folder itself.
        of_weights: What depends on the evaluated weights, except for the settings, which name them.
    """

    DEPTH = 4  # levels of folders below it in which an evaluation writes: cam_est/predictions/<category>/<object>

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = pathlib.Path(path)
        self.settings = self.path / "settings.json"
        self.iso = self.path / "iso.json"
        self.rows = self.path / "rows.jsonl"
        self.predictions = self.path / "predictions"
        self.baselines = self.path / "baselines.jsonl"
        self.results = self.path / "results.json"
        self.figure = self.path / "figure.png"
        self.report = self.path / "report.html"
        self._estimated = self.path / "cam_est"
        self._steps = self.path / "steps"
        self.of_weights = (
            self.iso,
            self.rows,
            self.results,
            self.figure,
            self.report,
            self.predictions,
            self._estimated,
        )

    def prediction(self, row: Mapping[str, Any]) -> PredictionFiles:
        """The files of the view that a row names by `category`, `object_id` and `view`."""
        folder, view = self.predictions / row["category"] / row["object_id"], row["view"]
        return PredictionFiles(
            field=folder / f"{view}_pred.txt", points=folder / f"{view}_pred.obj", mesh=folder / f"{view}_mesh.obj"
        )

    def with_estimated_cameras(self) -> "EvaluationFolder":
        """The folder of the same evaluation with estimated cameras."""
        return EvaluationFolder(self._estimated)

    def kept_as(self, step: str) -> "EvaluationFolder":
        """The folder that keeps an evaluation of other weights under a name."""
        return EvaluationFolder(self._steps / step)

    def kept(self) -> list["EvaluationFolder"]:
        """The folders of other weights that exist, by name."""
        return [EvaluationFolder(path.parent) for path in sorted(self._steps.glob(f"*/{self.settings.name}"))]
