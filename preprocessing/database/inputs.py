"""What the files of an object hold, in digests: they tell whether a shard is still up to date."""

import hashlib
import os
import pathlib
from collections.abc import Set

from data.shard_format import Inputs
from preprocessing.meshes.side_files import side_digests
from preprocessing.readers.reader import Source
from utils import hdf5
from utils.errors import UserError
from utils.files import file_digest


def input_digest(source: Source) -> str:
    """SHA-256, in hex, of the files of an object: of their names within it and their contents.

    HDF5 files of this project count by the digest that they carry, so that large ones need not be
    read. Moving the data changes nothing.

    Raises:
        UserError: a file cannot be read.
    """
    lines = []
    for name, path in _files(source):
        content = hdf5.content_digest if path.suffix == ".h5" else file_digest
        try:
            lines.append(f"{name} {content(path)}\n")
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error}") from None
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def with_side_files(digest: str, names: Set[str], source: Source) -> Inputs:
    """What a shard records of an object's files.

    Args:
        digest: that of input_digest.
        names: the files that its mesh names, of recorded_side_files.
        source: the object.

    Raises:
        UserError: a file cannot be read.
    """
    mesh = getattr(source, "mesh", None)
    if not names or mesh is None:
        return digest
    try:
        return [digest, side_digests(names, mesh)]
    except OSError as error:
        raise UserError(f"{mesh}: a file that it names cannot be read: {error}") from None


def is_as_recorded(source: Source, recorded: Inputs) -> bool:
    """Whether the files of an object are those that a shard records."""
    digest, side = recorded if isinstance(recorded, list) else (recorded, {})
    try:
        return digest == input_digest(source) and recorded == with_side_files(digest, side.keys(), source)
    except UserError:  # reported when it is read
        return False


def _files(source: Source) -> list[tuple[str, pathlib.Path]]:
    """(name, path) of the files of an object, sorted: its folder, its views, its mesh."""
    folders = {"": source.folder}
    views = getattr(source, "views_folder", source.folder)
    if not views.is_relative_to(source.folder):
        folders["views/"] = views
    files = [
        (prefix + path.relative_to(folder).as_posix(), path)
        for prefix, folder in folders.items()
        for place, _, names in os.walk(folder, followlinks=True)  # unlike rglob, which passes links by
        for path in (pathlib.Path(place, name) for name in names if not name.startswith("."))
        if path.is_file()
    ]
    mesh = getattr(source, "mesh", None)
    return sorted([*files, *([("mesh", mesh)] if mesh else [])])
