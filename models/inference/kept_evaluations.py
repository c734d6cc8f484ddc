"""The evaluations of a folder, by the weights that they are of.

A folder of evaluation shows the weights that were evaluated last. When the run has been trained
further, what is there moves to <folder>/steps/<step>/ and the evaluation begins anew; when weights
are evaluated whose results are kept, these move back. Other settings than the weights are refused:
their results could not be told apart by the step.
"""

import collections.abc
import contextlib
import os
import pathlib
import shutil
import typing

from models.inference.evaluation_folder import EvaluationFolder
from models.weights.tf1_conventions import recorded
from utils.errors import UserError, first_of, writing
from utils.files import differing_settings, is_number, read_json_object

JsonObject = collections.abc.Mapping[str, typing.Any]


def make_way(folder: EvaluationFolder, settings: JsonObject) -> None:
    """Make the folder ready for an evaluation with these settings.

    Prints a line where results are moved. The settings name weights by 'weights' {sha256} and
    'step'.

    Raises:
        UserError: the folder holds results with other settings than the weights; nothing is moved.
    """
    stored = _read(folder.settings) if folder.settings.exists() else None
    if stored is not None and _digest(stored) not in (None, _digest(settings)):
        refuse_other_settings(folder, {name: v for name, v in settings.items() if name not in ("weights", "step")})
        kept = _place(folder, stored)
        print(f"the evaluation of step {stored.get('step')} is kept in {kept.path}")
        _move([*folder.of_weights, folder.settings], kept)
    if not folder.settings.exists():
        back = next((kept for kept in folder.kept() if _digest(_read(kept.settings)) == _digest(settings)), None)
        if back:
            print(f"the evaluation of these weights is taken back from {back.path}")
            _move([back.settings, *back.of_weights], folder)
    refuse_other_settings(folder, settings)


def kept_evaluations(folder: EvaluationFolder) -> list[EvaluationFolder]:
    """The folders of finished evaluations of other weights that a folder keeps, by step."""
    finished = [kept for kept in folder.kept() if kept.results.exists()]
    return sorted(finished, key=lambda kept: (_step(kept), kept.path.name))


def refuse_other_settings(folder: EvaluationFolder, settings: JsonObject) -> None:
    """UserError if the folder holds an evaluation whose settings differ.

    Weights and databases count by content, but databases by path in older evaluations.
    """
    if not folder.settings.exists():
        return
    known = _read(folder.settings)
    if "precision" not in known and isinstance(known.get("conventions"), dict):  # of an earlier version
        known["precision"] = "bfloat16" if known["conventions"].get("bfloat16") else "float32"
        known["conventions"] = recorded(known["conventions"])
    stored = {name: value for name, value in known.items() if name in settings}
    ignored = "db" if "db_sha256" in stored else "db_sha256"
    stored, settings = ({k: v for k, v in given.items() if k != ignored} for given in (stored, settings))

    def by_content(values: JsonObject) -> dict[str, typing.Any]:
        named = {key: v["sha256"] for key, v in values.items() if isinstance(v, dict) and "sha256" in v}
        return {**values, **named}

    different = differing_settings(by_content(stored), by_content(settings))
    if different:
        raise UserError(
            f"{folder.path} holds an evaluation with other settings ({first_of(different, 4)}); "
            "delete it or evaluate into another folder"
        )


def _read(path: pathlib.Path) -> dict[str, typing.Any]:
    return read_json_object(path, "settings of an evaluation", f"; delete {path.parent} to evaluate again")


def _step(folder: EvaluationFolder) -> float:
    """The training steps of the weights of a folder; 0 where its settings do not tell."""
    with contextlib.suppress(UserError):
        step = _read(folder.settings).get("step")
        return float(step or 0) if is_number(step) else 0.0
    return 0.0


def _digest(settings: JsonObject) -> str | None:
    """The SHA-256 of the weights of an evaluation; None where an earlier version had none."""
    weights = settings.get("weights")
    return weights.get("sha256") if isinstance(weights, dict) else None


def _place(folder: EvaluationFolder, settings: JsonObject) -> EvaluationFolder:
    """Where the evaluation of a folder is kept: by step, and by digest too where that is taken."""
    step = settings.get("step")
    name = f"{step:07d}" if isinstance(step, int) else "unknown"
    place = folder.kept_as(name)
    if place.settings.exists() and _digest(_read(place.settings)) != _digest(settings):
        place = folder.kept_as(f"{name}_{(_digest(settings) or '')[:8]}")
    return place


def _move(paths: collections.abc.Iterable[pathlib.Path], target: EvaluationFolder) -> None:
    """Move files and folders in the order of the list; those at the target are replaced.

    Results never lie in the folder of the evaluation without their settings, at whatever moment the
    process is killed: the settings leave it last and come back first.
    """
    with writing(target.path):
        target.path.mkdir(parents=True, exist_ok=True)
        for path in paths:
            if not path.exists():
                continue
            place = target.path / path.name
            if place.is_dir():
                shutil.rmtree(place)
            os.replace(path, place)
