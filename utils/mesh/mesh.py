"""Textured meshes: reading files into one flat structure, the object frame, and the colour at a point of a face."""

import dataclasses

import numpy as np

ABSENT = 0.05  # below this opacity there is nothing to see


@dataclasses.dataclass
class Material:
    """What a face looks like: factor x texture x vertex colour, display (sRGB) values."""

    factor: np.ndarray  # (4,) float RGBA in [0, 1]
    image: np.ndarray | None = None  # (H, W, 4) uint8 RGBA, row 0 is v = 1
    alpha_cutoff: float = ABSENT  # texels with alpha below it are absent


@dataclasses.dataclass
class Mesh:
    """Triangles of one object; all materials together, one index of a material per face."""

    vertices: np.ndarray  # (V, 3) float64
    faces: np.ndarray  # (F, 3) int64, counter-clockwise seen from outside
    normals: np.ndarray  # (V, 3) unit vertex normals
    uv: np.ndarray  # (V, 2) texture coordinates, v up, zeros where there are none
    colours: np.ndarray  # (V, 4) float RGBA in [0, 1], ones where there are none
    face_material: np.ndarray  # (F,) index into materials
    materials: list[Material]


def coloured_mesh(vertices, faces, colours):
    """A Mesh from (V, 3) vertices, (F, 3) faces and (V, 3) vertex colours in [0, 1], without texture."""
    import trimesh

    vertices, faces = np.asarray(vertices, np.float64), np.asarray(faces, np.int64)
    normals = np.array(trimesh.Trimesh(vertices, faces, process=False).vertex_normals)
    rgba = np.concatenate([np.clip(colours, 0, 1), np.ones((len(vertices), 1))], 1)
    return Mesh(
        vertices,
        faces,
        normals,
        np.zeros((len(vertices), 2)),
        rgba,
        np.zeros(len(faces), np.int64),
        [Material(np.ones(4))],
    )


def normalise(mesh):
    """The mesh in the object frame, p = (x - centre) * scale; gives (mesh, centre (3,), scale).

    The bounding box of the faces is centred in the cube [-0.5, 0.5]^3 and its longest side is 1.
    """
    used = mesh.vertices[mesh.faces.ravel()]
    low, high = used.min(0), used.max(0)
    centre, scale = (low + high) / 2, 1 / (high - low).max()
    return dataclasses.replace(mesh, vertices=(mesh.vertices - centre) * scale), centre, float(scale)


def face_areas(mesh):
    """(F,) areas of the faces."""
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    return np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2


def interpolate(values, corners, weights):
    """(V, C) vertex values, (N, 3) vertex indices, (N, 3) barycentric weights -> (N, C)."""
    return sum(values[corners[:, k]] * weights[:, k, None] for k in range(3))


def albedo(mesh, face, weights):
    """Colour without light at barycentric `weights` (N, 3) of faces `face` (N,).

    Gives RGBA (N, 4) float32 in [0, 1] and whether there is any surface at all (N,) bool: texels whose alpha
    is below the cutoff of their material are holes.
    """
    corners, material = mesh.faces[face], mesh.face_material[face]
    factors = np.array([m.factor for m in mesh.materials], np.float32)
    cutoffs = np.array([m.alpha_cutoff for m in mesh.materials], np.float32)
    rgba = factors[material]
    if (mesh.colours != 1).any():  # textured meshes have none, and this would be half of the work
        rgba *= interpolate(mesh.colours, corners, weights).astype(np.float32)
    for index, each in enumerate(mesh.materials):
        if each.image is not None:
            here = np.flatnonzero(material == index)
            rgba[here] *= texel(each.image, interpolate(mesh.uv, corners[here], weights[here]))
    return rgba, rgba[:, 3] >= cutoffs[material]


def texel(image, uv):
    """Bilinear, repeating texture lookup: (H, W, 4) uint8, (N, 2) uv with v up -> (N, 4) float32 in [0, 1].

    Texel centres lie at ((column + 0.5) / W, 1 - (row + 0.5) / H).
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
