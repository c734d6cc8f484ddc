"""The meshes of a folder: <category>/<object>.glb and ShapeNet's layout."""

import pathlib

from preprocessing.meshes.load import SUFFIXES
from utils.errors import UserError


def find_meshes(root):
    """[(category, object id, mesh path)] of a folder of meshes, sorted; UserError if two meshes are one object."""
    root = pathlib.Path(root)
    if not root.is_dir():
        raise UserError(f"{root} is not a folder of <category>/<object>.glb")
    found = {}
    for path in sorted(root.glob("*/*")):
        if path.name.startswith("."):  # a file that was being written when its program was killed
            continue
        meshes = (
            [path] if path.is_file() and path.suffix.lower() in SUFFIXES else _shapenet(path) if path.is_dir() else []
        )
        for mesh in meshes:
            key = path.parent.name, path.stem if mesh is path else path.name
            if key in found:
                raise UserError(
                    f"{found[key]} and {mesh} would both become {'/'.join(key)}: rename or remove one of them"
                )
            found[key] = mesh
    if not found:
        raise UserError(
            f"{root} holds no <category>/<object> meshes ({' '.join(SUFFIXES)}) and no <category>/<object>/models/*.obj"
        )
    return [(*key, mesh) for key, mesh in sorted(found.items())]


def _shapenet(folder):
    """The OBJ file of a ShapeNet object folder (v2: models/*.obj, v1: model.obj), or none."""
    meshes = sorted([*folder.glob("models/*.obj"), *folder.glob("model.obj")])
    return [mesh for mesh in meshes if mesh.name == "model_normalized.obj"] or meshes
