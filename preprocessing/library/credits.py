"""The manifest and the credits of a folder of imported models."""

import pathlib
from typing import Any

from preprocessing.library.catalogue import Piece
from utils.files import read_json, replacing, write_json

MANIFEST, CREDITS = "manifest.json", "CREDITS.txt"


def row(piece: Piece, category: str, file: str, digest: str) -> dict[str, Any]:
    """What the manifest says of a model; `file`: its path in the folder."""
    return {
        "file": file,
        "category": category,
        "name": piece.name,
        "creator": piece.creator,
        "licence": piece.licence,
        "library": piece.library.id,
        "library_file": piece.library.file,
        "id": piece.id,
        "catalogue_category": piece.category,
        "size_m": None if piece.size is None else [round(side, 4) for side in piece.size.tolist()],
        "digest": digest,
    }
