"""Every command that writes a folder is alone there: a second process ends in one line."""

import json
import os

import pytest

from models.training.flags import working_in_run
from preprocessing import gen_db, import_library, make_shapes, render_views
from train import export_run, train_cam, train_sdf
from utils.errors import UserError
from utils.out_folder import LOCK, working_in

COMMANDS = {
    "make_shapes": (make_shapes, ["--out", "OUT"]),
    "import_library": (import_library, ["library.sh3f", "--out", "OUT"]),
    "render_views": (render_views, ["--meshes", "meshes", "--out", "OUT"]),
    "gen_db": (gen_db, ["--raw", "raw", "--format", "im2avatar", "--out", "OUT"]),
    "train_sdf": (train_sdf, ["--db", "db", "--log_dir", "OUT"]),
    "train_cam": (train_cam, ["--db", "db", "--log_dir", "OUT"]),
    "export_run": (export_run, ["run", "--out", "OUT"]),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_folder_in_use_is_refused(name, tmp_path):
    command, words = COMMANDS[name]
    out = tmp_path / "out"
    with working_in(out):
        with pytest.raises(UserError, match=f"{out} is in use by process {os.getpid()} on .* since 20"):
            command.main([str(out) if word == "OUT" else word for word in words])
        assert [path.name for path in out.iterdir()] == [LOCK]


@pytest.mark.parametrize(("task", "writes"), [
    ({}, True), ({"type": "worker", "index": 0}, True), ({"type": "worker", "index": 1}, False),
])  # fmt: skip
def test_of_several_workers_on_a_run_the_first_one_writes(task, writes, tmp_path, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": {"worker": ["a:1", "b:1"]}, "task": task} if task else {}))
    with working_in_run(str(tmp_path / "run")):
        assert (tmp_path / "run" / LOCK).exists() == writes
