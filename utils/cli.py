"""The behaviour that all commands share: their parser, one-line errors and exit codes."""

import argparse
import contextlib
import io
import math
import operator
import os
import re
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from utils.errors import DEBUG, PartialFailure, UserError
from utils.processes import keep_freed_memory
from utils.quiet import start_tensorflow_quietly
from utils.signals import Stopped, stopped_by_signals

LONGEST = 1000  # characters of a message about flags
PARTIAL_FAILURE = 3  # exit code of a run that finished but left some inputs out
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "at least": operator.ge,
    "at most": operator.le,
    "above": operator.gt,
    "below": operator.lt,
}

Number = TypeVar("Number", int, float)


class _Formatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Keeps a script's docstring as it is written and shows the defaults of flags that have one, as
    they would be typed.
    """

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default is None or action.default in ("", (), []):
            return action.help
        if isinstance(action.default, list):
            words = (f"{value:g}" if isinstance(value, float) else str(value) for value in action.default)
            return f"{action.help} (default: {' '.join(words)})"
        return super()._get_help_string(action)


class Parser(argparse.ArgumentParser):
    """Raises a UserError for wrong flags; argparse would print the usage and exit."""

    def error(self, message: str) -> NoReturn:
        text = " ".join(message.split())  # words of the command line may hold anything
        raise UserError(f"{text if len(text) <= LONGEST else f'{text[:LONGEST]} ...'}; see --help")


def parser(doc: str | None) -> argparse.ArgumentParser:
    """An argument parser whose help starts with the script's docstring `doc`.

    Wrong values and unknown or missing flags raise UserError. Flags cannot be abbreviated.
    """
    result = Parser(description=doc, formatter_class=_Formatter, allow_abbrev=False)
    # values such as -30,20 are no flags; argparse itself knows single numbers
    result._negative_number_matcher = re.compile(r"-[\d.][\d.,eE+-]*")
    result.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return result


class _OlderSwitch(argparse.BooleanOptionalAction):
    """A switch of earlier versions that stands for two values of a present flag."""

    values: tuple[str, str] = ("", "")  # of the switch on, and off

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        setattr(namespace, self.dest, self.values[(option_string or "").startswith("--no-")])


def older_switch(parser: argparse.ArgumentParser, switch: str, name: str, on: str, off: str) -> None:
    """Keep a switch (--switch, --no-switch) of earlier versions as an alias of a present flag.

    Args:
        parser: the parser, which has the present flag.
        switch: the switch.
        name: of the present flag, without its hyphens.
        on, off: the values of that flag that the switch stands for.
    """
    help = f"--{name} {on}; --no- is --{name} {off}"
    action = parser.add_argument(switch, dest=name, action=_OlderSwitch, default=argparse.SUPPRESS, help=help)
    assert isinstance(action, _OlderSwitch)
    action.values = (on, off)


def whole_number(least: int | None = None, most: int | None = None) -> Callable[[str], int]:
    """A `type` for add_argument: a whole number from `least` to `most`, both included."""
    return _number_type(int, "a whole number", {"at least": least, "at most": most})


def real_number(
    least: float | None = None,
    most: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> Callable[[str], float]:
    """A `type` for add_argument: a finite number.

    Args:
        least: the smallest value that is accepted.
        most: the largest value that is accepted.
        above: an excluded lower bound.
        below: an excluded upper bound.
    """
    return _number_type(float, "a number", {"at least": least, "above": above, "at most": most, "below": below})


def numbers_list(number: Callable[[str], Number]) -> Callable[[str], tuple[Number, ...]]:
    """A `type` for add_argument: numbers separated by commas, as a tuple.

    Args:
        number: the `type` of one of them, such as whole_number(0).
    """
    return lambda text: tuple(number(part) for part in text.split(","))


def _number_type(kind: type[Number], description: str, bounds: dict[str, float | None]) -> Callable[[str], Number]:
    """A converter from the text of a flag to a finite number that fulfils `bounds`."""
    limits = {words: bound for words, bound in bounds.items() if bound is not None}
    text_of_limits = ", ".join(f"{words} {bound}" for words, bound in limits.items())
    expected = f"{description} ({text_of_limits})" if limits else description

    def convert(text: str) -> Number:
        with contextlib.suppress(ValueError, OverflowError):
            value = kind(text)
            if math.isfinite(value) and all(COMPARISONS[words](value, bound) for words, bound in limits.items()):
                return value
        raise argparse.ArgumentTypeError(f"{text!r} is not {expected}")

    return convert


def run(main: Callable[[list[str]], Any], resumes: bool = True) -> None:
    """Call main(argv); on an error print one line and exit: 3 for PartialFailure, 1 for others.

    An interrupt exits with 130, SIGTERM with 143, SIGHUP with 129. With --debug, errors show their
    tracebacks, also those that a worker process would report in one line.

    Args:
        main: the command.
        resumes: whether the same command, run again, keeps what an interrupted one has done.
    """
    argv = sys.argv[1:]
    debug = "--debug" in argv
    if debug:
        os.environ[DEBUG] = "1"  # worker processes inherit it
    keep_freed_memory()
    start_tensorflow_quietly()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # file names may hold what its encoding lacks
            stream.reconfigure(errors="backslashreplace")
    try:
        with stopped_by_signals():
            main(argv)
    except BrokenPipeError:  # the reader of the output (head, less) has exited
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except (UserError, OSError) as error:  # OSError: a folder that is a file, no permission, a full disk
        if debug:
            raise
        print(f"error: {error}", file=sys.stderr)
        sys.exit(PARTIAL_FAILURE if isinstance(error, PartialFailure) else 1)
    except KeyboardInterrupt as error:
        code = error.code if isinstance(error, Stopped) else 130
        word = f"stopped by {signal.Signals(error.number).name}" if isinstance(error, Stopped) else "interrupted"
        with contextlib.suppress(OSError):  # after SIGHUP the terminal is gone
            again = "run the same command again to resume" if resumes else "the same command begins anew"
            print(f"{word}; {again}", file=sys.stderr)
        sys.exit(code)
