"""One reconstruction at a time, in the order of asking; and the files of a page, which go away."""

import concurrent.futures
import contextlib
import os
import pathlib
import shutil
import threading
import time

from utils.errors import UserError

MOST = 10  # jobs that wait or run: some minutes of work on two cores


class Ended(Exception):
    """Nobody waits for this job any more, or the page has ended."""


class Job:
    """A reconstruction that waits for its turn, runs or is over. Its work is a function that gets `tell`."""

    def __init__(self, jobs, work):
        self._jobs, self._work, self._left = jobs, work, threading.Event()
        self.stages = []  # that have begun
        self.future = None

    def run(self):
        try:
            self.tell()
            return self._work(self.tell)
        finally:
            self._jobs.over(self)

    def tell(self, stage=None):
        """Called when a stage begins; stops the work here if nobody waits for it any more."""
        if self._left.is_set():
            raise Ended
        if stage is not None:
            self.stages.append(stage)

    def before(self):
        """How many jobs come before this one."""
        return self._jobs.before(self)

    def done(self, seconds):
        """Whether it is over, within so many seconds."""
        return bool(concurrent.futures.wait([self.future], seconds).done)

    def result(self):
        """What the work returned, or its error; of a job that is over."""
        try:
            return self.future.result()
        except concurrent.futures.CancelledError:
            raise Ended from None

    def leave(self, folder):
        """Nobody waits any more: the work ends, at its next stage if it runs, and its folder goes."""
        self._left.set()
        if self.future.cancel():
            self._jobs.over(self)
        self.future.add_done_callback(lambda _: shutil.rmtree(folder, ignore_errors=True))


class Jobs:
    """Runs jobs one after the other in a thread of its own."""

    def __init__(self):
        self._pool = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="reconstruction")
        self._open, self._lock = [], threading.Lock()

    def start(self, work):
        """work: a function of a function tell(stage). -> Job. UserError where too many wait already."""
        job = Job(self, work)
        with self._lock:
            if len(self._open) >= MOST:
                raise UserError(f"{len(self._open)} pictures are waiting already: try again in a minute")
            self._open.append(job)
            job.future = self._pool.submit(job.run)
        return job

    def before(self, job):
        with self._lock:
            return self._open.index(job) if job in self._open else 0

    def over(self, job):
        with self._lock:
            if job in self._open:
                self._open.remove(job)

    def close(self):
        """Give up all jobs: that which runs ends at its next stage."""
        with self._lock:
            jobs = list(self._open)
        for job in jobs:
            job._left.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def wait(self):
        """Until nothing runs any more, after close(): it could still make files."""
        self._pool.shutdown(wait=True)


class Folders:
    """A private folder: `requests` with a folder for every reconstruction, `cache` with what Gradio keeps (uploads and what it shows),
    `examples` with copies of the examples, which Gradio would not show from anywhere."""

    def __init__(self, root, age):
        """age: seconds after which files of visitors go away."""
        self.root, self._age, self._closed = pathlib.Path(root), age, threading.Event()
        self.requests, self.cache, self.examples = (self.root / name for name in ("requests", "cache", "examples"))
        for folder in (self.requests, self.cache, self.examples):
            folder.mkdir()
        self._own = set()

    def keep(self):
        """What is in the cache now, such as the page's own pictures, stays for ever."""
        self._own = {path for path in self.cache.rglob("*") if path.is_file()}

    def sweep(self):
        """Remove what is older than the age: Gradio's own clearing leaves folders, and files that no event got."""
        for top in (self.requests, self.cache):
            for path in sorted(top.rglob("*"), reverse=True):  # what is in a folder comes before it
                if path in self._own or not _older(path, self._age):
                    continue
                with contextlib.suppress(OSError):  # a folder with something in it, or gone already
                    path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()

    def sweep_for_ever(self, every):
        """Start a thread that sweeps every so many seconds until close()."""

        def loop():
            while not self._closed.wait(every):
                self.sweep()

        threading.Thread(target=loop, daemon=True).start()

    def close(self):
        self._closed.set()
        for _ in range(3):  # a job that ends, or Gradio, may still write into it
            shutil.rmtree(self.root, ignore_errors=True)
            if not self.root.exists():
                break
            time.sleep(0.2)


def _older(path, age):
    """By the time at which it came here: a copy has the modification time of what it was copied from."""
    try:
        return time.time() - os.lstat(path).st_ctime > age
    except OSError:
        return False
