"""Faces that are stored twice, once for each side: the copies that show their inner side go.

Many files, such as those of ShapeNet, have every face a second time in the opposite order, often
with another colour. Renderers that hide back faces show the outer one; for rays and for samples
both lie at the same place.
"""

import dataclasses

import numpy as np
import trimesh
from scipy.spatial import cKDTree

from preprocessing.meshes.patches import Patches, distinct_places, find_patches
from preprocessing.meshes.visibility import Visibility
from utils.mesh.mesh import Material, Mesh, area_vectors
from utils.mesh.ray_scene import RayScene

PLANES = 250  # steps of normals and heights: faces in the same ones may share a plane
SHIFT = 0.381966  # of a step, so that usual normals and heights do not lie between two
UPWARD = np.array([0.5, 0.618034, 0.732051])  # no usual plane contains it
PROBES = np.concatenate(  # weights of the corners of a face: places where it must be covered
    [np.full((1, 3), 1 / 3), 0.05 + 0.85 * np.eye(3), 0.49 - 0.47 * np.eye(3)]
)
NEAR, TOUCHING = 1e-3, 1e-5  # of the extent: where rays start, how far the surfaces may be apart


def without_inner_copies(mesh: Mesh) -> Mesh:
    """Remove the faces that show inside what their copy of the opposite order shows outside.

    Where both sides of a pair are seen from outside, as of a sheet, both faces stay, and so do
    copies behind a face with holes in its texture.
    """
    surface = _without_unused_vertices(mesh)
    pair = _opposite(distinct_places(surface.vertices)[1][surface.faces])
    doubled = pair >= 0
    meeting = ~doubled & _meets_opposite(surface)
    if not (doubled | meeting).any():
        return mesh
    own = _votes(surface, find_patches(surface))
    other = np.where(doubled, own[pair], 1)
    opaque = np.array([_is_opaque(material) for material in mesh.materials])[mesh.face_material]
    inner = doubled & (own > 0) & (other < 0) & opaque[pair]
    hidden = np.flatnonzero(meeting & (own > 0))
    inner[hidden] = _covered(surface, hidden, (own < 0) & opaque)
    return dataclasses.replace(mesh, faces=mesh.faces[~inner], face_material=mesh.face_material[~inner])


def _without_unused_vertices(mesh: Mesh) -> Mesh:
    """The vertices and faces of a mesh; vertices of no face may lie anywhere, and be no numbers."""
    used = np.zeros(len(mesh.vertices), bool)
    used[mesh.faces] = True
    if used.all():
        return mesh
    return dataclasses.replace(mesh, vertices=mesh.vertices[used], faces=(np.cumsum(used) - 1)[mesh.faces])


def _order(faces: np.ndarray) -> np.ndarray:
    """(F, 3) -> (F,) 1 or -1 by the order of the corners, 0 where two of them are one."""
    a, b, c = faces.astype(np.int64).T
    return np.sign(a - b) * np.sign(b - c) * np.sign(c - a)


def _opposite(faces: np.ndarray) -> np.ndarray:
    """(F, 3) -> (F,) a face of the same corners in the opposite order, -1 where there is none."""
    corners, order = trimesh.grouping.unique_rows(np.sort(faces, 1))[1].reshape(-1), _order(faces)
    count = int(corners.max()) + 1
    of_order = {}
    for sign in (1, -1):
        of_order[sign] = np.full(count, -1)
        of_order[sign][corners[order == sign]] = np.flatnonzero(order == sign)
    result = np.where(order == 1, of_order[-1][corners], of_order[1][corners])
    return np.where(order == 0, -1, result)


def _meets_opposite(mesh: Mesh) -> np.ndarray:
    """(F,) whether a face has, in its plane, other faces that face the opposite way."""
    areas = area_vectors(mesh.vertices, mesh.faces)
    length = np.linalg.norm(areas, axis=1, keepdims=True)
    normals = areas / np.maximum(length, np.finfo(float).tiny)
    sign = np.where(normals @ UPWARD < 0, -1, 1)
    middle, extent = mesh.vertices.mean(0), np.ptp(mesh.vertices, axis=0).max()
    height = np.einsum("fi,fi->f", mesh.vertices[mesh.faces].mean(1) - middle, normals) / extent
    planes = np.column_stack([normals * PLANES, height * PLANES]) * sign[:, None] + SHIFT
    plane = trimesh.grouping.unique_rows(np.floor(planes).astype(np.int64))[1].reshape(-1)
    both = (np.bincount(plane, sign > 0) > 0) & (np.bincount(plane, sign < 0) > 0)
    return both[plane] & (length[:, 0] > 0)


def _covered(mesh: Mesh, hidden: np.ndarray, outer: np.ndarray) -> np.ndarray:
    """(N,) whether faces (N,) `hidden` lie all over on faces (F,) `outer` of the opposite order."""
    if not len(hidden) or not outer.any():
        return np.zeros(len(hidden), bool)
    middle, extent = mesh.vertices.mean(0), np.ptp(mesh.vertices, axis=0).max()
    vertices = (mesh.vertices - middle) / extent
    normals = area_vectors(vertices, mesh.faces[hidden])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    places = np.einsum("pk,fki->fpi", PROBES, vertices[mesh.faces[hidden]])
    hits = RayScene(vertices, mesh.faces[outer]).cast(places + NEAR * normals[:, None], -normals[:, None])
    touching = np.abs(hits["t_hit"] - NEAR) < TOUCHING
    opposite = np.einsum("fpi,fi->fp", hits["primitive_normals"], normals) < 0
    return (touching & opposite).all(1)


def _votes(mesh: Mesh, patches: Patches) -> np.ndarray:
    """(F,) from -1 where the front of a face faces outside, to 1 where it faces inside.

    0 for faces that are in no patch.
    """
    if patches.closed.all():
        sides = np.tile([-1.0, 1.0], (len(patches.faces), 1))
    else:
        sides = Visibility(patches).votes[:-1].reshape(-1, 2)
    faces = cKDTree(patches.vertices).query(mesh.vertices)[1][mesh.faces]
    corners = trimesh.grouping.unique_rows(np.sort(np.concatenate([patches.faces, faces]), 1))[1].reshape(-1)
    known = np.full(int(corners.max()) + 1, -1)
    known[corners[: len(patches.faces)]] = np.arange(len(patches.faces))
    index = known[corners[len(patches.faces) :]]
    same = _order(faces) == _order(patches.faces)[index]
    return np.where(index >= 0, np.where(same, sides[index, 0], sides[index, 1]), 0)


def _is_opaque(material: Material) -> bool:
    """Whether no texel of a material is a hole."""
    least = 1.0 if material.image is None else material.image[..., 3].min() / 255
    return bool(material.factor[3] * least >= material.alpha_cutoff)
