"""The folder that a command writes to: one process at a time, and nothing half-written is left."""

import contextlib
import datetime
import fcntl
import json
import os
import pathlib
import socket
from collections.abc import Iterator
from typing import Any

from utils.errors import UserError, writing
from utils.files import TEMPORARY, check_out, remove

LOCK = ".texdisn-lock"  # while a process works in a folder, this file there names it
ATTEMPTS = 20  # to lock a file that others remove at the same moment


@contextlib.contextmanager
def working_in(folder: str | os.PathLike[str], depth: int = 1) -> Iterator[None]:
    """Hold a folder, which is made, as the only process that writes to it.

    The system lets go of the lock when the process dies. What a process that was killed left
    half-written (utils/files.py) is removed at the beginning and at the end.

    Args:
        folder: the folder.
        depth: levels of folders below it in which files are written.

    Raises:
        UserError: another process holds the folder; names it. Files cannot be written there.
        StorageError: the disk is full or read-only.
    """
    folder = pathlib.Path(folder)
    check_out(folder)
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = _lock(folder)
    try:
        remove_temporaries(folder, depth)
        yield
    finally:
        remove_temporaries(folder, depth)
        (folder / LOCK).unlink(missing_ok=True)  # before others can lock it
        os.close(lock)
        for path in made:  # an empty folder is no result
            with contextlib.suppress(OSError):
                path.rmdir()


def check_apart(out: pathlib.Path, *read: pathlib.Path | None) -> None:
    """UserError if the folder to write is one that is read: results would lie among the data."""
    if any(folder is not None and folder.resolve() == out.resolve() for folder in read):
        raise UserError(f"output folder {out} is the folder that is read: choose another one")


def is_abandoned(folder: str | os.PathLike[str]) -> bool:
    """Whether a process worked in a folder and was killed: its lock file is there, but no lock."""
    try:
        lock = os.open(pathlib.Path(folder) / LOCK, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(lock)


def remove_temporaries(folder: pathlib.Path, depth: int) -> None:
    """Remove half-written files and folders, down to `depth` levels below a folder.

    Folders below that another process holds are left alone.
    """
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if TEMPORARY.fullmatch(entry.name):
                remove(entry)
            elif depth and entry.is_dir(follow_symlinks=False) and not os.path.exists(f"{entry.path}/{LOCK}"):
                remove_temporaries(pathlib.Path(entry.path), depth - 1)


def _lock(folder: pathlib.Path) -> int:
    """Lock the folder's lock file; returns its descriptor, which holds the lock until closed."""
    path = folder / LOCK
    for _ in range(ATTEMPTS):
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(lock)
            os.close(lock)
            raise UserError(f"{folder} is in use by {holder}: wait for its end, or use another folder") from None
        except OSError:  # a file system without locks
            print(f"{folder} cannot be locked on its file system: let one process at a time write there")
        if path.exists() and os.path.samestat(os.stat(path), os.fstat(lock)):
            now = datetime.datetime.now().astimezone().isoformat(" ", "seconds")
            os.truncate(lock, 0)
            os.pwrite(lock, json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": now}).encode(), 0)
            return lock
        os.close(lock)  # its holder has just removed it
    raise UserError(f"{folder} is in use by other processes: wait for their end, or use another folder")


def _holder(lock: int) -> str:
    """The process that holds a lock, in words."""
    try:
        known: dict[str, Any] = json.loads(os.pread(lock, 1000, 0))
        return f"process {known['pid']} on {known['host']} since {known['since']}"
    except (ValueError, KeyError, TypeError):  # it is only just starting
        return "another process"
