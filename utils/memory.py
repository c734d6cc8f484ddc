"""Keep freed memory in the process instead of returning it to the system after every large array."""

import ctypes
import sys

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
