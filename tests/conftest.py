"""Fixtures that several test files share."""

import os

import pytest
from xdist.scheduler import LoadScopeScheduling

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
if "PYTEST_XDIST_WORKER" in os.environ:  # a core each
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, "1")

# Files whose tests share what takes long to make: each runs in one process. (Marks of the plug-in
# for the same purpose have no effect with pytest 9.)
TOGETHER = (
    "tests/eval/test_query_points.py",
    "tests/models/inference/test_field_query.py",
    "tests/models/networks/test_reference.py",
    "tests/test_texdisn.py",
    "tests/train/test_flags.py",
)


class Scheduling(LoadScopeScheduling):
    """Tests one by one to the processes, but those of a file of TOGETHER to the same one."""

    def _split_scope(self, nodeid):
        file = nodeid.partition("::")[0]
        return file if file in TOGETHER else nodeid


def pytest_xdist_make_scheduler(config, log):
    return Scheduling(config, log)


@pytest.fixture(scope="session")
def tiny_database(tmp_path_factory):
    """Path of a database of boxes (tests/helpers/tiny.py)."""
    from tests.helpers.tiny import write_database

    return write_database(tmp_path_factory.mktemp("database"))


@pytest.fixture
def eagerly():
    """Steps without compiling them, which takes most of the time of a short run."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def rendered_here(monkeypatch):
    """render_views without its process for every mesh, whose start takes most of the time."""
    monkeypatch.setattr(
        "utils.engines.run_in_processes", lambda function, tasks, jobs, **_: ((task, function(task)) for task in tasks)
    )
