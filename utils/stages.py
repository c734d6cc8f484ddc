"""The named stages of a long job: their time, a callback when one begins, stops in their midst."""

import contextlib
import contextvars
import time
from collections.abc import Callable, Iterator

_check: contextvars.ContextVar[Callable[[], None]] = contextvars.ContextVar("check", default=lambda: None)


@contextlib.contextmanager
def stopped_by(check: Callable[[], None]) -> Iterator[None]:
    """In the block, and in this thread, check_stop() calls `check`, which may raise an error."""
    token = _check.set(check)
    try:
        yield
    finally:
        _check.reset(token)


def check_stop() -> None:
    """Long loops call this several times a second: it raises an error where the job is to end."""
    _check.get()()


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
