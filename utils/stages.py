"""Timing of the named stages of a long job, with a callback when a stage begins."""

import contextlib
import time
from collections.abc import Callable, Iterator


class Stages:
    """Times the stages of a reconstruction: `with stages("mask"): ...`.

    Attributes:
        seconds: {name of a finished stage: its duration in seconds}.
    """

    def __init__(self, on_start: Callable[[str], object] | None = None) -> None:
        """on_start: called with the name of every stage that begins."""
        self.seconds: dict[str, float] = {}
        self._on_start = on_start

    @contextlib.contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        if self._on_start:
            self._on_start(name)
        start = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - start, 3)
