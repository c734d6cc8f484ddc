"""The meshes of a folder: <category>/<object>.glb and ShapeNet's layout."""

import os
import pathlib
from typing import NamedTuple

from data.raw_layout import hidden
from preprocessing.meshes.load import SUFFIXES
from utils.errors import UserError
from utils.files import distinct_names


class MeshFile(NamedTuple):
    """The mesh of one object."""

    category: str  # as the folder is called
    object_id: str
    path: pathlib.Path


def find_meshes(root: str | os.PathLike[str]) -> list[MeshFile]:
    """The meshes of a folder, sorted; UserError if there is none.

    Of several with one name in a category, all but the first are numbered; prints a line for each.
    """
    root = pathlib.Path(root)
    if not root.is_dir():
        raise UserError(f"{root} is not a folder of <category>/<object>.glb")
    meshes_of: dict[str, list[tuple[str, pathlib.Path]]] = {}  # category -> names and paths
    for entry in sorted(root.glob("*/*")):
        for path in (path for path in _meshes_of(entry) if not hidden(path, root)):
            name = entry.stem if path == entry else entry.name
            meshes_of.setdefault(entry.parent.name, []).append((name, path))
    if not meshes_of:
        raise UserError(
            f"{root} holds no <category>/<object> meshes ({' '.join(SUFFIXES)}) and no <category>/<object>/models/*.obj"
        )
    files = []
    for category, meshes in meshes_of.items():
        for (name, path), distinct in zip(meshes, distinct_names([name for name, _ in meshes]), strict=True):
            if distinct != name:
                print(f"{path}: becomes {category}/{distinct}, since there is another {category}/{name}")
            files.append(MeshFile(category, distinct, path))
    return sorted(files)


def _meshes_of(entry: pathlib.Path) -> list[pathlib.Path]:
    """The mesh files of one object: `entry` itself, or the OBJ files of a folder of ShapeNet.

    ShapeNet v2 has models/*.obj, v1 model.obj; model_normalized.obj comes before all others.
    """
    if not entry.is_dir():  # a link to nothing too, so that it is reported as missing
        return [entry] if entry.suffix.lower() in SUFFIXES else []
    paths = sorted([*entry.glob("models/*.obj"), *entry.glob("model.obj")])
    return [path for path in paths if path.name == "model_normalized.obj"] or paths
