"""The folder of an evaluation: its files have the names that docs/formats.md promises."""

import pathlib

from models.inference.evaluation_folder import EvaluationFolder, default_name

FILES = {"settings.json", "iso.json", "rows.jsonl", "baselines.jsonl", "results.json", "figure.png", "report.html"}


def paths_of(folder):
    return {path for path in vars(folder).values() if isinstance(path, pathlib.Path)} - {folder.path}


def test_files_have_the_documented_names(tmp_path):
    folder = EvaluationFolder(tmp_path / default_name("val"))
    assert folder.path == tmp_path / "eval_val"
    assert {path.name for path in paths_of(folder)} == FILES | {"predictions", "cam_est", "steps"}
    assert {path.parent for path in paths_of(folder)} == {folder.path}
    files = folder.prediction({"category": "car", "object_id": "a", "view": "00", "iou": 0.5})
    names = {"field": "00_pred.txt", "points": "00_pred.obj", "mesh": "00_mesh.obj"}
    assert vars(files) == {name: folder.path / "predictions" / "car" / "a" / file for name, file in names.items()}
    assert folder.with_estimated_cameras().settings == folder.path / "cam_est" / "settings.json"


def test_all_but_settings_baselines_and_other_weights_moves_with_the_weights(tmp_path):
    folder = EvaluationFolder(tmp_path)
    stays = {folder.settings, folder.baselines, tmp_path / "steps"}
    assert set(folder.of_weights) == paths_of(folder) - stays


def test_folders_of_other_weights_are_those_with_settings(tmp_path):
    folder = EvaluationFolder(tmp_path)
    assert folder.kept() == []
    for step in ("0000020", "0000010", "unfinished"):
        folder.kept_as(step).path.mkdir(parents=True)
        if step != "unfinished":
            folder.kept_as(step).settings.write_text("{}")
    assert [kept.path for kept in folder.kept()] == [tmp_path / "steps" / step for step in ("0000010", "0000020")]


def test_an_evaluation_writes_no_deeper_than_it_says(tmp_path):
    """Deeper half-written files would not be removed (utils/out_folder.py)."""
    folder = EvaluationFolder(tmp_path)
    files = folder.with_estimated_cameras().prediction({"category": "car", "object_id": "a", "view": "00"})
    assert len(files.field.parent.relative_to(folder.path).parts) == folder.DEPTH
