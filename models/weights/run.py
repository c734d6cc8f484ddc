"""The run folder: configuration, checkpoints, history. This file owns every file name in it.

<run>/config.json     models.config.Config or CameraConfig
<run>/last.h5         weights, optimiser and progress, from which an interrupted run resumes
<run>/best.h5         weights of the epoch with the lowest validation loss, or of the last one
<run>/history.json    one entry per epoch
<run>/render.json     how the views of its database were rendered (data/raw_layout.py)
<run>/iso.json        of an exported run: the best iso value on the validation split
<run>/novelty.h5      of an exported run: what the images are like that it was trained on
<run>/categories.h5   of an exported run: what tells the categories of images apart
<run>/tensorboard/    scalars and images
"""

import contextlib
import glob
import json
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import h5py
import numpy as np

from models.shared_settings import Settings
from utils import hdf5, hdf5_limits
from utils.errors import StorageError, UserError, first_of

ISO, LEVEL = "iso.json", "level.json"  # beside a TF1 checkpoint they follow its name
NO_MODEL = "{} is neither a run folder (no config.json) nor a TF1 checkpoint (no `checkpoint` file, no .index)"
LARGE = 1 << 26  # bytes; a larger variable is read row by row

SettingsType = TypeVar("SettingsType", bound=Settings)


class Variable(Protocol):
    """A keras.Variable; TensorFlow is not imported here, for a fast --help of the commands."""

    path: str
    shape: tuple[int, ...]
    value: Any

    def assign(self, value: Any) -> Any: ...


