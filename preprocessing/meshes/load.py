"""Mesh files of all formats -> one Mesh."""

import dataclasses
import os
import pathlib
from collections.abc import Callable

import trimesh

from preprocessing.meshes import obj, off
from preprocessing.meshes.gltf import read as gltf
from preprocessing.meshes.scene import flatten
from utils.errors import UserError
from utils.mesh.mesh import Mesh


@dataclasses.dataclass(frozen=True)
class Format:
    """How files with one suffix are read."""

    read: Callable[[pathlib.Path], Mesh]


def _through_trimesh(read_scene: Callable[[pathlib.Path], trimesh.Scene]) -> Format:
    """A format that is read as a scene of trimesh."""
    return Format(lambda path: flatten(read_scene(path), path))


def _read_with_trimesh(path: pathlib.Path) -> trimesh.Scene:
    """Read a file whose format trimesh handles completely."""
    return trimesh.load_scene(path, process=False)


FORMATS = {
    ".glb": Format(gltf.read),
    ".gltf": Format(gltf.read),
    ".obj": _through_trimesh(obj.read_scene),
    ".ply": _through_trimesh(_read_with_trimesh),
    ".off": _through_trimesh(off.read_scene),
}
SUFFIXES = tuple(FORMATS)


def load_mesh(path: str | os.PathLike[str]) -> Mesh:
    """Read a mesh file of one of the FORMATS; a scene of several meshes becomes one Mesh.

    A missing texture is reported as a UserWarning and replaced by the colour factor of its
    material. UserError (file and reason) if the file cannot be used.
    """
    path = pathlib.Path(path)
    file_format = FORMATS.get(path.suffix.lower())
    if file_format is None:
        raise UserError(f"{path} is not a mesh that can be read: use one of {' '.join(SUFFIXES)}")
    if not path.is_file():
        raise UserError(f"{path} is missing")
    try:
        return file_format.read(path)
    except UserError:
        raise
    except Exception as error:  # every reader of trimesh raises its own kinds of errors
        reason = str(error).strip().splitlines()
        raise UserError(f"{path} cannot be read: {reason[0] if reason else type(error).__name__}") from error
