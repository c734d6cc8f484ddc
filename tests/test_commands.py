"""The main commands one after the other: train (killed, then resumed), evaluate, convert a field.

Training is killed in a process; the rest runs in this one.
"""

import importlib
import json
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import trimesh

from eval import to_mesh
from tests.helpers import tiny
from train import train_sdf

ROOT = pathlib.Path(__file__).parents[1]


def command(script, *arguments):
    """The words of a command line."""
    return [sys.executable, script, *map(str, arguments)]


@pytest.mark.slow
def test_train_killed_and_resumed_then_evaluated_and_meshed(tmp_path, monkeypatch, capsys, eagerly):
    database = tiny.write_database(tmp_path / "database", (8, 1, 1), ("box",))  # one object to search --iso auto on
    run, log = tmp_path / "run", tmp_path / "log.txt"
    config = tiny.config(num_sample_points=64, batch_size=4)
    names = ["img_h", "img_w", "num_classes", "encoder_size", "encoder_widths", "encoder_convs", "encoder_fc"]
    sizes = []
    for name in [*names, "point_widths", "decoder_widths", "num_sample_points", "batch_size"]:
        value = getattr(config, name)
        sizes += [f"--{name}", ",".join(map(str, value)) if isinstance(value, tuple) else value]
    train = command(
        "train/train_sdf.py", "--db", database, "--log_dir", run, "--preset", "small", *sizes,
        "--no-normalisation", "--learning_rate", 1e-2, "--max_epoch", 2, "--checkpoint_minutes", 0,
        "--scored_objects", 0,
    )  # fmt: skip
    with open(log, "w") as output:
        process = subprocess.Popen(train, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
        end = time.monotonic() + 180
        while not (run / "last.h5").exists() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL and (run / "last.h5").exists(), log.read_text()

    monkeypatch.setattr("models.training.field_trainer.validation_preview", lambda *_: np.zeros((4, 4, 3), np.float32))
    train_sdf.main(train[2:])
    assert "resuming" in capsys.readouterr().out
    history = json.loads((run / "history.json").read_text())
    assert [row["epoch"] for row in history] == [1, 2] and history[-1]["step"] == 2 * 6

    evaluate = command(
        "eval/eval.py", "--restore_model", run, "--iso", "auto", "--sdf_res", 16, "--views", 0, "--limit", 1,
        "--figure_objects", 0,
    )  # fmt: skip
    importlib.import_module("eval.eval").main(evaluate[2:])
    assert "retrieval" in capsys.readouterr().out
    field = next((run / "eval_test").glob("predictions/box/*/00_pred.txt"))
    iso = json.loads((run / "eval_test" / "results.json").read_text())["iso"]
    to_mesh.main([str(field), "--out", str(tmp_path / "box.glb"), f"--iso={iso}"])
    assert str(tmp_path / "box.glb") in capsys.readouterr().out
    assert len(trimesh.load(tmp_path / "box.glb", force="mesh").faces) > 20
