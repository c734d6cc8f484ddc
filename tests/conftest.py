"""Fixtures that several test files share."""

import os

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
if "PYTEST_XDIST_WORKER" in os.environ:  # a core each
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, "1")


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
