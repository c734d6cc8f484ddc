"""Signals that ask a command to end: Ctrl-C, SIGTERM and SIGHUP."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

STOPS = (signal.SIGTERM, signal.SIGHUP)


class Stopped(KeyboardInterrupt):
    """The process was asked to end, as by Ctrl-C, by the signal `number`."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
        self.code = 128 + number  # exit code by the custom of shells


def _stop(number: int, _: object) -> NoReturn:
    """Handle a signal: raise Stopped once; the same signals during the clean-up are ignored."""
    for other in STOPS:
        signal.signal(other, signal.SIG_IGN)
    raise Stopped(number)


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP raise Stopped in the block.

    One that the starter of the process had ignored (nohup) stays ignored.
    """
    previous = {number: signal.getsignal(number) for number in STOPS}
    for number, handler in previous.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, _stop)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def stops_held_back(notice: str) -> Iterator[Callable[[], bool]]:
    """The first signal that asks to end waits until the block is over; the next one does not.

    The block asks whether there is one, and then ends soon. Other threads than the main one get no
    signals: there, nothing is held back.

    Args:
        notice: what to tell the user when the first one comes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    handlers: dict[int, Any] = {number: signal.getsignal(number) for number in (signal.SIGINT, *STOPS)}
    handlers = {number: handler for number, handler in handlers.items() if callable(handler)}
    held: list[int] = []

    def hold(number: int, _: object) -> None:
        held.append(number)
        give_back()
        with contextlib.suppress(OSError):  # after SIGHUP the terminal is gone
            os.write(2, f"\n{notice}\n".encode())  # print may be at work just now

    def give_back() -> None:
        for number, handler in handlers.items():
            signal.signal(number, handler)

    for number in handlers:
        signal.signal(number, hold)
    try:
        yield lambda: bool(held)
    finally:
        if not held:
            give_back()
    if held:
        handlers[held[0]](held[0], None)
