"""Evaluations of other weights make way and come back; what cannot be told apart is refused."""

import contextlib
import json
import os

import pytest

from models.inference.evaluation_folder import EvaluationFolder
from models.inference.kept_evaluations import kept_evaluations, make_way, refuse_other_settings
from utils.errors import UserError


def settings(weights, step, **others):
    weights = {"file": f"{weights}.h5", "sha256": weights * 16}
    return {"weights": weights, "step": step, "split": "test", **others}


def evaluate(folder, of):
    """What an evaluation leaves: all files name the weights."""
    (folder / "predictions" / "car").mkdir(parents=True, exist_ok=True)
    (folder / "predictions" / "car" / "00_pred.txt").write_text(of["weights"]["file"])
    for name in ("rows.jsonl", "results.json"):
        (folder / name).write_text(json.dumps(of["weights"]["file"]))
    (folder / "settings.json").write_text(json.dumps(of))


def shown(folder):
    """The weights that all files of a folder are of; fails where they differ."""
    files = [path for path in folder.rglob("*") if path.is_file() and "steps" not in path.relative_to(folder).parts]
    texts = {json.loads(path.read_text())["weights"]["file"] for path in files if path.name == "settings.json"}
    texts |= {path.read_text().strip('"') for path in files if path.name != "settings.json"}
    assert len(texts) <= 1
    return next(iter(texts), None)


A, B, C = settings("a", 10), settings("b", 20), settings("c", 20)


def test_each_weights_find_their_own_results_again(tmp_path, capsys):
    for of in (A, B, C, A, C, B):
        make_way(EvaluationFolder(tmp_path), of)
        assert shown(tmp_path) in (None, of["weights"]["file"])
        evaluate(tmp_path, of)
    for of in (A, C):  # nothing has to be made again
        make_way(EvaluationFolder(tmp_path), of)
        assert shown(tmp_path) == of["weights"]["file"]
    kept = kept_evaluations(EvaluationFolder(tmp_path))
    assert [shown(folder.path) for folder in kept] == ["a.h5", "b.h5"]  # by step
    assert kept[0].path.name == "0000010" and "is kept in" in capsys.readouterr().out


class Killed(Exception):
    pass


@pytest.mark.parametrize("moves", range(1, len(EvaluationFolder("").of_weights) + 1))
@pytest.mark.parametrize("then", [A, B, C])
@pytest.mark.parametrize("goal", [A, C])
def test_a_move_that_was_interrupted_never_mixes_results(moves, then, goal, tmp_path, monkeypatch):
    """B is shown and A is kept; a move towards A or C dies after so many files."""
    for of in (A, B):
        make_way(EvaluationFolder(tmp_path), of)
        evaluate(tmp_path, of)
    with monkeypatch.context() as patch:
        replace, left = os.replace, [moves]

        def dying(*paths):
            if not left[0]:
                raise Killed
            left[0] -= 1
            replace(*paths)

        patch.setattr("models.inference.kept_evaluations.os.replace", dying)
        with contextlib.suppress(Killed):
            make_way(EvaluationFolder(tmp_path), goal)
    make_way(EvaluationFolder(tmp_path), then)
    assert shown(tmp_path) in (None, then["weights"]["file"])
    evaluate(tmp_path, then)
    for of in (A, B, C):
        make_way(EvaluationFolder(tmp_path), of)
        assert shown(tmp_path) in (None, of["weights"]["file"])
        evaluate(tmp_path, of)


@pytest.mark.parametrize(("weights", "step"), [("a", 10), ("b", 20)])
def test_other_settings_are_refused_whatever_the_weights(weights, step, tmp_path):
    """A report compares the results of all weights that a folder keeps."""
    evaluate(tmp_path, A)
    with pytest.raises(UserError, match=r"other settings \(split test .now val.\);"):
        make_way(EvaluationFolder(tmp_path), {**settings(weights, step), "split": "val"})
    assert shown(tmp_path) == "a.h5" and not (tmp_path / "steps").exists()


def test_a_database_counts_by_its_content(tmp_path):
    """But by its path where an earlier version made the evaluation."""
    now = {"db": "/moved", "db_sha256": "1", "split": "test"}
    for stored, refused in (
        ({"db": "/first", "db_sha256": "1", "split": "test"}, None),
        ({"db": "/moved", "db_sha256": "2", "split": "test"}, "db_sha256 2"),
        ({"db": "/moved", "split": "test"}, None),
        ({"db": "/first", "split": "test"}, "db /first"),
        ({"db": "/moved", "db_sha256": "1", "split": "val"}, "split val"),
    ):
        (tmp_path / "settings.json").write_text(json.dumps(stored))
        if refused is None:
            refuse_other_settings(EvaluationFolder(tmp_path), now)
            continue
        with pytest.raises(UserError, match=f"other settings .{refused} .now "):
            refuse_other_settings(EvaluationFolder(tmp_path), now)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"step": "x"}', '{"step": [1]}', '{"step": null}'])
def test_damaged_settings_of_one_kept_evaluation_hide_no_other(content, tmp_path):
    for name, of in (("0000010", A), ("0000020", B), ("0000030", C)):
        evaluate(tmp_path / "steps" / name, of)
    (tmp_path / "steps" / "0000030" / "settings.json").write_text(content)
    found = [kept.path.name for kept in kept_evaluations(EvaluationFolder(tmp_path))]
    assert found == ["0000030", "0000010", "0000020"]  # what does not tell its step comes first
