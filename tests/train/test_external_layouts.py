"""Every layout trains and evaluates through the unchanged commands."""

import importlib
import json

import numpy as np
import pytest

from data.shards import Database
from preprocessing import check_db, gen_db
from tests.helpers import external_folder as external
from tests.helpers import tiny
from train import train_sdf
from utils.errors import UserError

evaluation = importlib.import_module("eval.eval")


def write_original(root):
    for object_id in "abc":
        external.write_original(root / "raw", "chair", object_id, np.random.default_rng(0), alpha=True)
    return []


def write_disn(root):
    for object_id in "abc":
        external.write_disn(root / "raw", root / "images", "03001627", object_id, np.random.default_rng(0), count=4096)
    return ["--images", str(root / "images")]


def write_r2n2(root):
    for object_id in "abc":
        external.write_r2n2(root / "raw", root / "meshes", "chair", object_id)
    return ["--meshes", str(root / "meshes")]


@pytest.mark.slow
@pytest.mark.parametrize(("layout", "binary"), [("original", True), ("disn", False), ("r2n2", True)])
def test_a_layout_trains_and_evaluates(eagerly, tmp_path, layout, binary, capsys, monkeypatch):
    monkeypatch.setattr("models.training.field_trainer.validation_preview", lambda *_: np.zeros((4, 4, 3), np.float32))
    monkeypatch.setattr("preprocessing.recovery.level_set.RESOLUTION", 24)
    flags = {"original": write_original, "disn": write_disn, "r2n2": write_r2n2}[layout](tmp_path)
    counts = ["--jobs", "1", "--sdf_points", "2000", "--surface_points", "2000", "--image_size", str(external.SIZE)]
    gen_db.main(["--raw", str(tmp_path / "raw"), "--out", str(tmp_path / "db"), "--format", layout, *counts, *flags])
    assert Database(tmp_path / "db").settings["format"] == layout

    with pytest.raises(UserError, match="defects"):  # the same object is in three splits
        check_db.main([str(tmp_path / "db"), "--out", str(tmp_path / "sheet.png")])
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("defect: ")]
    assert lines and all("have identical" in line for line in lines)

    run = tmp_path / "run"
    sizes = tiny.flags(tiny.config(binary, max_epoch=1))
    train_sdf.main(["--db", str(tmp_path / "db"), "--log_dir", str(run), *sizes])
    history = json.loads((run / "history.json").read_text())
    assert len(history) == 1 and np.isfinite([row["val"]["loss"] for row in history]).all()
    evaluation.main(["--restore_model", str(run), "--sdf_res", "16", "--views", "0", "--figure_objects", "0"])
    results = json.loads((run / "eval_test" / "results.json").read_text())
    assert (run / "eval_test" / "predictions" / "chair").is_dir() and results
