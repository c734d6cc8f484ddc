"""The folder that --out names, looked at before any work is done."""

import os
import pathlib

from utils.cli import UserError


def check_out(folder):
    """UserError if `folder` cannot be written to: it, or one above it, is a file or not ours to write. Creates nothing."""
    folder = pathlib.Path(folder)
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    if not there.is_dir():
        raise UserError(f"--out {folder}: {there} is a file, not a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UserError(f"--out {folder} cannot be written to: no permission in {there}")
