"""Worker processes and memory: their set-up, how much memory is free, distributing tasks."""

import collections
import concurrent.futures
import contextlib
import ctypes
import multiprocessing
import os
import pathlib
import signal
import sys
import threading
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection
from typing import TypeVar

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
LARGEST_KEPT = 1 << 30  # bytes: larger blocks still come from the system and return to it

DIED = "the process died (out of memory?)"  # what callers report of a task that killed its process

Task = TypeVar("Task")
Result = TypeVar("Result")


def _start_worker(pool_ends: Connection) -> None:
    """Set up a worker process, which ends when its parent does, or the parent's pool."""
    keep_freed_memory()
    threading.Thread(target=_end_with_pool, args=(pool_ends,), daemon=True).start()


def _end_with_pool(pool_ends: Connection) -> None:
    """Wait until the parent closes the other end of the pipe or dies, then end at once."""
    with contextlib.suppress(EOFError, OSError):
        pool_ends.recv_bytes()
    os._exit(1)


def keep_freed_memory() -> None:
    """Let glibc reuse large blocks of memory; does nothing without glibc.

    By default glibc maps each large block anew, so that its pages are cleared and faulted in one
    by one. Rendering makes and drops many arrays of some megabytes and would spend much of its
    time there.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT)
        mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)


def available_memory() -> int:
    """Bytes that this process can still allocate.

    The free memory of the system, or the rest of a container's limit where that is less.
    """
    try:
        lines = pathlib.Path("/proc/meminfo").read_text().splitlines()
        free = next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):  # not Linux: half of the installed memory
        free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    group = pathlib.Path("/sys/fs/cgroup")
    with contextlib.suppress(OSError, ValueError):  # no container, or one without a limit ("max")
        free = min(free, int((group / "memory.max").read_text()) - int((group / "memory.current").read_text()))
    return max(free, 0)


def share_cores(jobs: int) -> None:
    """Give each of `jobs` processes its share of the cores; libraries read this when they start."""
    threads = str(max(1, (os.cpu_count() or 1) // jobs))
    os.environ.setdefault("OMP_NUM_THREADS", threads)
    for name in ("IGL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, os.environ["OMP_NUM_THREADS"])


def ray_threads() -> int:
    """The threads that Open3D's rays and distances take, for `nthreads`; 0: all.

    OMP_NUM_THREADS may name several numbers, of nested levels, or be empty.
    """
    first = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(first) if first.isdecimal() else 0


@contextlib.contextmanager
def _pool(jobs: int) -> Iterator[concurrent.futures.Executor]:
    """A pool of new processes.

    Where an error or an interrupt ends the block, the processes end at once: what they write is
    whole or absent (utils/files.py).
    """
    context = multiprocessing.get_context("spawn")  # forked copies of threaded libraries may hang
    pool_ends, end_pool = context.Pipe(duplex=False)
    pool = concurrent.futures.ProcessPoolExecutor(jobs, context, _start_worker, (pool_ends,))
    try:
        yield pool
    except BaseException:
        # the pool's thread may be reading a result that its process will not finish: no end of the
        # pipe would tell it so while this process holds the other one
        pool._result_queue._writer.close()  # type: ignore[attr-defined]
        end_pool.close()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        end_pool.close()
        pool_ends.close()


def _submit(
    pool: concurrent.futures.Executor, function: Callable[[Task], Result], task: Task
) -> concurrent.futures.Future[Result]:
    """Submit a task; the processes that start for it never receive interrupts themselves."""
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # new processes inherit it
    try:
        return pool.submit(function, task)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)  # an interrupt in between comes now


def run_in_processes(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    jobs: int,
    *,
    died: Callable[[Task], Result],
    ordered: bool = False,
    ahead: int = 1,
    isolate: bool = False,
) -> Generator[tuple[Task, Result], None, None]:
    """Yield (task, function(task)) for every task; `jobs` tasks run at once, each in a process.

    When a process dies, the unfinished tasks are tried again, one at a time. A task that kills its
    process again gets the result died(task), and the other tasks continue in a new pool. Errors
    that `function` raises are raised here. Where an interrupt may reach the caller between two
    results, wrap the call in contextlib.closing: queued tasks are then dropped at once.

    Args:
        function: Called in the processes; it, the tasks and the results are pickled.
        tasks: What `function` is called with.
        jobs: Number of processes. With one job or one task, everything runs in this process.
        died: Gives the result of a task that kills its process, or raises an error.
        ordered: Yield in the order of `tasks` instead of the order in which they finish.
        ahead: Tasks per process that may be queued, running or finished but not yet yielded. It
            bounds the memory; more than one keeps the processes busy while the caller works.
        isolate: Use a process even for one job, so that `died` handles its death.
    """
    if min(jobs, len(tasks)) <= 1 and not isolate:
        for task in tasks:
            yield task, function(task)
        return
    waiting = collections.deque(tasks)
    while waiting:
        futures: dict[concurrent.futures.Future[Result], Task] = {}  # in the order of `tasks`
        with _pool(min(jobs, len(waiting))) as pool, contextlib.suppress(BrokenProcessPool):
            while waiting or futures:
                while waiting and len(futures) < ahead * jobs:
                    future = _submit(pool, function, waiting[0])  # raises where the pool is broken:
                    futures[future] = waiting.popleft()  # the task must still be waiting then
                for future in _next_finished(futures, ordered):
                    result = future.result()
                    yield futures.pop(future), result
        yield from _retry(function, futures, died)


def _next_finished(
    futures: dict[concurrent.futures.Future[Result], Task], ordered: bool
) -> Collection[concurrent.futures.Future[Result]]:
    """The futures to yield next: the first one, or all that are finished (at least one)."""
    if ordered:
        return [next(iter(futures))]
    return concurrent.futures.wait(futures, return_when=concurrent.futures.FIRST_COMPLETED).done


def _retry(
    function: Callable[[Task], Result],
    futures: dict[concurrent.futures.Future[Result], Task],
    died: Callable[[Task], Result],
) -> Iterator[tuple[Task, Result]]:
    """Yield (task, result) of a broken pool's futures; unfinished tasks run again, one by one."""
    with contextlib.ExitStack() as pools:
        pool = None
        for future, task in futures.items():
            try:
                result = future.result()
            except BrokenProcessPool:
                pool = pool or pools.enter_context(_pool(1))
                try:
                    result = _submit(pool, function, task).result()
                except BrokenProcessPool:
                    pool, result = None, died(task)
            yield task, result
