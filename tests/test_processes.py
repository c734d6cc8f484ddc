"""Training in processes of its own: killed and resumed, on two devices, by two workers.

Its commands run in copies of one process that has imported TensorFlow, which takes most of the time
of a start; what follows them runs in this one.
"""

import contextlib
import importlib
import json
import multiprocessing
import os
import signal
import socket
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf
import trimesh

from data.field_samples import FieldSamples
from data.pipeline import epoch_order
from data.shards import Database
from eval import to_mesh
from models.config import Config
from models.training import cluster
from models.training.devices import choose_strategy
from models.training.field_trainer import FieldTrainer
from models.training.loop import Loop
from models.weights.run import Run
from tests.helpers import tiny
from tests.helpers.point_network import take_the_place
from tests.helpers.tiny import stored
from train import train_sdf
from utils import cli


class Copies:
    """Starts functions in copies of a process that has imported what this file does."""

    def __init__(self):
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload([__name__, "models.training.session", "models.inference.evaluation"])

    def start(self, function, *args, log):
        """A running process, whose output goes to a file."""
        process = self.context.Process(target=_written, args=(log, function, *args))
        process.start()
        return process

    def codes(self, processes):
        """The exit codes of processes, once they have ended."""
        for process in processes:
            process.join()
        return [process.exitcode for process in processes]


def _written(log, function, *args):
    output = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.dup2(output, 1), os.dup2(output, 2)
    function(*args)


@pytest.fixture(scope="module")
def copies():
    return Copies()


# killed and resumed


def train_step_by_step(words):
    tf.config.run_functions_eagerly(True)  # compiling takes most of the time of a short run
    sys.argv = ["train_sdf.py", *words]
    cli.run(train_sdf.main)


@pytest.mark.slow
def test_train_killed_and_resumed_then_evaluated_and_meshed(copies, tmp_path, monkeypatch, capsys, eagerly):
    database = tiny.write_database(tmp_path / "database", (8, 1, 1), ("box",))  # one object to search --iso auto on
    run, log = tmp_path / "run", tmp_path / "log.txt"
    train = ["--db", database, "--log_dir", run, *tiny.flags(), "--learning_rate", 1e-2]
    train = [str(word) for word in [*train, "--checkpoint_minutes", 0]]
    process = copies.start(train_step_by_step, train, log=log)
    end = time.monotonic() + 180
    while not (run / "last.h5").exists() and process.is_alive() and time.monotonic() < end:
        time.sleep(0.02)
    process.kill()
    assert copies.codes([process]) == [-signal.SIGKILL] and (run / "last.h5").exists(), log.read_text()

    monkeypatch.setattr("models.training.field_trainer.validation_preview", lambda *_: np.zeros((4, 4, 3), np.float32))
    train_sdf.main(train)
    assert "resuming" in capsys.readouterr().out
    history = json.loads((run / "history.json").read_text())
    assert [row["epoch"] for row in history] == [1, 2] and history[-1]["step"] == 2 * 6

    evaluate = ["--restore_model", str(run), "--iso", "auto", "--sdf_res", "16", "--views", "0", "--limit", "1"]
    importlib.import_module("eval.eval").main([*evaluate, "--figure_objects", "0"])
    assert "retrieval" in capsys.readouterr().out
    field = next((run / "eval_test").glob("predictions/box/*/00_pred.txt"))
    iso = json.loads((run / "eval_test" / "results.json").read_text())["iso"]
    to_mesh.main([str(field), "--out", str(tmp_path / "box.glb"), f"--iso={iso}"])
    assert str(tmp_path / "box.glb") in capsys.readouterr().out
    assert len(trimesh.load(tmp_path / "box.glb", force="mesh").faces) > 20


# on two devices

TWO_DEVICES = ["CPU:0", "CPU:1"]


