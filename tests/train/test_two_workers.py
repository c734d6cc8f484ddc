"""Two processes train one run: as one process would, and again after one of them was killed."""

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys

import numpy as np
import pytest

from models.training import cluster
from tests.helpers.tiny import stored
from utils.errors import UserError

ROOT = pathlib.Path(__file__).parents[2]

# The commands run in copies of one process that has imported TensorFlow, and train a network of two
# layers: imports and compiling would take most of their time. Whole networks on several devices are
# the subject of tests/models/training. `killed` is the number of batches after which a worker kills
# itself.
PROGRAM = """
import json, os, signal, sys
import keras, numpy as np, tensorflow as tf
from models.training.field_trainer import FieldTrainer
from models.training.loop import Loop
from models.training.trainer import Look
from train import train_sdf
from utils import cli

def build(trainer):
    layers = [keras.Input((None, 3)), keras.layers.Dense(8, "relu"), keras.layers.Dense(3)]
    return keras.Sequential(layers)

def losses(trainer, batch, training):
    return {"colour": tf.reduce_mean((trainer.network(batch["points"]) - batch["colour"]) ** 2)}

FieldTrainer.build, FieldTrainer.losses = build, losses
FieldTrainer.look = lambda *_: Look(np.zeros((4, 4, 3), np.float32), {})

def start(folder, name, words, killed=None):
    child = os.fork()
    if child:
        return child
    written = os.open(f"{folder}/{name}.txt", os.O_CREAT | os.O_WRONLY)
    os.dup2(written, 1), os.dup2(written, 2)
    step = Loop.next_batch
    left = iter(range(killed or 10**6))
    def next_batch(source):
        if next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(source)
    Loop.next_batch = staticmethod(next_batch)
    sys.argv = ["train_sdf.py", *words]
    cli.run(train_sdf.main)
    sys.exit(0)

def ends(children):
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]

folder, words, address = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
codes = {"one": ends([start(folder, "one", [*words, "--log_dir", f"{folder}/one"])])}
flags = [*words, "--log_dir", f"{folder}/two", "--cluster", address, "--worker"]
for name, killed in ("killed", 6), ("resumed", None):
    codes[name] = ends([start(folder, f"{name}{i}", [*flags, str(i)], killed if i else None) for i in (0, 1)])
print(json.dumps(codes))
"""


@pytest.fixture(scope="module")
def runs(tiny_database, tmp_path_factory):
    """The folder of the runs one, two and parts, and {name: exit codes}."""
    folder = tmp_path_factory.mktemp("workers")
    with contextlib.ExitStack() as sockets:  # two ports that are free at the moment
        found = [sockets.enter_context(socket.socket()) for _ in range(2)]
        for each in found:
            each.bind(("127.0.0.1", 0))
        address = ",".join(f"127.0.0.1:{each.getsockname()[1]}" for each in found)
    words = ["--db", str(tiny_database), "--preset", "small", "--scored_objects", "0", "--cat_limit", "4"]
    words += ["--img_h", "40", "--img_w", "40", "--batch_size", "4", "--max_epoch", "2", "--num_sample_points", "64"]
    command = [sys.executable, "-c", PROGRAM, str(folder), json.dumps(words), address]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=400)
    assert result.returncode == 0, result.stderr[-3000:]
    return folder, json.loads(result.stdout.splitlines()[-1])


@pytest.mark.slow
def test_two_workers_one_of_which_is_killed_train_as_one(runs):
    folder, codes = runs
    assert codes == {"one": [0], "killed": [1, -9], "resumed": [0, 0]}
    *_, last = (folder / "killed0.txt").read_text().splitlines()
    assert last.startswith("error: another worker of the cluster ended or cannot be reached")
    assert "Traceback" not in (folder / "killed0.txt").read_text()
    assert "resuming after step 2 " in (folder / "resumed1.txt").read_text()
    one, two = (stored(folder / name / "last.h5")[0] for name in ("one", "two"))
    for key, value in one.items():
        np.testing.assert_allclose(two[key], value, rtol=1e-4, atol=1e-6, err_msg=key)
    one, two = (json.loads((folder / name / "history.json").read_text()) for name in ("one", "two"))
    for ours, theirs in zip(one, two, strict=True):
        assert ours["step"] == theirs["step"]
        assert theirs["train"] == pytest.approx(ours["train"]) and theirs["val"] == pytest.approx(ours["val"])


def test_a_cluster_is_named_by_addresses_and_a_number(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "")
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")
    cluster.join("", None)
    assert not cluster.is_named() and cluster.writes()
    for addresses, worker, reason in (
        ("a:1,b:1", None, "needs both"),
        ("", 0, "needs both"),
        ("a:1,b", 0, "'b' is no address"),
        ("a:1,a:1", 0, "an address of its own"),
        ("a:1,b:1", 2, "no worker 2 in a cluster of 2"),
    ):
        with pytest.raises(UserError, match=reason):
            cluster.join(addresses, worker)
    cluster.join("a:1, [::1]:2", 1)
    named = {"cluster": {"worker": ["a:1", "[::1]:2"]}, "task": {"type": "worker", "index": 1}}
    assert json.loads(os.environ["TF_CONFIG"]) == named and not cluster.writes()
    with pytest.raises(UserError, match="TF_CONFIG describes a cluster already"):
        cluster.join("a:1,b:1", 0)
