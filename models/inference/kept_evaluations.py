"""The evaluations of a folder, by the weights that they are of.

A folder of evaluation shows the weights that were evaluated last. When the run has been trained
further, what is there moves to <folder>/steps/<step>/ and the evaluation begins anew; when weights
are evaluated whose results are kept, these move back. Other settings than the weights are refused:
their results could not be told apart by the step.
"""

import collections.abc
import os
import pathlib
import shutil
import typing

from models.weights.tf1_conventions import recorded
from utils.errors import UserError, first_of, writing
from utils.files import differing_settings, read_json_object

STEPS = "steps"  # the folder of the kept evaluations
SETTINGS = "settings.json"
OF_WEIGHTS = ("iso.json", "rows.jsonl", "results.json", "figure.png", "report.html", "predictions", "cam_est")

JsonObject = collections.abc.Mapping[str, typing.Any]


def make_way(folder: pathlib.Path, settings: JsonObject) -> None:
    """Make the folder ready for an evaluation with these settings.

    Prints a line where results are moved. The settings name weights by 'weights' {sha256} and
    'step'.

    Raises:
        UserError: the folder holds results of the same weights with other settings.
    """
    path = folder / SETTINGS
    stored = _read(path) if path.exists() else None
    if stored is not None and _digest(stored) not in (None, _digest(settings)):
        kept = _place(folder, stored)
        print(f"the evaluation of step {stored.get('step')} is kept in {kept}")
        _move(folder, kept, [*OF_WEIGHTS, SETTINGS])
    if not path.exists():
        back = next((p.parent for p in _kept(folder) if _digest(_read(p)) == _digest(settings)), None)
        if back:
            print(f"the evaluation of these weights is taken back from {back}")
            _move(back, folder, [SETTINGS, *OF_WEIGHTS])
    refuse_other_settings(folder, settings)


def kept_evaluations(folder: pathlib.Path) -> list[pathlib.Path]:
    """The folders of finished evaluations of other weights that a folder keeps, by step."""
    finished = [path.parent for path in _kept(folder) if (path.parent / "results.json").exists()]
    return sorted(finished, key=lambda path: (_read(path / SETTINGS).get("step") or 0, path.name))


def refuse_other_settings(folder: pathlib.Path, settings: JsonObject) -> None:
    """UserError if the folder holds an evaluation whose settings differ.

    Weights and databases count by content, but databases by path in older evaluations.
    """
    path = folder / SETTINGS
    if not path.exists():
        return
    known = _read(path)
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
            f"{folder} holds an evaluation with other settings ({first_of(different, 4)}); "
            "delete it or evaluate into another folder"
        )


def _read(path: pathlib.Path) -> dict[str, typing.Any]:
    return read_json_object(path, "settings of an evaluation")


def _digest(settings: JsonObject) -> str | None:
    """The SHA-256 of the weights of an evaluation; None where an earlier version had none."""
    weights = settings.get("weights")
    return weights.get("sha256") if isinstance(weights, dict) else None


def _kept(folder: pathlib.Path) -> list[pathlib.Path]:
    """The settings of all evaluations that a folder keeps."""
    return sorted((folder / STEPS).glob(f"*/{SETTINGS}"))


def _place(folder: pathlib.Path, settings: JsonObject) -> pathlib.Path:
    """Where the evaluation of a folder is kept: by step, and by digest too where that is taken."""
    step = settings.get("step")
    place = folder / STEPS / (f"{step:07d}" if isinstance(step, int) else "unknown")
    if (place / SETTINGS).exists() and _digest(_read(place / SETTINGS)) != _digest(settings):
        place = place.with_name(f"{place.name}_{(_digest(settings) or '')[:8]}")
    return place


def _move(source: pathlib.Path, target: pathlib.Path, names: collections.abc.Sequence[str]) -> None:
    """Move files and folders in the order of their names; those at the target are replaced.

    Results never lie in the folder of the evaluation without their settings, at whatever moment the
    process is killed: the settings leave it last and come back first.
    """
    with writing(target):
        target.mkdir(parents=True, exist_ok=True)
        for name in names:
            if not (source / name).exists():
                continue
            if (target / name).is_dir():
                shutil.rmtree(target / name)
            os.replace(source / name, target / name)
