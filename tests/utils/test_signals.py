"""Signals that ask a command to end."""

import signal
import threading

import pytest

from utils import signals


@pytest.mark.parametrize("number", signals.STOPS)
def test_signals_end_a_block_like_an_interrupt_and_are_restored(number):
    previous = signal.signal(number, signal.SIG_DFL)  # the tests may run under nohup
    cleaned = []
    try:
        with pytest.raises(KeyboardInterrupt) as caught, signals.stopped_by_signals():
            try:
                signal.raise_signal(number)
            finally:
                signal.raise_signal(number)  # a second one does not cut the clean-up short
                cleaned.append(number)
        assert caught.value.number == number and caught.value.code == 128 + number and cleaned == [number]
        assert signal.getsignal(number) == signal.SIG_DFL
    finally:
        signal.signal(number, previous)


def test_a_signal_that_the_starter_ignores_stays_ignored():
    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with signals.stopped_by_signals():
            signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, previous)


@pytest.fixture
def default_handlers():
    """Python's own of Ctrl-C, and those of a command; the tests may run under nohup."""
    numbers = (signal.SIGINT, *signals.STOPS)
    previous = {number: signal.signal(number, signal.SIG_DFL) for number in numbers}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with signals.stopped_by_signals():
        yield
    for number, handler in previous.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, *signals.STOPS])
def test_the_first_stop_waits_for_the_end_of_the_block(number, default_handlers, capfd):
    handler, seen = signal.getsignal(number), []
    with pytest.raises(KeyboardInterrupt) as caught, signals.stops_held_back("soon") as wanted:
        seen.append(wanted())
        signal.raise_signal(number)
        seen.append(wanted())
    assert seen == [False, True] and capfd.readouterr().err == "\nsoon\n"
    assert getattr(caught.value, "number", signal.SIGINT) == number
    assert number != signal.SIGINT or signal.getsignal(number) is handler


@pytest.mark.parametrize("first", [signal.SIGINT, *signals.STOPS])
@pytest.mark.parametrize("second", [signal.SIGINT, *signals.STOPS])
def test_the_second_stop_ends_the_block(first, second, default_handlers):
    with pytest.raises(KeyboardInterrupt) as caught, signals.stops_held_back("soon"):
        signal.raise_signal(first)
        signal.raise_signal(second)
        pytest.fail("goes on")
    assert getattr(caught.value, "number", signal.SIGINT) == second


def test_without_a_stop_nothing_changes(default_handlers):
    before = [signal.getsignal(number) for number in (signal.SIGINT, *signals.STOPS)]
    with signals.stops_held_back("soon") as wanted:
        assert not wanted()
    with pytest.raises(ValueError, match="own error"), signals.stops_held_back("soon"):
        raise ValueError("own error")
    assert [signal.getsignal(number) for number in (signal.SIGINT, *signals.STOPS)] == before


def test_other_threads_hold_nothing_back():
    found = []

    def work():
        with signals.stops_held_back("soon") as wanted:
            found.append(wanted())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [False]
