"""The parts of an object -> one textured scene with smooth normals."""

from collections.abc import Sequence

import numpy as np
import scipy.sparse
import trimesh

from preprocessing.shapes.parts import Part, face_normals

CREASE = np.cos(np.radians(40))  # sharper edges stay sharp: 12-sided tubes look round, octagons do not


def _smooth(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(F, 3, 3) corner normals.

    Faces that meet at less than the crease angle are averaged, weighted by their angles at the
    corner.
    """
    unit = np.repeat(face_normals(points, faces), 3, 0)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
    angles = trimesh.triangles.angles(points[faces]).reshape(-1, 1)
    normals = unit * np.maximum(angles, 1e-6)  # a sliver still has its own normal
    corners = len(normals)
    at = scipy.sparse.csr_array((np.ones(corners), (np.arange(corners), faces.ravel())), shape=(corners, len(points)))
    pairs = (at @ at.T).tocoo()
    near = np.einsum("ij,ij->i", unit[pairs.row], unit[pairs.col]) > CREASE
    total = np.zeros_like(normals)
    for axis in range(3):
        total[:, axis] = np.bincount(pairs.row[near], normals[pairs.col[near], axis], minlength=corners)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.where(length > 1e-12, total / np.maximum(length, 1e-12), [0, 1, 0]).reshape(-1, 3, 3)


def to_scene(parts: Sequence[Part]) -> trimesh.Scene:
    """A scene of the parts, one mesh per image; it stands on y = 0 and its longest side is 1."""
    vertices = np.concatenate([part.vertices for part in parts])
    low, high = vertices.min(0), vertices.max(0)
    origin, scale = np.array([(low[0] + high[0]) / 2, low[1], (low[2] + high[2]) / 2]), 1 / (high - low).max()
    scene = trimesh.Scene()
    images = list({id(part.image): part.image for part in parts}.values())
    for number, image in enumerate(images):
        corners = []  # (N, 8) each: point, normal, uv
        for part in parts:
            if part.image is image:
                points = (part.vertices - origin) * scale
                normals = _smooth(points, part.faces)
                corners.append(np.concatenate([points[part.faces], normals, part.uv], 2).reshape(-1, 8))
        # float32 as in the file: corners that agree there become one vertex
        rows, faces = np.unique(np.concatenate(corners).astype(np.float32).round(6), axis=0, return_inverse=True)
        material = trimesh.visual.material.PBRMaterial(
            name=f"material_{number}", baseColorTexture=image, metallicFactor=0.0, roughnessFactor=0.8
        )
        mesh = trimesh.Trimesh(
            vertices=rows[:, :3], faces=faces.reshape(-1, 3), vertex_normals=rows[:, 3:6], process=False,
            visual=trimesh.visual.TextureVisuals(uv=rows[:, 6:].clip(0, 1), material=material),
        )  # fmt: skip
        scene.add_geometry(mesh, node_name=f"part_{number}", geom_name=f"part_{number}")
    return scene
