"""The meshes of a folder: <category>/<object>.glb and ShapeNet's layout."""

import os
import pathlib
from typing import NamedTuple

from preprocessing.meshes.load import SUFFIXES
from utils.errors import UserError


class MeshFile(NamedTuple):
    """The mesh of one object."""

    category: str  # as the folder is called
    object_id: str
    path: pathlib.Path


def find_meshes(root: str | os.PathLike[str]) -> list[MeshFile]:
    """The meshes of a folder, sorted; UserError if there is none or if two are the same object."""
    root = pathlib.Path(root)
    if not root.is_dir():
        raise UserError(f"{root} is not a folder of <category>/<object>.glb")
    paths: dict[tuple[str, str], pathlib.Path] = {}
    for entry in sorted(root.glob("*/*")):
        for path in _meshes_of(entry):
            key = entry.parent.name, entry.stem if path == entry else entry.name
            if key in paths:
                raise UserError(
                    f"{paths[key]} and {path} would both become {'/'.join(key)}: rename or remove one of them"
                )
            paths[key] = path
    if not paths:
        raise UserError(
            f"{root} holds no <category>/<object> meshes ({' '.join(SUFFIXES)}) and no <category>/<object>/models/*.obj"
        )
    return [MeshFile(*key, path) for key, path in sorted(paths.items())]


def _meshes_of(entry: pathlib.Path) -> list[pathlib.Path]:
    """The mesh files of one object: `entry` itself, or the OBJ files of a folder of ShapeNet.

    ShapeNet v2 has models/*.obj, v1 model.obj; model_normalized.obj comes before all others.
    """
    if entry.name.startswith("."):  # an unfinished file of a program that was killed
        return []
    if entry.is_file():
        return [entry] if entry.suffix.lower() in SUFFIXES else []
    paths = sorted([*entry.glob("models/*.obj"), *entry.glob("model.obj")])
    return [path for path in paths if path.name == "model_normalized.obj"] or paths