def train_on_devices(database, folder):
    """A network with batch normalisation, for an epoch: on one device, then on two."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    take_the_place()
    config = tiny.config(normalisation=True, max_epoch=2, optimizer="adamw", weight_decay=0.5, encoder_rate=0.3)
    for name, strategy in ("one", tf.distribute.get_strategy()), ("two", tf.distribute.MirroredStrategy(TWO_DEVICES)):
        count = strategy.num_replicas_in_sync
        assert count == (1 if name == "one" else 2)
        keras.utils.set_random_seed(0)
        trainer, data = FieldTrainer(config, strategy), Database(database)
        variables = trainer.network.variables
        samples = FieldSamples(data, config)
        np.savez(folder / f"{name}.npz", **{variable.path: np.asarray(variable) for variable in variables})
        Loop(trainer, Run(folder / name), samples, data.objects("train"), data.objects("val")[:1], 1e9).run()
        for variable in variables if count > 1 else []:
            first, *others = (value.numpy() for value in variable.value.values)
            for other in others:
                np.testing.assert_allclose(first, other, rtol=1e-5, atol=1e-7, err_msg=variable.path)


@pytest.mark.slow
def test_two_devices_train_as_one(copies, tiny_database, tmp_path):
    """The same batch shared between two devices gives the same weights on both, and those of one
    device: gradients and the statistics of batch normalisation are of the whole batch.
    """
    log = tmp_path / "log.txt"
    process = copies.start(train_on_devices, tiny_database, tmp_path, log=log)
    assert copies.codes([process]) == [0], log.read_text()[-3000:]
    one, two = (stored(tmp_path / name / "last.h5")[0] for name in ("one", "two"))
    start = np.load(tmp_path / "one.npz")
    apart = np.concatenate([(two["network/" + key] - one["network/" + key]).ravel() for key in start])
    moved = np.concatenate([(one["network/" + key] - start[key]).ravel() for key in start])
    # Adam divides by the size of a gradient: where that is nearly nothing, rounding decides the
    # direction
    assert np.abs(apart).mean() < 0.02 * np.abs(moved).mean() and np.abs(moved).mean() > 1e-4


def steps_on_devices(database, folder):
    """A validation and a step of a batch, on one device, then on two: what both measure, and how
    far the weights move.
    """
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    take_the_place()
    near = {"softness": 0.02, "distance_offset": 0.02}  # colours count near the surface alone
    config = tiny.config(False, optimizer="momentum", learning_rate=1.0, clip_gradient=0.1, **near)
    for name, strategy in ("one", tf.distribute.get_strategy()), ("two", tf.distribute.MirroredStrategy(TWO_DEVICES)):
        keras.utils.set_random_seed(0)
        trainer, data = FieldTrainer(config, strategy), Database(database)
        val = data.objects("val")[:1]
        assert len(val[0].view_names) == 3  # which two devices cannot share
        loop = Loop(trainer, Run(folder / name), FieldSamples(data, config), data.objects("train"), val, 1e9)
        before = [np.asarray(variable) for variable in trainer.network.trainable_variables]
        val, order = loop.validate(), epoch_order(loop.train, 0, 0, None)
        train = trainer.train_step(next(loop.input(loop.train, order, 0, augment=True)))
        after = [np.asarray(variable) for variable in trainer.network.trainable_variables]
        moved = np.concatenate([(b - a).ravel() for a, b in zip(before, after, strict=True)])
        np.savez(folder / f"{name}.npz", moved=moved, val=list(val.values()), train=[float(x) for x in train.values()])


@pytest.mark.slow
def test_a_step_on_two_devices_is_that_of_one(copies, tiny_database, tmp_path):
    """Losses, the norm of the gradient and the clipped gradient are of the whole batch, and a
    validation counts every sample once.
    """
    log = tmp_path / "log.txt"
    process = copies.start(steps_on_devices, tiny_database, tmp_path, log=log)
    assert copies.codes([process]) == [0], log.read_text()[-3000:]
    one, two = (np.load(tmp_path / f"{name}.npz") for name in ("one", "two"))
    assert np.linalg.norm(two["moved"]) == pytest.approx(0.1, rel=1e-3)
    np.testing.assert_allclose(two["moved"], one["moved"], atol=1e-5)
    for name in ("train", "val"):
        np.testing.assert_allclose(two[name], one[name], rtol=1e-4, err_msg=name)


# by two workers


def two_addresses():
    with contextlib.ExitStack() as sockets:  # two ports that are free at the moment
        found = [sockets.enter_context(socket.socket()) for _ in range(2)]
        for each in found:
            each.bind(("127.0.0.1", 0))
        return ",".join(f"127.0.0.1:{each.getsockname()[1]}" for each in found)


def train_and_die(words, killed):
    """Train.

    Args:
        words: of the command line.
        killed: the number of batches after which the process kills itself; None for never.
    """

    def next_batch(source):
        if next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(source)

    take_the_place()
    step, left = Loop.next_batch, iter(range(killed or 10**6))
    Loop.next_batch = staticmethod(next_batch)
    if words[-1] == "1":  # --worker: the first one writes the run
        Config.save = None
    sys.argv = ["train_sdf.py", *words]
    cli.run(train_sdf.main)


@pytest.mark.slow
def test_two_workers_one_of_which_is_killed_train_as_one(copies, tiny_database, tmp_path):
    address = two_addresses()
    words = ["--db", str(tiny_database), "--preset", "small", "--scored_objects", "0", "--cat_limit", "4"]
    words += ["--img_h", "40", "--img_w", "40", "--batch_size", "4", "--max_epoch", "2", "--num_sample_points", "64"]
    words += ["--no-normalisation"]  # a bias before it has no gradient, and Adam makes steps of the rounding

    def start(folder, name, killed=None, extra=()):
        command = [*words, "--log_dir", str(tmp_path / folder), *extra]
        return copies.start(train_and_die, command, killed, log=tmp_path / f"{name}.txt")

    def start_both(name, killed):
        flags = ["--cluster", address, "--worker"]
        return [start("two", f"{name}{i}", killed if i else None, (*flags, str(i))) for i in (0, 1)]

    assert copies.codes([start("one", "one")]) == [0]
    assert copies.codes(start_both("killed", 6)) == [1, -9]
    assert copies.codes(start_both("resumed", None)) == [0, 0]
    *_, last = (tmp_path / "killed0.txt").read_text().splitlines()
    assert last.startswith("error: another worker of the cluster ended or cannot be reached")
    assert "Traceback" not in (tmp_path / "killed0.txt").read_text()
    assert "resuming after step 2 " in (tmp_path / "resumed1.txt").read_text()
    one, two = (stored(tmp_path / name / "last.h5")[0] for name in ("one", "two"))
    for key, value in one.items():
        np.testing.assert_allclose(two[key], value, rtol=1e-4, atol=1e-6, err_msg=key)
    one, two = (json.loads((tmp_path / name / "history.json").read_text()) for name in ("one", "two"))
    for ours, theirs in zip(one, two, strict=True):
        assert ours["step"] == theirs["step"]
        assert theirs["train"] == pytest.approx(ours["train"]) and theirs["val"] == pytest.approx(ours["val"])


def join_cluster(addresses, worker=0):
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where a shell started the tests behind itself
    cluster.join(addresses, worker)
    sys.argv = ["train_sdf.py"]

    def join_and_work(_):
        choose_strategy()
        print("joined", flush=True)
        while True:
            time.sleep(0.1)

    cli.run(join_and_work)


def wait_for(word, log):
    end = time.monotonic() + 60
    while not (log.exists() and word in log.read_text()) and time.monotonic() < end:
        time.sleep(0.1)


@pytest.mark.slow
def test_a_worker_whose_port_is_in_use_ends_with_its_address_and_one_that_waits_by_ctrl_c(copies, tmp_path):
    used, waits = tmp_path / "used.txt", tmp_path / "waits.txt"
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        assert copies.codes([copies.start(join_cluster, f"{address},127.0.0.1:1", log=used)]) == [1]
    *_, last = used.read_text().splitlines()
    assert last.startswith(f"error: this worker cannot take part in the cluster at {address}; is the port in use?")

    process = copies.start(join_cluster, f"{address},127.0.0.1:1", log=waits)
    wait_for("waiting", waits)
    os.kill(process.pid, signal.SIGINT)
    process.join(20)
    process.kill()
    assert copies.codes([process]) == [128 + signal.SIGINT], waits.read_text()


@pytest.mark.slow
def test_sigterm_ends_a_worker_that_has_joined(copies, tmp_path):
    address, logs = two_addresses(), [tmp_path / f"{worker}.txt" for worker in (0, 1)]
    first, second = (copies.start(join_cluster, address, worker, log=log) for worker, log in enumerate(logs))
    for log in logs:
        wait_for("joined", log)
    second.terminate()
    second.join(20)
    first.kill(), second.kill()
    assert copies.codes([second]) == [128 + signal.SIGTERM], logs[1].read_text()
