"""Textured triangle meshes in memory: materials, the object frame, colours at points of faces."""

import dataclasses

import numpy as np
import trimesh

ABSENT = 0.05  # opacity below which a texel counts as a hole, unless the material says otherwise


@dataclasses.dataclass
class Material:
    """The look of a face: factor x texture x vertex colour, all of them display (sRGB) values."""

    factor: np.ndarray  # (4,) float RGBA in [0, 1]
    image: np.ndarray | None = None  # (H, W, 4) uint8 RGBA texture, row 0 is v = 1
    alpha_cutoff: float = ABSENT  # texels with an alpha below it are holes


@dataclasses.dataclass
class Mesh:
    """The triangles of one object, with all its materials in one list."""

    vertices: np.ndarray  # (V, 3) float64
    faces: np.ndarray  # (F, 3) int64, counter-clockwise seen from outside
    normals: np.ndarray  # (V, 3) unit vertex normals
    uv: np.ndarray  # (V, 2) texture coordinates, v up; zeros where a vertex has none
    colours: np.ndarray  # (V, 4) float RGBA in [0, 1]; ones where a vertex has none
    face_material: np.ndarray  # (F,) index into materials
    materials: list[Material]


def coloured_mesh(vertices: np.ndarray, faces: np.ndarray, colours: np.ndarray) -> Mesh:
    """A Mesh without texture: (V, 3) vertices, (F, 3) faces, (V, 3) vertex colours in [0, 1]."""
    vertices, faces = np.asarray(vertices, np.float64), np.asarray(faces, np.int64)
    return Mesh(
        vertices=vertices,
        faces=faces,
        normals=np.array(trimesh.Trimesh(vertices, faces, process=False).vertex_normals),
        uv=np.zeros((len(vertices), 2)),
        colours=np.concatenate([np.clip(colours, 0, 1), np.ones((len(vertices), 1))], 1),
        face_material=np.zeros(len(faces), np.int64),
        materials=[Material(np.ones(4))],
    )


def normalise(mesh: Mesh) -> tuple[Mesh, np.ndarray, float]:
    """Move a mesh into the object frame, p = (x - centre) * scale.

    The bounding box of the faces is then centred in the cube [-0.5, 0.5]^3, and its longest side
    is 1. Returns the mesh, the centre (3,) and the scale.
    """
    corners = mesh.vertices[mesh.faces.ravel()]
    low, high = corners.min(0), corners.max(0)
    centre, scale = (low + high) / 2, 1 / (high - low).max()
    return dataclasses.replace(mesh, vertices=(mesh.vertices - centre) * scale), centre, float(scale)


def face_areas(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V, 3) vertices, (F, 3) faces -> (F,) areas."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2


def interpolate(values: np.ndarray, corners: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(V, C) vertex values, (N, 3) vertex indices, (N, 3) barycentric weights -> (N, C) values."""
    return sum(values[corners[:, k]] * weights[:, k, None] for k in range(3))


def albedo(mesh: Mesh, face: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The unlit colour at points of a mesh.

    Args:
        mesh: the mesh.
        face: (N,) index of the face that each point lies on.
        weights: (N, 3) barycentric weights of the points.

    Returns:
        rgba: (N, 4) float32 in [0, 1].
        present: (N,) bool, False in the holes: where alpha is below the cutoff of the material.
    """
    corners, material = mesh.faces[face], mesh.face_material[face]
    factors = np.array([m.factor for m in mesh.materials], np.float32)
    cutoffs = np.array([m.alpha_cutoff for m in mesh.materials], np.float32)
    rgba = factors[material]
    if (mesh.colours != 1).any():  # textured meshes have no vertex colours; this would be half of the work
        rgba *= interpolate(mesh.colours, corners, weights).astype(np.float32)
    for index, textured in enumerate(mesh.materials):
        if textured.image is not None:
            points = np.flatnonzero(material == index)
            rgba[points] *= sample_texture(textured.image, interpolate(mesh.uv, corners[points], weights[points]))
    return rgba, rgba[:, 3] >= cutoffs[material]


def sample_texture(image: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """Bilinear lookup in a repeating texture: (H, W, 4) uint8, (N, 2) uv -> (N, 4) float32.

    The result is in [0, 1]; v points up. The centre of a texel lies at
    ((column + 0.5) / W, 1 - (row + 0.5) / H).
    """
    height, width = image.shape[:2]
    x, y = uv[:, 0] * width - 0.5, (1 - uv[:, 1]) * height - 0.5
    left, top = np.floor(x), np.floor(y)
    fx, fy = (x - left).astype(np.float32)[:, None], (y - top).astype(np.float32)[:, None]
    x0, y0 = np.mod(left, width).astype(np.int64), np.mod(top, height).astype(np.int64)
    x1, y1 = (x0 + 1) % width, (y0 + 1) % height
    texels = image.reshape(-1, 4)
    upper = texels[y0 * width + x0] * (1 - fx) + texels[y0 * width + x1] * fx
    lower = texels[y1 * width + x0] * (1 - fx) + texels[y1 * width + x1] * fx
    return (upper * (1 - fy) + lower * fy) / np.float32(255)
