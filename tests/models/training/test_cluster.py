"""A cluster as the command line and TF_CONFIG name it; tests/test_processes.py trains in one."""

import json
import os

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
