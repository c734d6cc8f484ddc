"""The queue of the page, and its folders."""

import pathlib
import threading
import time

import pytest

from tests.helpers.web import upload
from utils.errors import UserError
from utils.stages import check_stop
from utils.web import jobs as web_jobs
from utils.web.jobs import Ended, Folders, Jobs


def test_jobs_run_in_order_and_end_at_their_next_stage(tmp_path):
    jobs, go_on, order = Jobs(), threading.Event(), []

    def work(name):
        def run(on_start):
            on_start("first")
            order.append(name)
            assert go_on.wait(20)
            if name == "d":
                check_stop()  # in the midst of a stage
            on_start("second")
            return name

        return run

    first, second, third = (jobs.start(work(name)) for name in "abc")
    assert [job.before() for job in (first, second, third)] == [0, 1, 2] and not second.done(0.01)
    second.leave(tmp_path / "none")
    assert third.before() == 1
    go_on.set()
    assert third.done(20) and (first.result(), third.result(), order) == ("a", "c", ["a", "c"])
    assert first.stages == ["first", "second"]
    with pytest.raises(Ended):
        second.result()
    go_on.clear()
    running = jobs.start(work("d"))
    while not running.stages:
        time.sleep(0.01)
    jobs.close()
    assert not jobs.wait(0.01)  # it runs
    go_on.set()
    assert jobs.wait(20)
    with pytest.raises(Ended):
        running.result()
    assert running.stages == ["first"]
    with pytest.raises(UserError, match="has ended"):
        jobs.start(work("e"))
    assert jobs.wait(1)


def test_old_files_are_removed(tmp_path, monkeypatch):
    folders = Folders(tmp_path, 3600)
    kept = pathlib.Path(upload(folders.cache / "a", b"an example"))
    folders.keep()
    old = [pathlib.Path(upload(folder, b"old")) for folder in (folders.cache / "b", folders.requests / "c")]
    folders.sweep()
    assert all(path.exists() for path in (kept, *old))
    now = time.time()
    monkeypatch.setattr(web_jobs.time, "time", lambda: now + 3700)
    folders.sweep()
    assert kept.exists() and not any(path.parent.exists() for path in old)
    folders.close()
    assert not folders.root.exists()
