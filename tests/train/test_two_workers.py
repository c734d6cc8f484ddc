"""Two processes train one run: as one process would, and again after one of them was killed."""

import contextlib
import json
import pathlib
import socket
import subprocess
import sys

import numpy as np
import pytest

from models.training import cluster
from tests.helpers import tiny
from tests.helpers.tiny import stored
from utils.errors import UserError

ROOT = pathlib.Path(__file__).parents[2]

# The commands run in copies of one process that has imported TensorFlow, which takes most of their
# time. `killed` is the step at whose beginning a worker kills itself.
PROGRAM = """
import json, os, signal, sys
import numpy as np, tensorflow as tf
from models.training.field_trainer import FieldTrainer
from models.training.loop import Loop
from models.training.trainer import Look
from train import train_sdf
from utils import cli

def start(folder, name, words, killed=None):
    child = os.fork()
    if child:
        return child
    written = os.open(f"{folder}/{name}.txt", os.O_CREAT | os.O_WRONLY)
    os.dup2(written, 1), os.dup2(written, 2)
    tf.config.run_functions_eagerly("--cluster" not in words)  # compiling takes long, but sums over workers longer
    tf.config.experimental.enable_op_determinism()
    FieldTrainer.look = lambda *_: Look(np.zeros((4, 4, 3), np.float32), {})
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
for name, killed in ("killed", 3), ("resumed", None):
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
    words = ["--db", str(tiny_database), "--preset", "small", "--scored_objects", "0", "--cat_limit", "4", "--no-normalisation"]
    sizes = {**tiny.SHARED, "point_widths": (8, 16), "decoder_widths": (16, 8), "num_sample_points": 64}
    for name, value in {**sizes, "decoder": "onestream"}.items():
        if name == "normalisation":
            continue
        text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
        words += [f"--{name}", text]
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
    (one, progress), (two, resumed) = (stored(folder / name / "last.h5") for name in ("one", "two"))
    for key, value in one.items():
        np.testing.assert_allclose(two[key], value, rtol=1e-3, atol=1e-5, err_msg=key)
