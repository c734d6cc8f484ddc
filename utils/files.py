"""Files that are either whole or absent."""

import contextlib
import json
import os
import pathlib
import shutil

from utils.errors import UserError


@contextlib.contextmanager
def replacing(path):
    """Give a temporary path beside `path`; it takes the place of `path` when the block ends well.

    The temporary name keeps the suffix (writers choose the format by it) and carries the process id,
    so that two processes never write to the same one. After an error it is removed.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_folder(path):
    """Give a new temporary folder beside `path`; it takes the place of `path` (absent or empty) when the block ends well."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.mkdir()
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_json(path, value):
    """Write `value` as indented JSON, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n")


def read_json(path):
    """Read a JSON file; UserError if it is missing or not JSON."""
    try:
        return json.loads(pathlib.Path(path).read_text())
    except FileNotFoundError:
        raise UserError(f"{path} is missing") from None
    except (ValueError, OSError) as error:
        raise UserError(f"{path} cannot be read as JSON: {error}") from None


def check_out(folder):
    """UserError if `folder` cannot be written to: it, or one above it, is a file or not ours to write. Creates nothing."""
    folder = pathlib.Path(folder)
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    if not there.is_dir():
        raise UserError(f"--out {folder}: {there} is a file, not a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UserError(f"--out {folder} cannot be written to: no permission in {there}")
