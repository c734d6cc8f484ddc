"""Mesh files of all formats -> one Mesh."""

import dataclasses
import os
import pathlib
from collections.abc import Callable

import trimesh

from preprocessing.meshes import gltf, obj, off, ply, stl
from preprocessing.meshes.scene import flatten
from utils.errors import UserError
from utils.mesh.mesh import Mesh


@dataclasses.dataclass(frozen=True)
class Format:
    """How files with one suffix are read."""

    read: Callable[[pathlib.Path], Mesh]


def _through_trimesh(read_scene: Callable[[pathlib.Path], trimesh.Scene], linear: bool = False) -> Format:
    """A format that is read as a scene of trimesh.

    `linear`: colour factors and vertex colours are linear light instead of sRGB.
    """
    return Format(lambda path: flatten(read_scene(path), linear, path))


FORMATS = {
    ".glb": _through_trimesh(gltf.read_scene, linear=True),
    ".gltf": _through_trimesh(gltf.read_scene, linear=True),
    ".obj": Format(obj.read_mesh),
    ".ply": Format(ply.read_mesh),
    ".off": Format(off.read_mesh),
    ".stl": Format(stl.read_mesh),
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
