"""The named stages of a long job: how long each took, and who is told when one begins."""

import contextlib
import time


class Stages:
    """Times the stages of a reconstruction, and tells whoever wants to know that one begins."""

    def __init__(self, tell=None):
        self.seconds, self._tell = {}, tell

    @contextlib.contextmanager
    def __call__(self, name):
        if self._tell:
            self._tell(name)
        start = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - start, 3)
