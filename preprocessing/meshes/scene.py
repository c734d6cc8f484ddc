"""A trimesh scene -> one Mesh."""

import pathlib
import warnings
from typing import Any

import numpy as np
import trimesh

from preprocessing.meshes.colours import to_rgba
from preprocessing.meshes.materials import MaterialTable
from preprocessing.meshes.parts import join
from utils.mesh.mesh import Mesh


def flatten(scene: trimesh.Scene, path: pathlib.Path) -> Mesh:
    """All triangles of a scene in its frame, without faces that have no area.

    Args:
        scene: geometries and their places.
        path: the mesh file, for errors and warnings.

    Raises:
        UserError: there is no triangle with an area, or a vertex is not finite.
    """
    table = MaterialTable(path)
    parts = []
    for node in scene.graph.nodes_geometry:
        transform, name = scene.graph[node]
        geometry = scene.geometry[name]
        if isinstance(geometry, trimesh.Trimesh) and len(geometry.faces):
            parts.append(_part(geometry, transform, table, path))
    return join(parts, table.materials, path)


def _part(geometry: trimesh.Trimesh, transform: np.ndarray, table: MaterialTable, path: pathlib.Path) -> Mesh:
    """One geometry, placed by `transform` (4, 4), as a Mesh; face_material counts in `table`."""
    vertices, normals, faces = _placed(geometry, transform)
    visual = geometry.visual
    uv, colours = np.zeros((len(vertices), 2)), np.ones((len(vertices), 4))
    if visual.kind == "texture":
        uv = _texture_coordinates(visual, uv, path)
        attribute = visual.vertex_attributes.get("color")
        if attribute is not None and len(attribute) == len(vertices):
            colours = to_rgba(attribute)
    elif visual.kind == "vertex":
        colours = to_rgba(visual.vertex_colors)
    elif visual.kind == "face":  # every face gets its own vertices, with its colour
        colours = np.repeat(to_rgba(visual.face_colors), 3, 0)
        corners = faces.ravel()
        vertices, normals, uv = vertices[corners], normals[corners], uv[corners]
        faces = np.arange(len(corners)).reshape(-1, 3)
    colours[:, 3] = 1  # the fourth channel of PLY, OFF and OBJ colours means nothing in many files
    return Mesh(vertices, faces, normals, uv, colours, np.full(len(faces), table.index_of(visual)), [])


def _placed(geometry: trimesh.Trimesh, transform: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices (V, 3), unit normals (V, 3), faces (F, 3) of a geometry in its scene's frame."""
    matrix = transform[:3, :3]
    determinant = np.linalg.det(matrix)
    vertices = geometry.vertices @ matrix.T + transform[:3, 3]
    normals = np.array(geometry.vertex_normals)
    if abs(determinant) > 0:  # otherwise the part is flat or a point, and normals mean nothing
        normals = normals @ np.linalg.inv(matrix)  # rows n: (M^-T n)^T = n^T M^-1
        length = np.linalg.norm(normals, axis=1, keepdims=True)
        normals /= np.maximum(length, 1e-12)  # normals of length 0 stay 0
    faces = np.array(geometry.faces, np.int64)
    return vertices, normals, faces[:, ::-1] if determinant < 0 else faces  # a mirror reverses the winding


def _texture_coordinates(visual: Any, missing: np.ndarray, path: pathlib.Path) -> np.ndarray:
    """(V, 2) texture coordinates of a visual, or `missing` if it has none.

    Warns if it has a texture all the same.
    """
    if visual.uv is not None and len(visual.uv) == len(missing):
        return np.nan_to_num(np.asarray(visual.uv, np.float64), posinf=0, neginf=0)
    material = visual.material
    if getattr(material, "baseColorTexture", getattr(material, "image", None)) is not None:
        warnings.warn(f"{path}: a textured part has no texture coordinates", stacklevel=4)
    return missing
