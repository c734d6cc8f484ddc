"""One piece of furniture -> GLB: rotated and stretched as the catalogue says."""

import dataclasses
import hashlib
import json
import pathlib
import posixpath
import warnings
from typing import NamedTuple

import numpy as np

from preprocessing.library.archive import Archive
from preprocessing.library.catalogue import Piece
from preprocessing.meshes.load import load_mesh
from utils.errors import reason_of
from utils.mesh.glb import read_asset, shrink_textures, write_glb
from utils.mesh.mesh import Mesh
from utils.processes import DIED

FORMAT = 2  # counts changes of this file after which models are to be written again
FLAT = 1e-6  # extent, over the longest one, below which a model is flat and not stretched


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the contents of a written model depend on besides the library."""

    texture_size: int = 512  # longest side of a texture, in texels


class Task(NamedTuple):
    """A piece to convert."""

    piece: Piece
    folder: pathlib.Path  # the unpacked library
    out: pathlib.Path  # GLB file
    digest: str  # of all that the model depends on
    settings: Settings


def digest_of(piece: Piece, archive: Archive, settings: Settings) -> str:
    """A hash of all that a written model depends on; two pieces differ in it if their models do."""
    size = None if piece.size is None else piece.size.tolist()
    # a model takes textures from its folder and the one around (preprocessing/meshes/side_files.py)
    content = archive.checksum(posixpath.dirname(posixpath.dirname(piece.model)))
    parts = [FORMAT, settings.texture_size, piece.model, piece.rotation.tolist(), size, _copyright(piece), content]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def is_done(path: pathlib.Path, digest: str) -> bool:
    """Whether a file was written from the same content with the same settings."""
    extras = read_asset(path).get("extras")  # the file may be any GLB
    return isinstance(extras, dict) and extras.get("digest") == digest


def convert(task: Task) -> tuple[list[str], str | None]:
    """Write a piece as GLB; returns its warnings, and the reason if it cannot be used."""
    piece = task.piece
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        try:
            mesh = load_mesh(task.folder / piece.model)
            if piece.size is None:
                warnings.warn(f"{piece.model}: its size is missing, it keeps that of its file", stacklevel=1)
            placed = place(mesh, piece.rotation, piece.size)
            asset = {"copyright": _copyright(piece), "extras": {"digest": task.digest}}
            write_glb(task.out, shrink_textures(placed, task.settings.texture_size), asset)
            reason = None
        except Exception as error:  # one strange model must not end the run over all others
            reason = f"{piece.source}: {_inside(reason_of(error, piece.model), task)}"
    notes = dict.fromkeys(_inside(str(warning.message), task) for warning in caught)
    return [f"{piece.library.file}: {note}" for note in notes], reason


def process_died(task: Task) -> tuple[list[str], str | None]:
    """The result of a piece whose conversion killed its process."""
    return [], f"{task.piece.source}: {DIED}"


def place(mesh: Mesh, rotation: np.ndarray, size: np.ndarray | None) -> Mesh:
    """Turn a model, stretch its bounding box to a size, and stand it on the floor at the origin.

    Args:
        mesh: the model, y up after the rotation, front towards +z.
        rotation: (3, 3), for column vectors; a mirror is fine.
        size: (3,) extent along x, y and z; along an axis where the model is flat, nothing is
            stretched. None: the extent stays.

    Returns:
        The mesh; the middle of its underside is the origin.
    """
    vertices = mesh.vertices @ rotation.T
    corners = vertices[mesh.faces.ravel()]
    low, high = corners.min(0), corners.max(0)
    scale = np.ones(3)
    if size is not None:
        extent = high - low
        solid = extent > FLAT * extent.max()
        scale[solid] = size[solid] / extent[solid]
        scale[~solid] = scale[solid].mean()
    origin = np.array([(low[0] + high[0]) / 2, low[1], (low[2] + high[2]) / 2])
    matrix = rotation.T * scale  # of row vectors: rotated, then stretched
    normals = mesh.normals @ np.linalg.inv(matrix).T
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)  # normals of length 0 stay 0
    faces = mesh.faces[:, ::-1] if np.linalg.det(rotation) < 0 else mesh.faces  # a mirror reverses the winding
    return dataclasses.replace(mesh, vertices=(vertices - origin) * scale, normals=normals, faces=faces)


def _copyright(piece: Piece) -> str:
    """Who made a piece and its licence, in one line."""
    by = f" by {piece.creator}" if piece.creator else ""
    return ", ".join(part for part in (f"{piece.name}{by}", piece.library.name, piece.licence) if part)


def _inside(message: str, task: Task) -> str:
    """A message that names files as they are called in the library."""
    return message.replace(f"{task.folder}/", "")