class Run:
    """Paths of a run folder.

    Attributes:
        iso: The iso value that was exported with the weights.
        level: The name of that file in older runs; it is read, never written.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = pathlib.Path(folder)
        self.config = self.folder / "config.json"
        self.last = self.folder / "last.h5"
        self.best = self.folder / "best.h5"
        self.history = self.folder / "history.json"
        self.iso = self.folder / ISO
        self.level = self.folder / LEVEL
        self.novelty = self.folder / "novelty.h5"
        self.categories = self.folder / "categories.h5"
        self.tensorboard = self.folder / "tensorboard"

    def load_config(self, cls: type[SettingsType]) -> SettingsType:
        """Load the configuration as the given class: models.config.Config or CameraConfig.

        Raises:
            UserError: The folder is missing, or the run is of the other kind.
        """
        if not self.folder.is_dir():
            raise UserError(f"{self.folder} is not a run folder (there is no such folder)")
        return cls.load(self.config)

    @property
    def weights(self) -> pathlib.Path:
        """The best weights, or the last ones before the first validation."""
        for path in (self.best, self.last):
            if path.exists():
                return path
        raise UserError(f"{self.folder} has no checkpoint yet (neither best.h5 nor last.h5)")


def check_there(path: str | os.PathLike[str]) -> None:
    """UserError for a path at which there can be neither a run nor a TF1 checkpoint.

    Commands call it before they load TensorFlow, which takes seconds.
    """
    path = pathlib.Path(path)
    if any(path.parent.glob(f"{glob.escape(path.name)}.*")):  # a prefix
        return
    if not path.exists():
        raise UserError(f"{path} is not a run folder (there is no such folder)")
    if path.is_dir() and not any(any(path.glob(name)) for name in ("config.json", "checkpoint", "*.index")):
        raise UserError(NO_MODEL.format(path))


def save_checkpoint(
    path: str | os.PathLike[str], variables: Mapping[str, Sequence[Variable]], progress: Mapping[str, Any]
) -> None:
    """Write variables and progress to an HDF5 file with its digest, whole or not at all.

    Args:
        path: File to write.
        variables: {group: Keras variables}; the datasets are named <group>/<variable path>.
        progress: Stored as JSON.
    """
    with hdf5.create(path) as file:
        file.attrs["progress"] = json.dumps(progress)
        for group, members in variables.items():
            for variable in members:
                hdf5.put(file, f"{group}/{variable.path}", np.asarray(variable))


def load_checkpoint(
    path: str | os.PathLike[str], variables: Mapping[str, Sequence[Variable]], partial: bool = False
) -> dict[str, Any]:
    """Assign all variables from a checkpoint, or none, after checking the file's digest.

    Prints a line where the file has no digest, since an earlier version wrote it.

    Args:
        path: File of save_checkpoint.
        variables: {group: Keras variables}. Other groups of the file stay unread.
        partial: Allow the groups of the file to hold more variables than these.

    Returns:
        The progress.

    Raises:
        UserError: Lists the variables that are missing, differ in shape, are only in the file, or
            have values that are not finite. The file is missing or damaged.
    """
    with open_checkpoint(path) as file:
        problems, values = [], []
        for group, members in variables.items():
            stored = _datasets(file[group]) if group in file else {}
            for variable in members:
                item = stored.pop(variable.path, None)
                if item is None:
                    problems.append(f"{variable.path} {tuple(variable.shape)} is not in the file")
                elif item.dtype.kind not in "fiu":
                    problems.append(f"{variable.path} does not hold numbers")
                elif item.shape != tuple(variable.shape):
                    problems.append(f"{variable.path} is {item.shape} in the file and {tuple(variable.shape)} here")
                else:
                    values.append((variable, item))
            if not partial:
                problems += [f"{name} {item.shape} is only in the file" for name, item in stored.items()]
        if problems:
            raise UserError(f"{path} does not fit this network: {first_of(problems)}")
        progress = _progress(path, file)
        _check_finite(path, [(variable.path, item) for variable, item in values])
        for variable, item in values:
            _assign(variable, item)
        return progress


def _progress(path: str | os.PathLike[str], file: h5py.File) -> dict[str, Any]:
    """What a checkpoint says about the training; UserError where that is nothing."""
    if "progress" not in file.attrs:
        raise UserError(f"{path} is not a checkpoint of this project (it has no progress)")
    progress = json.loads(file.attrs["progress"])
    step = progress.get("step") if isinstance(progress, dict) else None
    if type(step) is not int or step < 0:
        raise UserError(f"{path} is damaged: its progress counts no steps")
    return progress


@contextlib.contextmanager
def open_checkpoint(path: str | os.PathLike[str]) -> Iterator[h5py.File]:
    """Open a checkpoint for reading, after checking it against its digest.

    Prints a line where it has none. UserError if it is missing or damaged.
    """
    try:
        if not hdf5.check(path):
            print(f"{path}: an older file without a checksum, damage in it may go unseen")
        file = hdf5_limits.opened(path)
    except hdf5.DamagedError as error:
        raise UserError(f"{path} is damaged: {error}") from None
    except OSError as error:
        raise UserError(f"{path} is missing or not an HDF5 checkpoint ({error})") from None
    with file:
        try:
            yield file
        except StorageError:  # of what is written meanwhile
            raise
        except hdf5_limits.DAMAGED as error:
            raise UserError(f"{path} is damaged: {error}") from None


def _check_finite(path: str | os.PathLike[str], items: Sequence[tuple[str, h5py.Dataset]]) -> None:
    """UserError naming the datasets that hold values which are not finite."""
    broken = [name for name, item in items if item.dtype.kind == "f" and not _finite(item)]
    if broken:
        raise UserError(f"{path} cannot be used, values are not finite: {first_of(broken)}")


def _finite(item: h5py.Dataset) -> bool:
    """Whether all values are finite; a large dataset is read row by row, as in _assign."""
    parts = [()] if item.nbytes < LARGE else range(len(item))
    return all(bool(np.isfinite(item[part]).all()) for part in parts)


def _datasets(group: h5py.Group) -> dict[str, h5py.Dataset]:
    """{path within the group: dataset}."""
    datasets = {}
    if not isinstance(group, h5py.Group):
        raise KeyError(f"{group.name} is not a group")
    group.visititems(lambda name, item: datasets.update({name: item}) if isinstance(item, h5py.Dataset) else None)
    for item in datasets.values():
        hdf5_limits.check(item)
    return datasets


def _assign(variable: Variable, item: h5py.Dataset) -> None:
    """Assign a dataset; a large one row by row, because whole it would be in memory three times."""
    if item.nbytes < LARGE or hasattr(variable.value, "values"):  # a variable of several devices takes no rows
        variable.assign(item[()])
        return
    for row in range(len(item)):
        variable.value[row].assign(item[row])
