"""Tasks in processes: one result for every task, in order if needed, even if processes die."""

import contextlib
import os
import pathlib
import subprocess
import sys

import pytest

from utils.errors import DEBUG, reason_of
from utils.processes import available_memory, run_in_processes

ROOT = pathlib.Path(__file__).parents[2]


def strange(task):
    """A task that fails unexpectedly and reports it in one line."""
    try:
        raise ZeroDivisionError("by zero")
    except ZeroDivisionError as error:
        return reason_of(error, task)


@pytest.mark.parametrize(("debug", "shown"), [("", False), ("1", True)])
def test_debug_shows_tracebacks_of_worker_processes(monkeypatch, capfd, debug, shown):
    monkeypatch.setenv(DEBUG, debug)
    results = list(run_in_processes(strange, ["a.obj"], 1, died=died, isolate=True))
    assert results == [("a.obj", "a.obj: ZeroDivisionError: by zero")]
    errors = capfd.readouterr().err
    assert ("Traceback" in errors and "in strange" in errors) == shown


def perish(task):
    if task == 1:
        os._exit(9)
    return f"done {task}"


def died(task):
    return f"died {task}"


@pytest.mark.slow
@pytest.mark.parametrize(("ordered", "jobs"), [(False, 2), (True, 2), (False, 1)])
def test_a_process_that_dies_costs_one_task(ordered, jobs):
    results = list(run_in_processes(perish, range(4), jobs, died=died, ordered=ordered, ahead=2, isolate=jobs == 1))
    assert sorted(results) == [(0, "done 0"), (1, "died 1"), (2, "done 2"), (3, "done 3")]
    assert not ordered or results == sorted(results)


def long_result(task):
    return bytes(1 << 26)


def end_among_long_results():
    """Ends a pool whose processes do nothing but send results, so that one is cut off."""
    with contextlib.closing(run_in_processes(long_result, range(100), 2, died=died, ahead=2)) as results:
        next(results)


@pytest.mark.slow
def test_a_pool_ends_in_the_midst_of_a_result():
    program = f"from {__name__} import end_among_long_results as end\nif __name__ == '__main__':\n    end()\n    end()"
    words = [sys.executable, "-c", program]
    subprocess.run(words, cwd=ROOT, timeout=60, check=True, capture_output=True)


def test_one_job_needs_no_process():
    assert list(run_in_processes(lambda task: (task, os.getpid()), [1, 2], 1, died=died)) == [
        (1, (1, os.getpid())),
        (2, (2, os.getpid())),
    ]


def test_memory_is_available():
    assert available_memory() > 1 << 20
