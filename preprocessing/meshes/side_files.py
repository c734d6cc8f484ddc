"""Finding the files that a mesh file names: its textures and material libraries."""

import contextlib
import contextvars
import os
import pathlib
import re
from collections.abc import Iterable, Iterator
from urllib.parse import unquote

from utils.files import file_digest, folded

# Folders where programs keep textures, in that of the mesh or beside it (ShapeNet: ../images).
USUAL_FOLDERS = ("", "textures", "texture", "images", "image", "maps", "tex", "materials", "source")
# in which Windows programs write: Western and Central European, Cyrillic, Chinese, Japanese, Korean
CODE_PAGES = ("cp1252", "cp1250", "cp1251", "gb18030", "big5", "cp932", "cp949")
ABSOLUTE = re.compile(r"/|[a-z]:|[a-z]{2,}://", re.IGNORECASE)  # POSIX, Windows, a URL


_recorded: contextvars.ContextVar[set[str] | None] = contextvars.ContextVar("recorded", default=None)


@contextlib.contextmanager
def recorded_side_files() -> Iterator[set[str]]:
    """The files that a mesh file named while the block ran, and that were found or looked for.

    They are paths relative to the folder of the mesh, or <within>//<name>: a name for which
    `find_side_file` found nothing.
    """
    files: set[str] = set()
    token = _recorded.set(files)
    try:
        yield files
    finally:
        _recorded.reset(token)


def record(name: str) -> None:
    """Note a file that belongs to the mesh being read, for recorded_side_files."""
    files = _recorded.get()
    if files is not None:
        files.add(name)


def side_digests(names: Iterable[str], mesh: pathlib.Path) -> dict[str, str | None]:
    """SHA-256, in hex, of files of recorded_side_files; None where there is no file.

    OSError where a file cannot be read.
    """
    digests: dict[str, str | None] = {}
    for place in sorted(names):
        within, missed, name = place.partition("//")
        path = find_side_file(name, mesh, within) if missed else find_below(mesh.parent, place)
        digests[place] = file_digest(path) if path is not None and path.is_file() else None
    return digests


def find_side_file(name: str, mesh: pathlib.Path, within: str = "") -> pathlib.Path | None:
    """The file that a mesh file names, or None if there is none.

    Names may have backslashes, quotes or escapes, and letters in another case or form of accents
    than the file. A mesh may come from anywhere, so its names lead no further than its folder and
    the folder around that. Absolute paths belong to the computer of the author: of these, and of
    all that lead nowhere, the last part is looked for beside the mesh and in USUAL_FOLDERS.
    Symbolic links are followed, since data sets and download caches consist of them.

    Args:
        name: as the mesh file has it.
        mesh: the mesh file.
        within: the folder that the name refers to, relative to that of the mesh.

    Returns:
        Whatever has the name; it may be a folder.
    """
    places = dict.fromkeys(place for spelling in _spellings(name) for place in _places(spelling, within))
    for place in places:
        path = None if place.split(os.sep)[:2] == ["..", ".."] else find_below(mesh.parent, place)
        if path is not None:
            record(os.path.relpath(path, mesh.parent))
            return path
    if places:
        record(f"{within}//{name}")
    return None


def _spellings(name: str) -> list[str]:
    """A name without quotes, and what it means if its blanks or all its signs are escaped, or if it
    was read as Latin-1 and is of another code page, or of bytes that the file's name has too.
    """
    plain = name.strip().strip('"')
    spellings = [plain, plain.strip("'"), plain.replace("\\ ", " "), unquote(plain)]
    with contextlib.suppress(UnicodeEncodeError):  # it was not Latin-1
        raw = b"" if plain.isascii() else plain.encode("latin-1")
        for page in CODE_PAGES if raw else ():
            with contextlib.suppress(UnicodeDecodeError):
                spellings.append(raw.decode(page))
        spellings += [os.fsdecode(raw)] if raw else []
    return spellings


def _places(name: str, within: str) -> list[str]:
    """Where the file of a name may lie, relative to the folder of the mesh, the likeliest first."""
    relative = name.replace("\\", "/")
    last = relative.rstrip("/").rpartition("/")[2]
    if last in ("", ".", "..") or "\0" in name:
        return []
    places = [] if ABSOLUTE.match(relative) else [f"{within}/{relative}" if within else relative, relative]
    for around in dict.fromkeys((within or ".", ".", "..")):
        places += [f"{around}/{folder}/{last}" for folder in USUAL_FOLDERS]
    return [os.path.normpath(place) for place in places]


def find_below(folder: pathlib.Path, place: str) -> pathlib.Path | None:
    """The file at `place`, a normalised path relative to `folder`, by its `folded` name if need be.

    None if there is no such file.
    """
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
            same = [name for name in names if folded(name) == folded(part)]
            if not same:
                return None
            path = path / same[0]
    return path
