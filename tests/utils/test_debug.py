"""Work on many inputs: an unexpected error is one line, with --debug also a traceback."""

import types

import pytest

from data.raw_layout import RawObject
from preprocessing.readers import registry
from preprocessing.rendering import raw_writer
from utils.errors import DEBUG


def write_strange(monkeypatch, root):
    monkeypatch.setattr(raw_writer, "_write", fail)
    task = raw_writer.Task("strange.obj", RawObject(root, "car", "a"), None)
    return raw_writer.write_object(task)[1], "strange.obj"


def read_strange(monkeypatch, root):
    monkeypatch.setitem(registry.READERS, "strange", types.SimpleNamespace(read=fail))
    raw = RawObject(root, "car", "a")
    return registry.try_object(raw, "strange", None), str(raw.folder)


def fail(*_):
    raise ZeroDivisionError("by zero")


@pytest.mark.parametrize("work", [write_strange, read_strange])
@pytest.mark.parametrize(("debug", "shown"), [("", False), ("1", True)])
def test_work_on_many_inputs_reports_an_unexpected_error(monkeypatch, tmp_path, capsys, work, debug, shown):
    monkeypatch.setenv(DEBUG, debug)
    reason, source = work(monkeypatch, tmp_path)
    assert reason == f"{source}: ZeroDivisionError: by zero"
    assert ("in fail" in capsys.readouterr().err) == shown
