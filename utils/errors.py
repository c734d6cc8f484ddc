"""Errors that a user can do something about: one line each, no traceback."""


class UserError(Exception):
    """A mistake in the input or the settings: what is wrong, in which file, what to do, in one line."""


class PartialFailure(UserError):
    """The run finished, but some inputs were left out (each was reported); exit code 3."""
