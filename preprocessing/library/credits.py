"""The manifest and the credits of a folder of imported models: what each is, who made it."""

import pathlib
from collections.abc import Iterable
from typing import Any

from preprocessing.library.catalogue import Library, Piece
from utils.errors import UserError
from utils.files import read_json_object, replacing, write_json

MANIFEST, CREDITS = "manifest.json", "CREDITS.txt"
NEEDED = {  # texts that every row of a part of the manifest has
    "libraries": ("id", "name", "file", "licence", "provider", "licence_text"),
    "models": ("file", "name", "creator", "licence", "library", "id"),
    "left_out": ("library", "id", "name", "reason"),
}


def model_row(piece: Piece, category: str, file: str) -> dict[str, Any]:
    """What the manifest says of a model; `file`: its path in the folder."""
    return {
        "file": file,
        "category": category,
        "name": piece.name,
        "creator": piece.creator,
        "licence": piece.licence,
        "library": piece.library.id,
        "id": piece.id,
        "catalogue_category": piece.category,
        "size": None if piece.size is None else [round(side, 6) for side in piece.size.tolist()],  # metres
    }


def library_row(library: Library) -> dict[str, str]:
    """What the manifest says of a library."""
    return {
        "id": library.id,
        "name": library.name,
        "file": library.file,
        "licence": library.licence,
        "provider": library.provider,
        "licence_text": library.licence_text,
    }


def read_manifest(out: pathlib.Path) -> dict[str, list[dict[str, Any]]]:
    """The manifest of a folder; an empty one if there is none."""
    if not (out / MANIFEST).exists():
        return {"libraries": [], "models": [], "left_out": []}
    manifest = read_json_object(out / MANIFEST, "manifest")
    for part, names in NEEDED.items():
        rows = manifest.get(part)
        if not isinstance(rows, list) or not all(
            isinstance(row, dict) and all(isinstance(row.get(name), str) for name in names) for row in rows
        ):
            raise UserError(f"{out / MANIFEST} is damaged: its {part} lack {', '.join(names)}; delete the file")
    return manifest


def merge(
    old: dict[str, list[dict[str, Any]]], new: dict[str, list[dict[str, Any]]]
) -> dict[str, list[dict[str, Any]]]:
    """A manifest with the libraries of both; those that are in both, as in the new one."""
    renewed = {library["id"] for library in new["libraries"]}
    libraries = [library for library in old["libraries"] if library["id"] not in renewed] + new["libraries"]
    merged = {"libraries": sorted(libraries, key=lambda library: library["id"])}
    for part in ("models", "left_out"):
        rows = [row for row in old[part] if row["library"] not in renewed] + new[part]
        merged[part] = sorted(rows, key=lambda row: (row.get("file", ""), row["library"], row["id"]))
    return merged


def write_manifest(out: pathlib.Path, manifest: dict[str, list[dict[str, Any]]]) -> None:
    """Write the manifest, and the credits that may accompany the models."""
    write_json(out / MANIFEST, manifest)
    with replacing(out / CREDITS) as temporary:
        temporary.write_text("\n".join(_credits(manifest)) + "\n", encoding="utf-8")


def _credits(manifest: dict[str, list[dict[str, Any]]]) -> Iterable[str]:
    """The lines of the credits: each library with its licence, its models and their creators."""
    for library in manifest["libraries"]:
        models = [model for model in manifest["models"] if model["library"] == library["id"]]
        yield f"{library['name']} ({library['file']}), {len(models)} models"
        yield from (line for line in (library["licence"], library["provider"]) if line)
        yield ""
        for model in models:
            licence = f", {model['licence']}" if model["licence"] != library["licence"] else ""
            creator = f" by {model['creator']}" if model["creator"] else ""
            yield f"  {model['file']}: {model['name']}{creator}{licence}"
        if library["licence_text"]:
            yield from ("", *(f"  | {line}".rstrip() for line in library["licence_text"].splitlines()))
        yield "\n"
