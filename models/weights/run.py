"""A run folder: configuration, checkpoints, history. Owns every file name in it.

<run>/config.json     models.config.Config
<run>/last.h5         weights, optimiser and progress: where an interrupted run goes on
<run>/best.h5         weights of the epoch with the lowest validation loss
<run>/history.json    one entry per epoch
<run>/level.json      the iso level that `--iso auto` found on the validation split
<run>/tensorboard/    scalars and pictures
"""

import json
import pathlib

import h5py
import numpy as np

from models.config import Config
from utils.errors import UserError
from utils.files import replacing

LARGE = 1 << 26  # bytes of a variable that is read row by row


class Run:
    """Paths of a run folder."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.config = self.folder / "config.json"
        self.last = self.folder / "last.h5"
        self.best = self.folder / "best.h5"
        self.history = self.folder / "history.json"
        self.level = self.folder / "level.json"
        self.tensorboard = self.folder / "tensorboard"

    def load_config(self, cls=Config):
        """The configuration: a models.config.Config, or a CameraConfig where that is asked for; UserError if the run is of another kind."""
        if not self.folder.is_dir():
            raise UserError(f"{self.folder} is not a run folder (there is no such folder)")
        return cls.load(self.config)

    @property
    def weights(self):
        """The best weights, or the last ones where no epoch has been validated yet."""
        for path in (self.best, self.last):
            if path.exists():
                return path
        raise UserError(f"{self.folder} has no checkpoint yet (neither best.h5 nor last.h5)")


def save_checkpoint(path, variables, progress):
    """Write {group: Keras variables} and a JSON-able progress dict, whole or not at all.

    Dataset names are <group>/<variable path>.
    """
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["progress"] = json.dumps(progress)
        for group, members in variables.items():
            for variable in members:
                file[f"{group}/{variable.path}"] = np.asarray(variable)


def _datasets(group):
    """{path within the group: dataset}."""
    found = {}
    group.visititems(lambda name, item: found.update({name: item}) if isinstance(item, h5py.Dataset) else None)
    return found


def _assign(variable, item):
    """A dataset into a Keras variable; a large one row by row, since whole it would be in memory three times."""
    if item.nbytes < LARGE or hasattr(variable.value, "values"):  # a variable of several devices takes no rows
        variable.assign(item[()])
        return
    for row in range(len(item)):
        variable.value[row].assign(item[row])


def load_checkpoint(path, variables, partial=False):
    """Assign {group: Keras variables} from a checkpoint and return its progress; all fit, or nothing is assigned.

    A variable that is missing, or differs in shape, or is in the file and not in the network, is a UserError that
    lists them. Groups that are not asked for stay unread; partial: the file may hold more than is asked for.
    """
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise UserError(f"{path} is missing or no HDF5 checkpoint ({error})") from None
    with file:
        problems, values = [], []
        for group, members in variables.items():
            stored = _datasets(file[group]) if group in file else {}
            for variable in members:
                item = stored.pop(variable.path, None)
                if item is None:
                    problems.append(f"{variable.path} {tuple(variable.shape)} is not in the file")
                elif item.shape != tuple(variable.shape):
                    problems.append(f"{variable.path} is {item.shape} in the file and {tuple(variable.shape)} here")
                else:
                    values.append((variable, item))
            if not partial:
                problems += [f"{name} {item.shape} is in the file alone" for name, item in stored.items()]
        if problems:
            more = f"; and {len(problems) - 8} more" if len(problems) > 8 else ""
            raise UserError(f"{path} does not fit this network: " + "; ".join(problems[:8]) + more)
        if "progress" not in file.attrs:
            raise UserError(f"{path} is no checkpoint of this project (it has no progress)")
        for variable, item in values:
            _assign(variable, item)
        return json.loads(file.attrs["progress"])
