"""Work on many objects by processes of this machine, and by the workers of a cluster."""

import os
import pathlib
import signal
import threading
import time

import dask
import distributed
import pytest
import trimesh

from preprocessing import render_views
from tests.utils.test_processes import died, perish
from utils import engine_flags, engines
from utils.cli import parser
from utils.engines import Engine
from utils.errors import UserError


def double(task):
    if task == "broken":
        raise UserError("a broken task")
    return 2 * task


@pytest.fixture(scope="module")
def cluster():
    """Address of a scheduler with two workers on this machine."""
    # by default a task is tried on three workers more, whose starts take most of the time
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
    ):
        yield cluster.scheduler_address


@pytest.fixture
def engine(cluster):
    return Engine(2, "dask", cluster)


@pytest.mark.slow
@pytest.mark.parametrize("ordered", [False, True])
def test_every_task_has_its_result(engine, ordered):
    results = list(engine.run(double, range(9), died=died, ordered=ordered))
    assert sorted(results) == [(task, 2 * task) for task in range(9)]
    assert not ordered or results == sorted(results)
    with pytest.raises(UserError, match="a broken task"):
        list(engine.run(double, [1, "broken"], died=died))


@pytest.mark.slow
def test_a_worker_that_dies_costs_one_task(engine):
    results = list(engine.run(perish, range(4), died=died, isolate=True))
    assert sorted(results) == [(0, "done 0"), (1, "died 1"), (2, "done 2"), (3, "done 3")]


def flags(*words):
    p = parser("")
    engine_flags.add_flags(p)
    return engine_flags.of_flags(p.parse_args(list(words)))


def test_flags():
    assert flags() == engines.HERE
    assert flags("--jobs", "3", "--backend", "dask", "--scheduler", "tcp://a:1") == Engine(3, "dask", "tcp://a:1")
    with pytest.raises(UserError, match="scheduler tcp://a:1 needs backend dask"):
        flags("--scheduler", "tcp://a:1")


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setattr(engines, "WAIT", 1)
    with pytest.raises(UserError, match="no Dask cluster with workers answers at tcp://127.0.0.1:9"):
        list(Engine(1, "dask", "tcp://127.0.0.1:9").run(double, [1, 2], died=died))


@pytest.mark.slow
def test_a_cluster_renders_the_same_though_a_worker_is_killed(cluster, tmp_path):
    meshes = tmp_path / "meshes" / "box"
    meshes.mkdir(parents=True)
    for number in range(4):
        trimesh.creation.box((1, 0.5 + 0.1 * number, 0.7)).export(meshes / f"{number}.ply")
    sizes = ["--views", "2", "--image_size", "32", "--sdf_points", "300", "--surface_points", "3000"]
    command = ["--meshes", str(tmp_path / "meshes"), *sizes]
    render_views.main([*command, "--out", str(tmp_path / "here")])

    there = tmp_path / "there"
    with distributed.Client(cluster) as client:
        workers = list(client.run(os.getpid).values())

    def kill_one():
        while not list(there.glob("box/*/views")):
            time.sleep(0.01)
        os.kill(workers[0], signal.SIGKILL)

    killer = threading.Thread(target=kill_one)
    killer.start()
    render_views.main([*command, "--out", str(there), "--backend", "dask", "--scheduler", cluster])
    killer.join()
    assert contents(there) == contents(tmp_path / "here")


def contents(folder: pathlib.Path):
    """{path: bytes} of all files of a folder, except what keeps two runs apart."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }
