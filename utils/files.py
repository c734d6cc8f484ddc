"""Files and folders that are complete or absent, their names, JSON, checks of output folders."""

import contextlib
import hashlib
import json
import math
import os
import pathlib
import re
import shutil
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from utils.errors import UserError, writing
from utils.links import check_links

Path = str | os.PathLike[str]
LONGEST = 100  # characters of a value in a message
TEMPORARY = re.compile(r"\..*\.\d+\.texdisn-tmp(\..*)?", re.DOTALL)  # names of what is being written
LFS = b"version https://git-lfs"  # the beginning of a pointer of Git LFS


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[pathlib.Path]:
    """Yield a temporary path beside `path`, which replaces `path` when the block succeeds.

    The temporary name keeps the suffix, because writers choose the format by it. It contains the
    process id, so that two processes never write to the same file. After an error it is removed.

    Raises:
        StorageError: the disk is full or read-only.
        UserError: there is a folder at `path`, or a file where its folder should be.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        raise UserError(f"{path} cannot be written: it is a folder; give the name of a file")
    with writing(path), _folders_for(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path.parent, path.stem, path.suffix)
    try:
        with writing(path):
            yield temporary
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_folder(path: Path) -> Iterator[pathlib.Path]:
    """Yield a new temporary folder beside `path`, which replaces `path` when the block succeeds.

    `path` must be absent or an empty folder. Errors are those of `replacing`.
    """
    path = pathlib.Path(path)
    with temporary_folder(path.parent, path.name) as temporary:
        yield temporary
        os.replace(temporary, path)


@contextlib.contextmanager
def temporary_folder(parent: Path, name: str) -> Iterator[pathlib.Path]:
    """Yield a new folder in `parent`, which is made; it is removed after the block.

    Errors are those of `replacing`.
    """
    temporary = _temporary(pathlib.Path(parent), name, "")
    try:
        with writing(pathlib.Path(parent) / name):
            with _folders_for(temporary.with_name(name)):
                temporary.mkdir(parents=True)
            yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def _folders_for(path: pathlib.Path) -> Iterator[None]:
    """UserError that names the file or broken link which is where a folder for `path` is to be."""
    try:
        yield
    except OSError:
        check_links(path.parent, f"{path} cannot be written")
        existing = next(folder for folder in path.absolute().parents if folder.exists())
        if existing.is_dir():
            raise
        raise UserError(f"{path} cannot be written: {existing} is a file, not a folder") from None


def _temporary(folder: pathlib.Path, stem: str, suffix: str) -> pathlib.Path:
    """Where this process writes a file or folder before it is whole.

    What processes that were killed left of the same one is removed. Many commands write a single
    file into a folder of others, which none of them can hold (utils/out_folder.py).
    """
    name = re.compile(re.escape(f".{stem}.") + r"(\d+)" + re.escape(f".texdisn-tmp{suffix}"))
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            match = name.fullmatch(entry.name)
            if match and not _is_another(int(match[1])):
                remove(entry)
    return folder / f".{stem}.{os.getpid()}.texdisn-tmp{suffix}"


def _is_another(process: int) -> bool:
    """Whether an id is that of another process that lives."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return process != os.getpid()  # after a restart of the computer, or of a container, ids come again


def remove(entry: os.DirEntry[str]) -> None:
    """Remove a half-written file or folder, as far as that is possible."""
    if entry.is_dir(follow_symlinks=False):
        shutil.rmtree(entry.path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            os.unlink(entry.path)


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, in hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, completely or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n")


def read_json(path: Path, advice: str = "") -> Any:
    """Read a JSON file, in any encoding of Unicode.

    UserError if it is missing or not JSON; `advice` ends it, such as "; delete it".
    """
    try:
        return json.loads(pathlib.Path(path).read_bytes())  # of bytes it finds the encoding, by their mark too
    except FileNotFoundError:
        raise UserError(f"{path} is missing") from None
    except (ValueError, OSError, RecursionError) as error:
        raise UserError(f"{path} cannot be read as JSON: {error}{advice}") from None


def read_json_object(path: Path, content: str, advice: str = "") -> dict[str, Any]:
    """Read a JSON object, which holds `content`; UserError, as of read_json, for anything else."""
    value = read_json(path, advice)
    if not isinstance(value, dict):
        raise UserError(f"{path} is damaged: it holds no {content} (no JSON object){advice}")
    return value


def is_number(value: Any) -> bool:
    """Whether a value of a JSON file is a finite number."""
    with contextlib.suppress(OverflowError):  # whole numbers without end
        return type(value) in (int, float) and math.isfinite(value)
    return False


def is_lfs_pointer(path: Path) -> bool:
    """Whether a file is the text that stands for a large file in a clone without Git LFS."""
    try:
        with open(path, "rb") as file:
            return file.read(len(LFS)) == LFS
    except OSError:
        return False


def natural(text: str) -> list[int | str]:
    """Sort key that puts '2' before '10'."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", text)]


def distinct_names(names: Sequence[str]) -> list[str]:
    """Names of files or folders, numbered where several are one.

    A number is never that of another name: a, a and a_2 become a, a_3 and a_2. Names that a file
    system may take for one (upper and lower case, composed and decomposed accents) count as one.
    """
    taken, given, result = {folded(name) for name in names}, set(), []
    for name in names:
        unique, number = name, 2
        if folded(name) in given:
            while folded(unique := f"{name}_{number}") in taken:
                number += 1
        given.add(folded(unique))
        taken.add(folded(unique))
        result.append(unique)
    return result


def folded(name: str) -> str:
    """A name as a file system that ignores case and forms of accents (macOS) compares it."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def differing_settings(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """The settings in which stored results differ from those that are wanted now.

    Args:
        stored: the settings that the results were made with.
        wanted: the present settings. A key that only one of the two has counts as None in the
            other.

    Returns:
        Phrases such as "seed 0 (now 5)", sorted by key; empty where the settings agree.
    """
    keys = [key for key in sorted({*stored, *wanted}) if stored.get(key) != wanted.get(key)]

    def text(value: Any) -> str:
        return words if len(words := str(value)) <= LONGEST else f"{words[:LONGEST]} ..."

    return [f"{text(key)} {text(stored.get(key))} (now {text(wanted.get(key))})" for key in keys]


def check_out(folder: Path) -> None:
    """UserError if files cannot be written to `folder`, which need not exist. Creates nothing."""
    folder = pathlib.Path(folder)
    check_links(folder, f"output folder {folder}")
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not existing.is_dir():
        raise UserError(f"output folder {folder}: {existing} is a file, not a folder")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise UserError(f"output folder {folder} cannot be written to: no permission in {existing}")
