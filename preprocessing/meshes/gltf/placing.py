"""A surface at one of its places: a part of the resulting mesh."""

import dataclasses

import numpy as np

from preprocessing.meshes.colours import to_rgba
from preprocessing.meshes.gltf.accessors import normalised
from preprocessing.meshes.gltf.materials import Look
from preprocessing.meshes.gltf.primitives import Surface
from preprocessing.meshes.parts import with_own_corners
from utils.mesh.light import linear_to_srgb
from utils.mesh.mesh import Mesh, area_vectors

EQUAL = 1e-6  # difference of normals that is rounding


def place(surface: Surface, matrices: np.ndarray, look: Look) -> Mesh:
    """A surface in the frame of the scene; its face_material is the index of the look.

    Without normals its faces are flat (section 3.7.2.1 of the specification), and the corners of
    faces that meet at an angle become vertices of their own.

    Args:
        surface: in the frame of its mesh.
        matrices: (1, 3, 4) affine map of all vertices, or (V, 3, 4) of each.
        look: of all faces.
    """
    linear, attributes = matrices[:, :, :3], surface.attributes
    vertices = _mapped(linear, attributes["POSITION"].astype(np.float64)) + matrices[:, :, 3]
    count = len(vertices)
    shown = look.emission if look.base is None else look.base  # a texture alone needs no coordinates of its own
    mirrored = np.broadcast_to(np.linalg.det(linear) < 0, count)
    # a mirror reverses the winding
    faces = np.where(mirrored[surface.faces[:, :1]], surface.faces[:, ::-1], surface.faces)
    normals = attributes.get("NORMAL")
    mesh = Mesh(
        vertices=vertices,
        faces=faces,
        normals=np.zeros((count, 3)) if normals is None else _mapped_normals(linear, normals),
        uv=np.zeros((count, 2)) if shown is None else shown.of(attributes, count),
        colours=_colours(attributes.get("COLOR_0"), count),
        face_material=np.full(len(faces), look.index),
        materials=[],
        emission_uv=None if look.emission in (None, shown) else look.emission.of(attributes, count),
    )
    return _flat(mesh) if normals is None else mesh


def _flat(mesh: Mesh) -> Mesh:
    """A mesh without normals with those of its faces; 0 where a face has no area."""
    areas = area_vectors(mesh.vertices, mesh.faces)
    normals = areas / np.maximum(np.linalg.norm(areas, axis=1, keepdims=True), np.finfo(float).tiny)
    of_vertices = np.zeros_like(mesh.vertices)
    of_vertices[mesh.faces] = normals[:, None]
    if np.allclose(of_vertices[mesh.faces], normals[:, None], rtol=0, atol=EQUAL):
        return dataclasses.replace(mesh, normals=of_vertices)
    return dataclasses.replace(with_own_corners(mesh), normals=np.repeat(normals, 3, axis=0))


def _mapped(matrices: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """(1 or V, 3, 3) matrices times (V, 3) vectors."""
    return vectors @ matrices[0].T if len(matrices) == 1 else np.einsum("vij,vj->vi", matrices, vectors)


def _mapped_normals(linear: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(V, 3) normals of the file -> (V, 3) unit normals; `linear` is (1 or V, 3, 3)."""
    # The cofactors are the inverse transpose times the determinant. Unlike the inverse they exist
    # for maps that make a part flat.
    a, b, c = linear[:, 0], linear[:, 1], linear[:, 2]
    cofactors = np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], 1)
    cofactors *= np.where(np.linalg.det(linear) < 0, -1, 1)[:, None, None]
    mapped = np.nan_to_num(_mapped(cofactors, normalised(normals).astype(np.float64)))
    return mapped / np.maximum(np.linalg.norm(mapped, axis=1, keepdims=True), 1e-30)


def _colours(linear: np.ndarray | None, count: int) -> np.ndarray:
    """(V, 4) display colours of linear light; white without any."""
    if linear is None:
        return np.ones((count, 4))
    colours = to_rgba(linear)  # integers that are not said to be normalised are so all the same
    if (colours != 1).any():  # rounding would turn white into a tint
        colours[:, :3] = linear_to_srgb(colours[:, :3])
    return colours
