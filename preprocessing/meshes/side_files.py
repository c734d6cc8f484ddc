"""Finding the files that a mesh file names: its textures and material libraries."""

import contextlib
import contextvars
import os
import pathlib
import re
from collections.abc import Iterator

# Folders where programs keep textures, in that of the mesh or beside it (ShapeNet: ../images).
USUAL_FOLDERS = ("", "textures", "texture", "images", "image", "maps", "tex", "materials", "source")
ABSOLUTE = re.compile(r"/|[a-z]:|[a-z]{2,}://", re.IGNORECASE)  # POSIX, Windows, a URL


_recorded: contextvars.ContextVar[set[pathlib.Path] | None] = contextvars.ContextVar("recorded", default=None)


@contextlib.contextmanager
def recorded_side_files() -> Iterator[set[pathlib.Path]]:
    """The files that mesh files named and that were found while the block ran."""
    files: set[pathlib.Path] = set()
    token = _recorded.set(files)
    try:
        yield files
    finally:
        _recorded.reset(token)


def record(path: pathlib.Path) -> None:
    """Note a file that belongs to the mesh being read, for recorded_side_files."""
    files = _recorded.get()
    if files is not None:
        files.add(path)


def find_side_file(name: str, mesh: pathlib.Path, within: str = "") -> pathlib.Path | None:
    """The file that a mesh file names, or None if there is none.

    Names may have backslashes, and letters in another case than the file. A mesh may come from
    anywhere, so its names lead no further than its folder and the folder around that. Absolute
    paths belong to the computer of the author: of these, and of all that lead nowhere, the last
    part is looked for beside the mesh and in USUAL_FOLDERS. Symbolic links are followed, since data
    sets and download caches consist of them.

    Args:
        name: as the mesh file has it.
        mesh: the mesh file.
        within: the folder that the name refers to, relative to that of the mesh.

    Returns:
        Whatever has the name; it may be a folder.
    """
    relative = name.strip().strip('"').replace("\\", "/")
    last = relative.rstrip("/").rpartition("/")[2]
    if last in ("", ".", "..") or "\0" in name:
        return None
    places = [] if ABSOLUTE.match(relative) else [f"{within}/{relative}" if within else relative, relative]
    for around in dict.fromkeys((within or ".", ".", "..")):
        places += [f"{around}/{folder}/{last}" for folder in USUAL_FOLDERS]
    for place in dict.fromkeys(map(os.path.normpath, places)):
        found = None if place.split(os.sep)[:2] == ["..", ".."] else _find(mesh.parent, place)
        if found is not None:
            record(found)
            return found
    return None


def _find(folder: pathlib.Path, place: str) -> pathlib.Path | None:
    """The file at `place`, a normalised path relative to `folder`, in letters of any case."""
    if os.path.lexists(folder / place):
        return folder / place
    path = folder
    for part in place.split(os.sep):
        if part == ".." or os.path.lexists(path / part):
            path = path / part
        elif path.name == "..":  # it may hold very many objects
            return None
        else:
            names = sorted(os.listdir(path)) if os.path.isdir(path) else []
            same = [name for name in names if name.casefold() == part.casefold()]
            if not same:
                return None
            path = path / same[0]
    return path
