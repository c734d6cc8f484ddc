"""What a library becomes: the file of every piece, and which of them are to be written."""

import dataclasses
import hashlib
import pathlib
import re
import unicodedata

from preprocessing.library.archive import Archive
from preprocessing.library.catalogue import Library, Piece, read_catalogue
from preprocessing.library.categories import category_of
from preprocessing.library.convert import Settings, digest_of, is_done

LONGEST_NAME = 80  # letters of the name of an object


@dataclasses.dataclass(frozen=True)
class Planned:
    """A piece and the file that it becomes."""

    piece: Piece
    category: str
    file: str  # <category>/<object>.glb
    digest: str  # of all that the file depends on
    done: bool  # the file exists and was written from the same content


@dataclasses.dataclass(frozen=True)
class Plan:
    """The pieces of one library."""

    archive: Archive
    library: Library
    models: list[Planned]
    unusable: list[Piece]  # their `problem` says why


def plan_library(path: pathlib.Path, out: pathlib.Path, owners: dict[str, str], settings: Settings) -> Plan:
    """Read a library and name the files of its pieces.

    Args:
        path: the .sh3f file.
        out: folder of the models.
        owners: {name of an object: id of its library}; the names of this library are added.
        settings: of the conversion.

    Raises:
        UserError: the library cannot be read.
    """
    archive = Archive(path)
    pieces = read_catalogue(archive)
    models, unusable = [], []
    named: set[str] = set()
    for piece in pieces:
        if piece.problem:
            unusable.append(piece)
            continue
        name = _object_name(piece, named, owners)
        named.add(name)
        owners[name] = piece.library.id
        category = category_of(piece.name, piece.category)
        file, digest = f"{category}/{name}.glb", digest_of(piece, archive, settings)
        models.append(Planned(piece, category, file, digest, is_done(out / file, digest)))
    return Plan(archive, pieces[0].library, models, unusable)


def _object_name(piece: Piece, named: set[str], owners: dict[str, str]) -> str:
    """The id of a piece in plain letters; where another one has that name, a hash makes it unique.

    Args:
        piece: the piece.
        named: names of the pieces before it in its library.
        owners: {name: id of the library that has it}.
    """
    letters = unicodedata.normalize("NFKD", piece.id).encode("ascii", "ignore").decode().lower()
    plain = re.sub(r"[^a-z0-9]+", "_", letters).strip("_")[:LONGEST_NAME] or "object"
    name, count = plain, 0
    while name in named or owners.get(name, piece.library.id) != piece.library.id:
        key = f"{piece.library.id}\n{piece.id}\n{piece.model}\n{count}"
        name, count = f"{plain}_{hashlib.sha256(key.encode()).hexdigest()[:8]}", count + 1
    return name
