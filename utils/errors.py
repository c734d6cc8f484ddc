"""Errors that a user can act on, and how any error becomes one line."""

import os
import sys
import traceback
from collections.abc import Sequence

DEBUG = "TEXDISN_DEBUG"  # environment variable that --debug sets; worker processes inherit it


class UserError(Exception):
    """A mistake in the input or the settings.

    The message is one line: what is wrong, in which file, what to do.
    """


class PartialFailure(UserError):
    """The run finished, but some inputs were left out (each was reported); exit code 3."""


def reason_of(error: Exception, source: object = None) -> str:
    """One line that says why one input of many was left out.

    For every place that catches all exceptions, so that one strange input does not end the run
    over the others. When the command runs with --debug, the traceback of anything but a UserError
    goes to stderr, also from a worker process.

    Args:
        error: the exception that was caught.
        source: the input, such as its path. The line begins with it unless the error names it.
    """
    if isinstance(error, UserError):
        reason = str(error)
    else:
        if os.environ.get(DEBUG):
            traceback.print_exception(error, file=sys.stderr)
        reason = " ".join(f"{type(error).__name__}: {error}".splitlines())
    return reason if source is None or str(source) in reason else f"{source}: {reason}"


def first_of(problems: Sequence[str], count: int = 8) -> str:
    """The first `count` problems in one line, and how many more there are."""
    more = [f"and {len(problems) - count} more"] if len(problems) > count else []
    return "; ".join([*problems[:count], *more])
