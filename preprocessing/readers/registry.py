"""The table of readers: recognising a layout, finding its objects, reading one of them."""

import pathlib
from collections.abc import Sequence

from data import categories
from data.raw_layout import hidden
from data.shard_format import ObjectRecord
from preprocessing.meshes.find import find_meshes
from preprocessing.readers import disn, im2avatar, original, r2n2
from preprocessing.readers.reader import DataFolders, Options, Source
from utils.errors import UserError, reason_of

# A folder with files of several layouts counts as the first: the original keeps its files beside
# Im2Avatar's.
READERS = {module.READER.name: module.READER for module in (im2avatar, original, disn, r2n2)}
DEFAULT = im2avatar.READER.name


def guess(root: pathlib.Path) -> str | None:
    """The layout of a folder by its files; None if it has none of those known."""
    for name, reader in READERS.items():
        if not all(hidden(path, root) for path in root.glob(reader.glob)):
            return name
    return None


def find_objects(layout: str, folders: DataFolders) -> Sequence[Source]:
    """Every object of a data set, sorted by category and id; UserError where there is none."""
    try:
        meshes = None
        if folders.meshes:
            files = find_meshes(folders.meshes)
            meshes = {(categories.name(file.category), file.object_id): file.path for file in files}
        return READERS[layout].find(folders.root, folders.images, meshes)
    except UserError as error:
        other = guess(folders.root)
        if other in (None, layout):
            raise
        raise UserError(f"{error}; it looks like format {other}") from None


def try_object(source: Source, layout: str, options: Options) -> ObjectRecord | str:
    """The record of an object, or the reason why there is none; for worker processes."""
    try:
        return READERS[layout].read(source, options)
    except UserError as error:
        return str(error)
    except Exception as error:  # one strange object must not end the run over all others
        return reason_of(error, source.folder)
