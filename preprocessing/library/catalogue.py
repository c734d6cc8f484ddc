"""The catalogue of a furniture library: its pieces of furniture and who made them."""

import dataclasses
import posixpath
import re

import javaproperties
import numpy as np

from preprocessing.library.archive import Archive
from utils.errors import UserError

# Sweet Home 3D's own catalogue and contributed ones have other first words than plug-in libraries.
CATALOGUE = re.compile(r"(?P<family>(?:.*/)?\w*FurnitureCatalog)(?:_(?P<language>[A-Za-z]{2,3}(?:_\w+)?))?\.properties")
LICENCE = re.compile(r"(licen[cs]e|copying|readme|credits)[^/]*", re.IGNORECASE)
SIZE = ("width", "height", "depth")  # along x, y and z


@dataclasses.dataclass(frozen=True)
class Library:
    """A furniture library, as its catalogue describes it."""

    file: str  # name of the .sh3f file
    id: str
    name: str
    licence: str
    provider: str
    licence_text: str  # contents of its licence file


@dataclasses.dataclass(frozen=True, eq=False)
class Piece:
    """A piece of furniture of a catalogue."""

    library: Library
    id: str
    name: str
    category: str  # as the catalogue calls it
    creator: str
    licence: str
    model: str  # the file of the model in the archive; "" if it is missing there
    rotation: np.ndarray  # (3, 3), applied to column vectors of the model's file
    size: np.ndarray | None  # (3,) extent along x, y, z in metres after the rotation; None: unknown
    problem: str = ""  # why the piece cannot be used

    @property
    def source(self) -> str:
        """How messages call the piece."""
        return f"{self.library.file}: {self.name} ({self.id})"


def read_catalogue(archive: Archive) -> list[Piece]:
    """All pieces of a library, in the order of its catalogue.

    A catalogue in English is used if there is one: the file without a language, with the texts of
    the English one; else the first language. UserError if the archive has no catalogue.
    """
    families: dict[str, dict[str, str]] = {}
    for name in archive.names:
        match = CATALOGUE.fullmatch(name)
        if match:
            families.setdefault(match["family"], {})[(match["language"] or "").lower()] = name
    pieces = [
        piece
        for family, languages in sorted(families.items())
        for piece in _read_family(archive, posixpath.dirname(family), languages)
    ]
    if not pieces:
        raise UserError(
            f"{archive.path} lists no furniture (PluginFurnitureCatalog.properties): is it a .sh3f library?"
        )
    return pieces


def _read_family(archive: Archive, folder: str, languages: dict[str, str]) -> list[Piece]:
    """The pieces of one catalogue: {language: its file}, in a folder of the archive."""
    chosen = [language for language in ("", "en") if language in languages] or sorted(languages)[:1]
    entries: dict[str, str] = {}
    for language in chosen:
        entries |= _properties(archive, languages[language])
    library = _library(archive, folder, entries)
    numbers = sorted(int(key[6:]) for key in entries if re.fullmatch(r"model#\d+", key))
    return [
        _piece(archive, folder, library, number, entries)
        for number in numbers
        if entries.get(f"ignored#{number}", "").lower() != "true"
    ]


def _properties(archive: Archive, name: str) -> dict[str, str]:
    """A file of Java properties: UTF-8, or Latin-1 if it is not valid UTF-8, as Java reads it."""
    raw = archive.read(name)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    try:
        return {key.strip(): value.strip() for key, value in javaproperties.loads(text).items()}
    except ValueError as error:
        raise UserError(f"{archive.path}: {name} is not a catalogue that can be read: {error}") from None


def _library(archive: Archive, folder: str, entries: dict[str, str]) -> Library:
    texts = [
        archive.read(name).decode("utf-8", "replace").strip()
        for name in archive.names
        if posixpath.dirname(name) == folder and LICENCE.fullmatch(posixpath.basename(name))
    ]
    return Library(
        file=archive.path.name,
        id=entries.get("id") or archive.path.stem,
        name=entries.get("name") or archive.path.stem,
        licence=entries.get("license", ""),
        provider=entries.get("provider", ""),
        licence_text="\n\n".join(texts),
    )


def _piece(archive: Archive, folder: str, library: Library, number: int, entries: dict[str, str]) -> Piece:
    def value(key: str) -> str:
        return entries.get(f"{key}#{number}", "")

    name = value("name") or posixpath.splitext(posixpath.basename(value("model")))[0]
    member = archive.find(value("model")) or archive.find(posixpath.join(folder, value("model")))
    problem = "" if member else f"the library has no file {value('model')}"
    rotation = np.eye(3)
    if value("modelRotation"):
        numbers = _numbers(value("modelRotation").split())
        if numbers is None or len(numbers) != 9 or abs(np.linalg.det(numbers.reshape(3, 3))) < 1e-6:
            problem = problem or f"its modelRotation is not a rotation: {value('modelRotation')}"
        else:
            rotation = numbers.reshape(3, 3)
    size = _numbers([value(key) for key in SIZE])
    return Piece(
        library=library,
        id=value("id") or f"{library.id}#{number}",
        name=name,
        category=value("category"),
        creator=value("creator"),
        licence=value("license") or library.licence,
        model=member or "",
        rotation=rotation,
        size=size / 100 if size is not None and (size > 0).all() else None,
        problem=problem,
    )


def _numbers(words: list[str]) -> np.ndarray | None:
    """The finite numbers that all words are; None if one is something else."""
    try:
        numbers = np.array([float(word) for word in words])
    except ValueError:
        return None
    return numbers if np.isfinite(numbers).all() else None
