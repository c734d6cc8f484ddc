"""What the kills of commands (tests/kills.py) rest on: killing, and comparing results."""

import json
import os
import time

import h5py
import numpy as np

from tests import kills


def write(folder, minutes, weight):
    folder.mkdir()
    results = {"seconds": minutes, "views": [{"iou": 0.5, "minutes": minutes}], "out": str(folder / "a.ply")}
    (folder / "results.json").write_text(json.dumps(results))
    with h5py.File(folder / "last.h5", "w") as file:
        file["network/kernel"] = np.full(3, weight)
        file.attrs["progress"] = json.dumps({"step": 7, "minutes": minutes})
    (folder / "a.ply").write_bytes(b"ply")
    (folder / ".texdisn-lock").touch()
    return kills.contents(folder)


def test_times_make_no_difference_and_all_else_does(tmp_path):
    known = write(tmp_path / "one", 1.5, 0.25)
    assert kills.different(known, write(tmp_path / "later", 2.5, 0.25)) == []
    assert kills.different(known, write(tmp_path / "other", 1.5, 0.26)) == ["last.h5"]
    changed = tmp_path / "later"
    (changed / "a.ply").write_bytes(b"p")
    (changed / "half-written").touch()
    (changed / "results.json").unlink()
    assert kills.different(known, kills.contents(changed)) == ["a.ply", "half-written", "results.json"]


def test_a_process_is_killed_or_has_ended(tmp_path):
    for group in (False, True):
        assert kills.killed(kills.in_copy(lambda: time.sleep(60), tmp_path / "a"), 0.01, group)
    assert not kills.killed(kills.in_copy(lambda: os.write(1, b"done\n"), tmp_path / "b"), 60, False)
    assert (tmp_path / "b").read_text() == "done\n"
    assert kills.ended(kills.in_copy(lambda: 1 / 0, tmp_path / "c"), 60) == 1


def test_rounds_are_counted():
    rounds = [kills.Round("eval", 3, ""), kills.Round("eval", 2, "exit code 1: error"), kills.Round("gen_db", 1, "")]
    table = kills.table(rounds).splitlines()
    assert "| eval | 5 | 2 | 1 | 1 |" in table and table[-1] == "| all | 6 | 3 | 2 | 1 |"
