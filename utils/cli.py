"""What every command does alike: its parser, its one-line errors, its exit code."""

import argparse
import os
import sys

from utils.errors import PartialFailure, UserError
from utils.processes import keep_freed_memory

PARTIAL_FAILURE = 3  # exit code of a run that finished but had to leave something out


class _Formatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Keeps a script's docstring as it is written and shows the defaults of its flags, where they have one."""

    def _get_help_string(self, action):
        return action.help if action.default is None else super()._get_help_string(action)


def parser(doc):
    """An argument parser whose help starts with the script's docstring; unknown flags are errors."""
    result = argparse.ArgumentParser(description=doc, formatter_class=_Formatter, allow_abbrev=False)
    result.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return result


def run(main):
    """Call main(argv) and exit: 0, 3 for PartialFailure, 1 for another UserError, 130 for an interrupt."""
    argv = sys.argv[1:]
    keep_freed_memory()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's start-up notes are not ours
    try:
        main(argv)
    except UserError as error:
        if "--debug" in argv:
            raise
        print(f"error: {error}", file=sys.stderr)
        sys.exit(PARTIAL_FAILURE if isinstance(error, PartialFailure) else 1)
    except BrokenPipeError:  # the reader of our output (head, less) has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:  # a folder that is a file, no right to write, a full disk
        if "--debug" in argv:
            raise
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        sys.exit(130)
