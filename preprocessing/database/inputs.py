"""What the files of an object hold, in one digest: it tells whether a shard is still up to date."""

import hashlib
import pathlib

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


def _files(source: Source) -> list[tuple[str, pathlib.Path]]:
    """(name, path) of the files of an object, sorted: its folder, its views, its mesh."""
    folders = {"": source.folder}
    views = getattr(source, "views_folder", source.folder)
    if not views.is_relative_to(source.folder):
        folders["views/"] = views
    files = [
        (prefix + path.relative_to(folder).as_posix(), path)
        for prefix, folder in folders.items()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    ]
    mesh = getattr(source, "mesh", None)
    return sorted([*files, *([("mesh", mesh)] if mesh else [])])
