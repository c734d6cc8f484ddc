"""Worker processes, memory: what every command and every worker does first, work shared out over processes."""

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
from concurrent.futures.process import BrokenProcessPool


def start_worker():
    """An interrupt is the parent's to handle; a worker whose parent was killed ends."""
    keep_freed_memory()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()


M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc


LARGEST = 1 << 30  # bytes: larger blocks still come from the system and go back to it


def keep_freed_memory():
    """Let glibc reuse large blocks. By default each is mapped anew, and its pages are cleared and faulted in one by one.

    Rendering, which makes and drops many arrays of some megabytes, spends much of its time there. Elsewhere than on glibc
    nothing is done.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGEST)
        mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)


def available():
    """Bytes that this process can still take: what the system has free, or a container's limit where that is less."""
    try:
        lines = pathlib.Path("/proc/meminfo").read_text().splitlines()
        free = next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):  # not Linux: half of what is built in
        free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    group = pathlib.Path("/sys/fs/cgroup")
    with contextlib.suppress(OSError, ValueError):  # no container, or one without a limit ("max")
        free = min(free, int((group / "memory.max").read_text()) - int((group / "memory.current").read_text()))
    return max(free, 0)


def in_processes(function, tasks, jobs):
    """Yield (task, function(task)) as they are done, `jobs` at once, each in a process of its own.

    Where a process dies, those that were at work are tried again one by one, and the one that kills its process
    again gives ([], reason).
    """
    tasks, suspects = collections.deque(tasks), collections.deque()
    while tasks or suspects:
        queue, count = (suspects, 1) if suspects else (tasks, jobs)
        running = {}
        context = multiprocessing.get_context("spawn")  # forked copies of threaded libraries may hang
        try:
            with concurrent.futures.ProcessPoolExecutor(count, context, start_worker) as pool:
                while queue or running:
                    while queue and len(running) < count:
                        running[pool.submit(function, queue[0])] = queue[0]  # this may find the pool broken:
                        queue.popleft()  # only now is the task taken
                    for future in concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED).done:
                        yield running[future], future.result()
                        del running[future]
        except BrokenProcessPool:
            if queue is suspects:
                yield from (
                    (task, ([], f"{task.mesh}: the process died (out of memory?)")) for task in running.values()
                )
            else:
                suspects.extend(running.values())
