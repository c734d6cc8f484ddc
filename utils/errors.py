"""Errors that a user can act on, and how any error becomes one line."""

import contextlib
import errno
import os
import sys
import traceback
from collections.abc import Iterator, Sequence

DEBUG = "TEXDISN_DEBUG"  # environment variable that --debug sets; worker processes inherit it


class UserError(Exception):
    """A mistake in the input or the settings.

    The message is one line: what is wrong, in which file, what to do.
    """


class PartialFailure(UserError):
    """The run finished, but some inputs were left out (each was reported); exit code 3."""


class StorageError(OSError):
    """Nothing more can be written: the disk is full, or the folder is read-only.

    It ends a run over many inputs, since none of the others could be written either.
    """


STORAGE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)  # errors of writing that concern all files


@contextlib.contextmanager
def writing(path: object) -> Iterator[None]:
    """Turn errors of the disk in the block into a StorageError that names the file `path`."""
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        if error.errno in STORAGE:
            raise StorageError(f"{path} cannot be written: {os.strerror(error.errno)}") from None
        raise


def reason_of(error: Exception, source: object = None) -> str:
    """One line that says why one input of many was left out.

    For every place that catches all exceptions, so that one strange input does not end the run
    over the others. When the command runs with --debug, the traceback of anything but a UserError
    goes to stderr, also from a worker process. Errors of the disk are raised again: no other input
    could be written either.

    Args:
        error: the exception that was caught.
        source: the input, such as its path. The line begins with it unless the error names it.

    Raises:
        StorageError: the error is one of the disk.
    """
    if isinstance(error, OSError) and not isinstance(error, StorageError) and error.errno in STORAGE:
        raise StorageError(f"{error.filename or source}: cannot be written: {os.strerror(error.errno)}") from None
    if isinstance(error, StorageError):
        raise error
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
