"""The parts of a mesh file -> one Mesh."""

import dataclasses
import pathlib

import numpy as np

from utils.errors import UserError
from utils.mesh.mesh import Material, Mesh, face_areas

# Smallest area of a face, over the square of the extent; smaller areas are rounding errors.
SMALLEST_FACE = 1e-14


def join(parts: list[Mesh], materials: list[Material], path: pathlib.Path) -> Mesh:
    """One Mesh of the parts of a file, without faces that have no area.

    Args:
        parts: in one frame, each without materials; face_material counts in `materials`.
        materials: of all parts.
        path: the mesh file, for errors.

    Raises:
        UserError: there is no triangle with an area, or a vertex is not finite.
    """
    if not parts:
        raise UserError(f"{path} holds no triangles")
    return _without_empty_faces(_concatenate(parts, materials), path)


def with_own_corners(mesh: Mesh) -> Mesh:
    """The same mesh with vertices of its own for each corner of a face, face after face."""
    order = mesh.faces.ravel()
    values = {name: getattr(mesh, name)[order] for name in ("vertices", "normals", "uv", "colours")}
    if mesh.emission_uv is not None:
        values["emission_uv"] = mesh.emission_uv[order]
    return dataclasses.replace(mesh, faces=np.arange(len(order)).reshape(-1, 3), **values)


def _concatenate(parts: list[Mesh], materials: list[Material]) -> Mesh:
    """One Mesh of many parts whose face_material already counts in `materials`."""
    starts = np.cumsum([0] + [len(part.vertices) for part in parts[:-1]])
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("vertices", "normals", "uv", "colours", "face_material")
    }
    if any(part.emission_uv is not None for part in parts):
        joined["emission_uv"] = np.concatenate(
            [part.uv if part.emission_uv is None else part.emission_uv for part in parts]
        )
    faces = np.concatenate([part.faces + start for part, start in zip(parts, starts, strict=True)])
    return Mesh(faces=faces, materials=materials, **joined)


def _without_empty_faces(mesh: Mesh, path: pathlib.Path) -> Mesh:
    """Drop faces that have no area; UserError if none is left or a vertex is not finite."""
    used = np.zeros(len(mesh.vertices), bool)
    used[mesh.faces] = True
    if not np.isfinite(mesh.vertices[used]).all():
        raise UserError(f"{path} has vertices that are not finite")
    areas = face_areas(mesh.vertices, mesh.faces)
    corners = mesh.vertices[mesh.faces[areas > 0].ravel()]
    extent = np.ptp(corners, axis=0).max() if len(corners) else 0.0
    solid = areas > SMALLEST_FACE * extent**2
    if not solid.any():
        raise UserError(f"{path} has no face with an area")
    if solid.all():
        return mesh
    return dataclasses.replace(mesh, faces=mesh.faces[solid], face_material=mesh.face_material[solid])
