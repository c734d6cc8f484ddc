"""Read and write TF1 checkpoints. Their variables: models.weights.tf1_names."""

import math
import os
import pathlib
import re
import tempfile
from collections.abc import Collection, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from models.weights import tf1_names
from models.weights.load_report import Skipped, check_finite
from models.weights.tf1_files import STATE, check_data, index_of
from utils.errors import UserError, first_of
from utils.files import is_lfs_pointer, replacing_folder

# of TensorFlow's checkpoint reader, which translates only some of the errors of C++ to its own
READ_ERRORS = (tf.errors.OpError, ValueError, RuntimeError, LookupError, OSError, MemoryError)

MOST_STEPS = 1 << 63  # that a counter of a TF1 checkpoint can hold
PATTERN = re.compile(r"[*?\[\\]")  # what TensorFlow's reader takes for a pattern in a path

Matched = list[tuple[str, list[keras.Variable]]]  # TF1 name, the variables that it joins


class Checkpoint:
    """An open TF1 checkpoint.

    Attributes:
        prefix: Its path without the endings of its files.
        file: The file that differs between two states of a model: the .index, or the one of V1.
        shapes: {name: shape} of all its variables.
    """

    def __init__(self, prefix: str | os.PathLike[str]) -> None:
        self.prefix = pathlib.Path(prefix)
        index = index_of(self.prefix)
        self.file = index if index.exists() else self.prefix
        if is_lfs_pointer(self.file):
            raise UserError(f"{self.file} is a pointer of Git LFS instead of the file: fetch it with `git lfs pull`")
        try:
            self._reader = tf.train.load_checkpoint(self._plain_path())
            shapes = self._reader.get_variable_to_shape_map()
            self._dtypes = self._reader.get_variable_to_dtype_map()
        except READ_ERRORS as error:
            raise UserError(f"{self.file} cannot be read as a TF1 checkpoint: {_first_line(error)}") from None
        self.shapes: dict[str, tuple[int, ...]] = {name: tuple(shape) for name, shape in sorted(shapes.items())}
        if self.file == index:
            check_data(self.prefix, sum(self._nbytes(name) for name in self.shapes))

    def _plain_path(self) -> str:
        """The prefix, or links to its files where it has characters of patterns, such as [1]."""
        if not PATTERN.search(str(self.prefix)):
            return str(self.prefix)
        self._links = tempfile.TemporaryDirectory(prefix="texdisn")  # for as long as the reader
        plain = pathlib.Path(self._links.name) / "model"
        for file in self.prefix.parent.iterdir():
            if file == self.prefix or file.name.startswith(f"{self.prefix.name}."):
                ending = file.name.removeprefix(self.prefix.name)
                plain.with_name(plain.name + ending).symlink_to(file.absolute())
        return str(plain)

    def read(self, name: str) -> np.ndarray:
        """The value of a variable."""
        try:
            return self._reader.get_tensor(name)
        except READ_ERRORS as error:
            raise UserError(f"{self.prefix} is damaged: {name} cannot be read: {_first_line(error)}") from None

    def _nbytes(self, name: str) -> int:
        """Bytes that a variable takes at least; 0 for text, which has no fixed size."""
        dtype = self._dtypes[name]
        return math.prod(self.shapes[name]) * dtype.size if dtype.is_floating or dtype.is_integer else 0

    def step(self) -> int:
        """The training steps its weights have seen.

        This is the value of its counter, or the number at the end of its name, or 0. Values that
        count no steps are passed over: they are no reason to refuse the weights.
        """
        for name in ("global_step", "batch"):
            is_number = self.shapes.get(name) == () and self._nbytes(name) > 0
            if is_number and 0 <= (value := self.read(name)) < MOST_STEPS:
                return int(value)
        ending = self.prefix.name.rpartition("-")[2]
        return int(ending) if ending.isdecimal() and int(ending) < MOST_STEPS else 0

    def select(
        self,
        variables: Mapping[str, keras.Variable],
        names: Mapping[str, Sequence[str]],
        optional: Collection[str] = (),
        ignored: Mapping[str, str] | None = None,
    ) -> tuple[Matched, list[Skipped]]:
        """Match the variables of a network with those of the checkpoint.

        Args:
            variables: {path: variable} of the network.
            names: {TF1 name: paths of the variables that it joins} (models.weights.tf1_names).
            optional: Names that may be missing or differ; then their variables stay as they are.
            ignored: {name: reason}, variables of the checkpoint that are not wanted.

        Returns:
            The matched names with their variables, and the names that stay unread.

        Raises:
            UserError: Lists what is missing, differs in shape or type, or is in the checkpoint
                alone.
        """
        matched: Matched = []
        problems = []
        ignored = ignored or {}
        skipped = [Skipped(name, self.shapes[name], reason) for name, reason in ignored.items() if name in self.shapes]
        for name, paths in names.items():
            parts = [variables[path] for path in paths]
            expected, shape = tf1_names.tf1_shape(name, parts), self.shapes.get(name)
            reason = self._mismatch(name, expected)
            if not reason:
                matched.append((name, parts))
            elif name in optional:
                skipped.append(Skipped(name, shape or expected, f"stays as it was initialised: {reason}"))
            else:
                problems.append(reason)
        for name, shape in self.shapes.items():
            if name in names or name in ignored:
                continue
            if no_weight := tf1_names.ignored(name, names):
                skipped.append(Skipped(name, shape, no_weight))
            else:
                problems.append(f"{name} {list(shape)} is only in the checkpoint")
        covered = {path for paths in names.values() for path in paths}
        problems += [f"{path} {tuple(v.shape)} has no TF1 name" for path, v in variables.items() if path not in covered]
        if problems:
            raise UserError(f"{self.prefix} does not fit this network: {first_of(problems)}")
        return matched, skipped

    def _mismatch(self, name: str, expected: tuple[int, ...]) -> str:
        """Why a variable of the checkpoint does not fit the expected shape, or ''."""
        shape = self.shapes.get(name)
        if shape is None:
            return f"{name} {list(expected)} is not in the checkpoint"
        if shape != expected:
            return f"{name} is {list(shape)} in the checkpoint and {list(expected)} here"
        if self._dtypes[name] != tf.float32:
            return f"{name} {list(shape)} is {self._dtypes[name].name}, not float32"
        return ""

    def assign(self, matched: Matched) -> None:
        """Read what select() matched into the variables of the network.

        Raises:
            UserError: A variable cannot be read or is not finite; then nothing is assigned.
        """
        values = [self.read(name) for name, _ in matched]  # all of them before the first is assigned
        check_finite(self.prefix, ((name, value) for (name, _), value in zip(matched, values, strict=True)))
        for (_, parts), value in zip(matched, values, strict=True):
            for variable, part in zip(parts, tf1_names.split(value, parts), strict=True):
                variable.assign(part)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def write(folder: str | os.PathLike[str], values: Mapping[str, np.ndarray], step: int) -> pathlib.Path:
    """Write a V2 checkpoint `model.ckpt-<step>` and its `checkpoint` file, whole or not at all.

    Args:
        folder: New folder.
        values: {TF1 name: array}. The counter `batch` is written too, as the originals do.
        step: Training steps that the weights have seen.

    Returns:
        The prefix of the checkpoint.
    """
    folder, name = pathlib.Path(folder), f"model.ckpt-{step}"
    with replacing_folder(folder) as temporary:
        tensors = {**{key: tf.constant(value) for key, value in values.items()}, "batch": tf.constant(step)}
        tf.raw_ops.SaveV2(
            prefix=str(temporary / name),
            tensor_names=list(tensors),
            shape_and_slices=[""] * len(tensors),
            tensors=list(tensors.values()),
        )
        (temporary / STATE).write_text(f'model_checkpoint_path: "{name}"\nall_model_checkpoint_paths: "{name}"\n')
    return folder / name
