"""Which data set each object of a database comes from: patterns of names in a JSON file.

A database may mix several data sets, and their means say more than that of the mixture. Shards do
not record the source of an object. The file data_sets.json in the folder of the database, or one
given in its place, names it: {data set: [patterns]}. The patterns are shell patterns of
<category>/<object id>. The first data set with a pattern that matches counts, so that a last one
with "*" takes what is left.
"""

import dataclasses
import fnmatch
import os
import pathlib
from collections.abc import Mapping, Sequence

from utils.errors import UserError
from utils.files import read_json

FILE = "data_sets.json"
OTHER = "other"  # the data set of objects that no pattern matches


@dataclasses.dataclass(frozen=True)
class DataSets:
    """The data sets by name, with the patterns of their objects, in the order of the file."""

    patterns: Mapping[str, Sequence[str]]

    def of(self, category: str, object_id: str) -> str:
        """The name of the data set of an object."""
        name = f"{category}/{object_id}"
        for data_set, patterns in self.patterns.items():
            if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns):
                return data_set
        return OTHER


def read_data_sets(path: str | os.PathLike[str]) -> DataSets:
    """Read a file of patterns; UserError where it is missing or holds something else."""
    values = read_json(path)
    lists = list(values.values()) if isinstance(values, dict) else []
    if not lists or not all(isinstance(ps, list) and all(isinstance(p, str) for p in ps) for ps in lists):
        raise UserError(f'{path} names no data sets: it must hold {{"data set": ["category/object*", ...], ...}}')
    return DataSets(values)


def find_data_sets(database: str | os.PathLike[str], given: str | os.PathLike[str] | None = None) -> DataSets | None:
    """The data sets of the `given` file, else those of the database's own; None without either."""
    path = pathlib.Path(given) if given else pathlib.Path(database) / FILE
    return read_data_sets(path) if given or path.exists() else None
