"""Fixtures that several test files share."""

import functools
import os

import pytest
from xdist.scheduler import LoadFileScheduling

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
if "PYTEST_XDIST_WORKER" in os.environ:  # a core each
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")

# The files that take longest, longest first: whatever comes last should be short, so that both
# processes end together. All other files follow by name.
FIRST = (
    "tests/train/test_flags.py",
    "tests/eval/test_web_demo.py",
    "tests/eval/test_eval.py",
    "tests/models/training/test_training.py",
    "tests/test_texdisn.py",
    "tests/models/networks/test_decoders.py",
    "tests/models/inference/test_field_query.py",
    "tests/preprocessing/test_gen_db.py",
    "tests/preprocessing/readers/test_external_layouts.py",
    "tests/train/test_plus.py",
    "tests/models/networks/test_reference.py",
    "tests/test_processes.py",
    "tests/train/test_external_layouts.py",
    "tests/models/networks/test_camera_network.py",
    "tests/eval/test_query_points.py",
)
WEB = "tests/utils/web"


def pytest_collection_modifyitems(items):
    ranks = {file: rank for rank, file in enumerate(FIRST)}
    items.sort(key=lambda item: ranks.get(item.nodeid.partition("::")[0], len(FIRST)))


class Scheduling(LoadFileScheduling):
    """A file runs in one process, since its tests share what takes long to make; so do the files of
    the web page, for which a process loads Gradio.
    """

    def _split_scope(self, nodeid):
        return WEB if nodeid.startswith(WEB) else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config, log):
    config.option.loadscopereorder = False  # which would put files of many tests first
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


@functools.cache
def _built(config):
    from models.networks.texdisn import build_field_network

    return build_field_network(config)


@pytest.fixture
def built_once(monkeypatch):
    """One network for all evaluations of a configuration, which load all of its weights: making its
    variables takes most of the time of a tiny one.
    """
    monkeypatch.setattr("models.inference.evaluation.build_field_network", _built)
