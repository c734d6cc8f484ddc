"""The files of a TF1 checkpoint: which one a path means, and whether they are complete."""

import contextlib
import logging
import os
import pathlib
import re

import tensorflow as tf

from utils.errors import UserError, first_of
from utils.files import LONGEST, is_lfs_pointer

STATE = "checkpoint"  # the file in a folder that names its newest checkpoint
ENDING = re.compile(r"\.(index|meta|data-\d{5}-of-\d{5})$")  # of the files of one checkpoint
OTHER_WEIGHTS = (".h5", ".hdf5", ".keras")


def find(path: str | os.PathLike[str]) -> pathlib.Path | None:
    """Find the prefix of a checkpoint; None if there is none.

    A `checkpoint` file often holds the absolute path of the machine or folder that the checkpoint
    was written to. So the name is looked up in the folder itself first, and elsewhere only then.

    Args:
        path: A folder, with a `checkpoint` file or with the files of one checkpoint only; or a
            prefix (V2: .index and .data-*, V1: one file), or any file of a checkpoint.

    Raises:
        UserError: It is unclear which checkpoint is meant, or a file of it is missing.
    """
    path = pathlib.Path(path)
    if path.name == STATE and path.is_file() and not index_of(path).is_file():
        path = path.parent
    present = _present(path) if path.is_dir() else []
    if not (path / STATE).is_file():
        if len(present) > 1:
            raise UserError(f"{path} holds several TF1 checkpoints and no `{STATE}` file: {_choice(present)}")
        return present[0] if present else _from_prefix(path)
    named = _named(path / STATE)
    if named is None:
        raise UserError(f"{path / STATE} names no checkpoint{f': {_choice(present)}' if present else ''}")
    # Windows' paths too, whose separators are part of the name for other systems
    beside = path / pathlib.PureWindowsPath(named).name
    within = named.is_relative_to(path) and os.pardir not in named.relative_to(path).parts
    candidates = (named, beside) if within else (beside, named)
    for prefix in candidates:
        with contextlib.suppress(OSError):  # too long for a file's name
            existing = _from_prefix(prefix)
            if existing:
                return existing
    advice = f": {_choice(present)}" if present else ""
    name = str(named) if len(str(named)) <= LONGEST else f"{str(named)[:LONGEST]} ..."
    raise UserError(f"{path / STATE} names {name}, which is neither there nor in {path}{advice}")


def index_of(prefix: pathlib.Path) -> pathlib.Path:
    """The .index file of a V2 checkpoint."""
    return prefix.with_name(prefix.name + ".index")


def check_data(prefix: pathlib.Path, nbytes: int) -> None:
    """Check that the .data files of a V2 checkpoint are there and not too short.

    TensorFlow opens a checkpoint without them, and fails only where a variable is read.

    Args:
        prefix: Of the checkpoint.
        nbytes: Bytes of all its variables.

    Raises:
        UserError: Names the file that is missing or cut off.
    """
    files = _data_files(prefix)
    counts = {file.name[-5:] for file in files} or {"00001"}
    if len(counts) > 1:  # of several savings; the index knows which are meant
        return
    (count,) = counts
    for number in range(int(count)):
        file = prefix.with_name(f"{prefix.name}.data-{number:05d}-of-{count}")
        if file not in files:
            raise UserError(f"{file} is missing: a TF1 checkpoint needs all its .data files beside {prefix.name}.index")
        if is_lfs_pointer(file):
            raise UserError(f"{file} is a pointer of Git LFS instead of the file: fetch it with `git lfs pull`")
    stored = sum(file.stat().st_size for file in files)
    if stored < nbytes:
        end = f"{files[-1]} is cut off" if len(files) == 1 else f"the .data files of {prefix} are cut off"
        raise UserError(f"{end} ({stored} bytes, the variables need {nbytes}): copy or download it again")


def _present(folder: pathlib.Path) -> list[pathlib.Path]:
    """The prefixes of the V2 checkpoints in a folder, sorted; hidden files are none."""
    files = (file for file in folder.glob("*.index") if not file.name.startswith("."))  # macOS: ._model.ckpt-7.index
    return sorted(file.with_suffix("") for file in files if file.is_file())


def _choice(present: list[pathlib.Path]) -> str:
    return f"give one of {first_of([str(prefix) for prefix in present])}"


def _data_files(prefix: pathlib.Path) -> list[pathlib.Path]:
    """The .data files of a prefix, sorted."""
    if not prefix.parent.is_dir():
        return []
    name = re.compile(re.escape(prefix.name) + r"\.data-\d{5}-of-\d{5}")
    return sorted(file for file in prefix.parent.iterdir() if name.fullmatch(file.name))


def _named(state: pathlib.Path) -> pathlib.Path | None:
    """The newest checkpoint by a `checkpoint` file; None where the file is broken or names none."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel(logging.CRITICAL)  # the caller says what is wrong, in one line
    try:
        content = tf.train.get_checkpoint_state(str(state.parent), state.name)
    except ValueError:  # no path in it, or not even text
        content = None
    finally:
        logger.setLevel(level)
    return pathlib.Path(content.model_checkpoint_path) if content and content.model_checkpoint_path else None


def _from_prefix(path: pathlib.Path) -> pathlib.Path | None:
    """The prefix of a checkpoint, from itself or one of its files; None if there is none."""
    if not path.name:  # the present folder, or the root
        return None
    prefix = path.with_name(ENDING.sub("", path.name))
    if index_of(prefix).is_file():
        return prefix
    if prefix.is_file():
        return prefix if prefix.suffix not in OTHER_WEIGHTS else None
    if path.is_file() or _data_files(prefix):
        raise UserError(f"{index_of(prefix)} is missing: a TF1 checkpoint needs it beside its .data files")
    return None
