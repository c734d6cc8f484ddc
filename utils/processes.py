"""What every worker process does first."""

import multiprocessing
import os
import signal
import threading

from utils.memory import keep_freed_memory


def start_worker():
    """An interrupt is the parent's to handle; a worker whose parent was killed ends."""
    keep_freed_memory()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()
