"""A cluster as the command line and TF_CONFIG name it; tests/test_processes.py trains in one."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import pytest

from models.training import cluster
from utils.errors import UserError


def test_a_cluster_is_named_by_addresses_and_a_number(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "")
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")
    cluster.join("", None)
    assert not cluster.is_named() and cluster.writes()
    for addresses, worker, reason in (
        ("a:1,b:1", None, "needs both"),
        ("", 0, "needs both"),
        ("a:1,b", 0, "'b' is not an address"),
        ("a:1,b:65536", 0, "'b:65536' is not an address"),
        ("a:0,b:1", 0, "'a:0' is not an address"),
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


def test_a_description_of_no_cluster_is_refused_in_one_line(monkeypatch):
    for text in ('{"cluster": null}', '{"cluster": 1}', '{"task": 1}', "[]", "{"):
        monkeypatch.setenv("TF_CONFIG", text)
        with pytest.raises(UserError, match="TF_CONFIG is not a description of a cluster"):
            cluster.writes()


ROOT = pathlib.Path(__file__).parents[3]
PROGRAM = """
import signal, socket, sys
from models.training.cluster import meet
from utils import cli
# also where a shell started the tests behind itself, or nohup
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
def main(addresses):
    print("waiting", flush=True)
    meet(addresses[0], addresses[1:])
    with socket.create_server(("", int(addresses[0].rpartition(":")[2]))):  # as TensorFlow listens then
        print("met", flush=True)
        sys.stdin.read()
cli.run(main)
"""


def free_addresses(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    return addresses


def start_worker(own, *others):
    words = [sys.executable, "-c", PROGRAM, own, *others]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    worker = subprocess.Popen(words, cwd=ROOT, text=True, **pipes)
    assert worker.stdout.readline() == "waiting\n"
    return worker


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_worker_that_waits_for_the_others_is_ended_by_a_signal(number):
    own, other, missing = free_addresses(3)
    workers = [start_worker(own, other, missing), start_worker(other, own, missing)]
    time.sleep(1)
    for worker in workers:
        worker.send_signal(number)
    for worker in workers:
        out, error = worker.communicate(timeout=60)
        assert (worker.returncode, out, error.count("\n")) == (128 + number, "", 1)


def test_workers_wait_until_all_are_there_and_begin_together():
    first, second, third = free_addresses(3)
    early = [start_worker(first, second, third), start_worker(second, first, third)]
    time.sleep(1)
    assert all(worker.poll() is None for worker in early)
    workers = [*early, start_worker(third, first, second)]
    assert [worker.stdout.readline() for worker in workers] == ["met\n"] * 3
    assert [worker.communicate(timeout=60) for worker in workers] == [("", "")] * 3


def test_a_worker_whose_port_is_in_use_names_its_address():
    with socket.create_server(("", 0)) as taken:
        own = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UserError, match=f"cannot take part in the cluster at {own}; is the port in use?"):
            cluster.meet(own, [])
