"""OBJ files: trimesh reads them, but does not warn of missing material and texture files."""

import pathlib
import re
import warnings

import trimesh


def read_scene(path: pathlib.Path) -> trimesh.Scene:
    """Read an .obj file; warns of material libraries and textures that are missing."""
    _warn_of_missing_files(path)
    return trimesh.load_scene(path, process=False)


def _warn_of_missing_files(path: pathlib.Path) -> None:
    """Warn of the missing files that an OBJ file or one of its material libraries names."""
    names = []
    for library in _statements(path, "mtllib"):
        names.append(library)
        names += _statements(path.parent / library, "map_Kd")
    for name in dict.fromkeys(names):
        if not (path.parent / name).is_file():
            warnings.warn(f"{path}: {name} is missing, plain colours are used instead", stacklevel=4)


def _statements(path: pathlib.Path, keyword: str) -> list[str]:
    """The arguments of the `keyword` lines of an OBJ or MTL file; none if the file is missing."""
    if not path.is_file():
        return []
    with open(path, errors="replace") as lines:
        return [match[1] for match in (re.match(rf"\s*{keyword}\s+(.*\S)", line) for line in lines) if match]
