"""The queue of reconstructions, which run one at a time, and the page's temporary files."""

import concurrent.futures
import contextlib
import os
import pathlib
import shutil
import threading
import time
from collections.abc import Callable
from typing import Any

from utils.errors import UserError
from utils.stages import stopped_by

MOST_UPLOADS, MOST_BYTES = 200, 1 << 30  # that the page keeps at the same time
MOST = 10  # jobs that wait or run: some minutes of work on two cores

OnStart = Callable[[str], None]  # is called with the name of every stage that begins


class Ended(Exception):
    """Nobody waits for this job any more, or the page has ended."""


class Job:
    """A reconstruction that waits for its turn, runs or has finished."""

    def __init__(self, jobs: "Jobs", work: Callable[[OnStart], Any]) -> None:
        """work: does the reconstruction; it calls its argument whenever a stage begins."""
        self._jobs, self._work, self._left = jobs, work, threading.Event()
        self.stages: list[str] = []  # that have begun
        self.future: concurrent.futures.Future[Any]  # set by Jobs.start

    def run(self) -> Any:
        """Do the work; called by the thread of the queue."""
        try:
            self._stop_if_left()
            with stopped_by(self._stop_if_left):
                return self._work(self.on_start)
        finally:
            self._jobs.remove(self)

    def on_start(self, stage: str) -> None:
        """Note that a stage begins. Raises Ended, which ends the work, if nobody waits any more."""
        self._stop_if_left()
        self.stages.append(stage)

    def _stop_if_left(self) -> None:
        if self._left.is_set():
            raise Ended

    def stop(self) -> None:
        """End the work, if it runs at its next stage or check_stop()."""
        self._left.set()

    def before(self) -> int:
        """Number of jobs that come before this one."""
        return self._jobs.before(self)

    def done(self, seconds: float) -> bool:
        """Wait for at most so many seconds; whether the job has finished."""
        return bool(concurrent.futures.wait([self.future], seconds).done)

    def result(self) -> Any:
        """The result of the work of a finished job, or its error; Ended if it never began."""
        try:
            return self.future.result()
        except concurrent.futures.CancelledError:
            raise Ended from None

    def leave(self, folder: str | os.PathLike[str]) -> None:
        """Stop waiting for the job: its work ends and its folder is removed."""
        self.stop()
        if self.future.cancel():
            self._jobs.remove(self)
        self.future.add_done_callback(lambda _: shutil.rmtree(folder, ignore_errors=True))


class Jobs:
    """Runs jobs one after another in a thread of its own."""

    def __init__(self) -> None:
        self._pool = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="reconstruction")
        self._unfinished: list[Job] = []  # in order of arrival
        self._lock = threading.Lock()

    def start(self, work: Callable[[OnStart], Any]) -> Job:
        """Queue the work, as Job takes it; UserError if too many jobs wait already."""
        job = Job(self, work)
        with self._lock:
            if len(self._unfinished) >= MOST:
                raise UserError(f"{len(self._unfinished)} images are waiting already: try again in a minute")
            try:
                job.future = self._pool.submit(job.run)
            except RuntimeError:  # after close()
                raise UserError("the page has ended: start it again") from None
            self._unfinished.append(job)
        return job

    def before(self, job: Job) -> int:
        """Number of jobs that come before `job`; 0 if it runs or has finished."""
        with self._lock:
            return self._unfinished.index(job) if job in self._unfinished else 0

    def remove(self, job: Job) -> None:
        """Take a job that has finished, or will not run, out of the queue."""
        with self._lock:
            if job in self._unfinished:
                self._unfinished.remove(job)

    def close(self) -> None:
        """Give up all jobs. The one that runs ends as after stop()."""
        with self._lock:
            unfinished = list(self._unfinished)
        for job in unfinished:
            job.stop()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def wait(self, seconds: float) -> bool:
        """After close(), wait until nothing runs any more: a job could still write files.

        Returns whether that was so within so many seconds.
        """
        with self._lock:
            running = [job.future for job in self._unfinished if not job.future.cancelled()]
        if concurrent.futures.wait(running, seconds).not_done:
            return False
        self._pool.shutdown(wait=True)
        return True


class Folders:
    """The page's private folder, whose parts are

    requests   a folder for every reconstruction
    cache      the files that Gradio keeps: uploads, and copies of what it shows
    examples   copies of the examples, because Gradio shows files of this folder only
    """

    def __init__(self, root: str | os.PathLike[str], age: float) -> None:
        """root: an empty folder. age: seconds after which files of visitors are removed."""
        self.root, self._age, self._closed = pathlib.Path(root), age, threading.Event()
        self.requests, self.cache, self.examples = (self.root / name for name in ("requests", "cache", "examples"))
        for folder in (self.requests, self.cache, self.examples):
            folder.mkdir()
        self._kept: set[pathlib.Path] = set()

    def keep(self) -> None:
        """Never remove the files that are in the cache now, such as the page's own images."""
        self._kept = {path for path in self.cache.rglob("*") if path.is_file()}

    def full(self) -> bool:
        """Whether there are as many uploads, or bytes of them, as the page keeps."""
        count = size = 0
        for path in self.cache.rglob("*"):
            with contextlib.suppress(OSError):  # removed meanwhile
                if path.is_file() and path not in self._kept:
                    count, size = count + 1, size + path.stat().st_size
        return count >= MOST_UPLOADS or size >= MOST_BYTES

    def sweep(self) -> None:
        """Remove everything older than the age.

        Gradio's own clearing leaves folders, and uploads that no event received.
        """
        for top in (self.requests, self.cache):
            for path in sorted(top.rglob("*"), reverse=True):  # the content of a folder comes before the folder
                if path in self._kept or not _is_older(path, self._age):
                    continue
                with contextlib.suppress(OSError):  # a folder that is not empty, or removed already
                    path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()

    def sweep_regularly(self, seconds: float) -> None:
        """Start a thread that sweeps every so many seconds until close()."""

        def loop() -> None:
            while not self._closed.wait(seconds):
                self.sweep()

        threading.Thread(target=loop, daemon=True).start()

    def close(self) -> None:
        """Stop sweeping and remove the folder."""
        self._closed.set()
        for _ in range(3):  # a job that ends, or Gradio, may still write into it
            shutil.rmtree(self.root, ignore_errors=True)
            if not self.root.exists():
                break
            time.sleep(0.2)


def _is_older(path: pathlib.Path, age: float) -> bool:
    """Whether a file has been here for more than `age` seconds.

    The time of creation counts: a copy keeps the modification time of its original.
    """
    try:
        return time.time() - os.lstat(path).st_ctime > age
    except OSError:
        return False
