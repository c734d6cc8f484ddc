"""Output folders: one process at a time, named to the others; nothing half-written stays."""

import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import pytest

from utils.errors import UserError
from utils.files import replacing, replacing_folder
from utils.out_folder import LOCK, check_apart, is_abandoned, working_in

ROOT = pathlib.Path(__file__).parents[2]
# A command that writes two files in worker processes, one of which never ends, and one by itself.
COMMAND = """
import contextlib, os, pathlib, signal, sys, time
from utils import cli
from utils.files import replacing
from utils.out_folder import working_in
from utils.processes import run_in_processes

def work(path):
    with replacing(path) as temporary:
        temporary.write_text(str(os.getpid()))
        while path.name == "endless":
            (path.parent / "pid").write_text(str(os.getpid()))
            time.sleep(0.02)

def main(argv):
    out = pathlib.Path(argv[0])
    with working_in(out):
        work(out / "first")
        results = run_in_processes(work, [out / "second", out / "endless"], 2, died=print)
        with contextlib.closing(results):
            list(results)

if __name__ == "__main__":
    # the tests may run under nohup, or behind a shell that ignores interrupts
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    cli.run(main)
"""


def start(folder, out):
    """The command, once its endless task is at work, and the id of the process at that task."""
    (folder / "command.py").write_text(COMMAND)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, str(folder / "command.py"), str(out)]
    process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 120
    pid = out / "pid"  # made, then filled
    while not (pid.exists() and pid.read_text() and (out / "second").exists()) and process.poll() is None:
        assert time.monotonic() < end
        time.sleep(0.02)
    assert process.poll() is None, process.communicate()
    return process, int(pid.read_text())


def ended(pid):
    """Whether a process ends within some seconds."""
    end = time.monotonic() + 60
    while os.path.exists(f"/proc/{pid}") and time.monotonic() < end:
        time.sleep(0.02)
    return not os.path.exists(f"/proc/{pid}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_a_command_its_processes_and_what_is_half_written(tmp_path, number):
    out = tmp_path / "out"
    process, worker = start(tmp_path, out)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (128 + number, "")
    assert stderr.endswith("; run the same command again to resume\n") and stderr.count("\n") == 1
    assert ended(worker)
    assert sorted(path.name for path in out.iterdir()) == ["first", "pid", "second"]


def test_a_killed_process_lets_go_and_the_next_one_removes_what_it_left(tmp_path):
    out = tmp_path / "out"
    process, worker = start(tmp_path, out)
    with pytest.raises(UserError) as caught, working_in(out):
        pass
    holder = f"{out} is in use by process {process.pid} on {socket.gethostname()} since 20"
    assert str(caught.value).startswith(holder) and "\n" not in str(caught.value)
    process.kill()
    process.communicate()
    assert ended(worker)
    assert len(list(out.glob(".endless.*"))) == 1 and (out / LOCK).exists()
    assert is_abandoned(out) and not is_abandoned(tmp_path)
    with working_in(out):
        assert sorted(path.name for path in out.iterdir()) == sorted(["first", "pid", "second", LOCK])
        assert not is_abandoned(out)
    assert sorted(path.name for path in out.iterdir()) == ["first", "pid", "second"]


def test_half_written_files_and_folders_go_whole_ones_stay(tmp_path):
    kept = [tmp_path / "a" / "x.json", tmp_path / "a" / ".hidden", tmp_path / ".x.1.tmp"]
    (tmp_path / "a" / "folder").mkdir(parents=True)
    for path in kept:
        path.touch()
    left = []
    for path in (tmp_path / "x.json", tmp_path / "a" / "b.obj", tmp_path / "plain", tmp_path / "two\nlines.h5"):
        with replacing(path) as temporary:
            left.append(temporary)
            temporary.touch()
        path.unlink()
    with replacing_folder(tmp_path / "a" / "run") as folder:
        left.append(folder)
    (tmp_path / "a" / "run").rmdir()
    deep = tmp_path / "a" / "folder" / left[0].name
    for path in (*left[:-1], deep):
        path.touch()
    left[-1].mkdir()
    (left[-1] / "file").touch()
    held = tmp_path / "held"
    held.mkdir()
    (held / LOCK).touch()  # another process is at work there
    (held / left[0].name).touch()
    with working_in(tmp_path):
        assert not any(path.exists() for path in left) and all(path.exists() for path in kept)
        assert deep.exists() and (held / left[0].name).exists()


def test_a_folder_without_results_is_removed_again(tmp_path):
    with pytest.raises(ZeroDivisionError), working_in(tmp_path / "a" / "b"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    with working_in(tmp_path / "a" / "b"):
        (tmp_path / "a" / "b" / "result").touch()
    assert list((tmp_path / "a" / "b").iterdir()) == [tmp_path / "a" / "b" / "result"]


def test_a_folder_that_is_read_is_not_written_to(tmp_path):
    data, link = tmp_path / "data", tmp_path / "link"
    data.mkdir()
    link.symlink_to(data)
    check_apart(tmp_path / "out", data, None, tmp_path)
    for out in (data, link, data / ".." / "data"):
        with pytest.raises(UserError, match="is the folder that is read"):
            check_apart(out, None, data)
