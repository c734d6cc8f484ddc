"""Mesh files of all formats -> one Mesh."""

import os
import pathlib
from collections.abc import Callable

from preprocessing.meshes import off, stl
from preprocessing.meshes.copies import without_inner_copies
from preprocessing.meshes.gltf.read import read as read_gltf
from preprocessing.meshes.obj.read import read_mesh as read_obj
from preprocessing.meshes.ply.read import read_mesh as read_ply
from utils.errors import UserError
from utils.mesh.mesh import Mesh

READERS: dict[str, Callable[[pathlib.Path], Mesh]] = {
    ".glb": read_gltf,
    ".gltf": read_gltf,
    ".obj": read_obj,
    ".ply": read_ply,
    ".off": off.read_mesh,
    ".stl": stl.read_mesh,
}
SUFFIXES = tuple(READERS)


def load_mesh(path: str | os.PathLike[str]) -> Mesh:
    """Read a mesh file whose format is in READERS; a scene of several meshes becomes one Mesh.

    Parts of its look that cannot be read are reported as UserWarnings that name the file.

    Raises:
        UserError: the file cannot be used; names it and the reason.
    """
    path = pathlib.Path(path)
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise UserError(f"{path} is not a mesh that can be read: use one of {' '.join(SUFFIXES)}")
    if not path.is_file():
        raise UserError(f"{path} is missing")
    try:
        return without_inner_copies(reader(path))
    except UserError:
        raise
    except Exception as error:  # what a damaged file does to libraries has no common type
        reason = str(error).strip().splitlines()
        raise UserError(f"{path} cannot be read: {reason[0] if reason else type(error).__name__}") from error
