"""Textured triangle meshes in memory: materials, the object frame, colours at points of faces."""

import dataclasses
from typing import Literal

import cv2
import numpy as np
import trimesh

from utils.mesh.light import linear_light, linear_to_srgb

ABSENT = 0.05  # opacity below which a texel counts as a hole, unless the material says otherwise
Wrap = Literal["repeat", "clamp", "mirror"]  # how a texture continues beyond its edges
REPEAT: tuple[Wrap, Wrap] = ("repeat", "repeat")  # along u and v


@dataclasses.dataclass
class Emission:
    """Light that a surface emits, factor x texture; vertex colours do not change it."""

    factor: np.ndarray  # (3,) float RGB in [0, 1]
    image: np.ndarray | None = None  # as in Material
    wrap: tuple[Wrap, Wrap] = REPEAT
    nearest: bool = False  # as in Material


@dataclasses.dataclass
class Material:
    """The look of a face: factor x texture x vertex colour + emission.

    All of them are display (sRGB) values. The emission is added as linear light; `linear` says
    whether the product is one of linear light too, or of display values.
    """

    factor: np.ndarray  # (4,) float RGBA in [0, 1]
    image: np.ndarray | None = None  # (H, W, 4) uint8 RGBA texture, row 0 is v = 1
    alpha_cutoff: float = ABSENT  # texels with an alpha below it are holes
    wrap: tuple[Wrap, Wrap] = REPEAT
    emission: Emission | None = None
    linear: bool = False
    nearest: bool = False  # texels are squares of one colour, not blended


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
    emission_uv: np.ndarray | None = None  # (V, 2) of the textures of emissions; None: as uv


def coloured_mesh(
    vertices: np.ndarray, faces: np.ndarray, colours: np.ndarray, normals: np.ndarray | None = None
) -> Mesh:
    """A Mesh without texture: (V, 3) vertices, (F, 3) faces, (V, 3) vertex colours in [0, 1].

    normals: (V, 3) unit; default: computed from the faces.
    """
    vertices, faces = np.asarray(vertices, np.float64), np.asarray(faces, np.int64)
    if normals is None:
        normals = np.array(trimesh.Trimesh(vertices, faces, process=False).vertex_normals)
    return Mesh(
        vertices=vertices,
        faces=faces,
        normals=normals,
        uv=np.zeros((len(vertices), 2)),
        colours=with_alpha(colours),
        face_material=np.zeros(len(faces), np.int64),
        materials=[Material(np.ones(4))],
    )


def with_alpha(colours: np.ndarray) -> np.ndarray:
    """(V, 3) colours in [0, 1] -> (V, 4) opaque."""
    return np.concatenate([np.clip(colours, 0, 1), np.ones((len(colours), 1))], 1)


def stretched(mesh: Mesh, factors: np.ndarray) -> Mesh:
    """A mesh whose axes are multiplied by (3,) positive factors."""
    normals = mesh.normals / factors
    return dataclasses.replace(
        mesh,
        vertices=mesh.vertices * factors,
        normals=normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-30),
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


def area_vectors(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V, 3) vertices, (F, 3) faces -> (F, 3) normals, twice as long as the area of each face.

    As everywhere in this file, the result lies in memory column after column: numpy is slow where
    its innermost loop has three or four steps.
    """
    a, b, c = ([column[corner] for column in vertices.T] for corner in faces.T)
    (ux, uy, uz), (vx, vy, vz) = ([y - x for x, y in zip(a, end, strict=True)] for end in (b, c))
    return np.array([uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx]).T


def face_areas(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V, 3) vertices, (F, 3) faces -> (F,) areas."""
    return np.linalg.norm(area_vectors(vertices, faces), axis=1) / 2


def interpolate(values: np.ndarray, corners: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(V, C) vertex values, (N, 3) vertex indices, (N, 3) barycentric weights -> (N, C) values."""
    return np.array([sum(column[corners[:, k]] * weights[:, k] for k in range(3)) for column in values.T]).T


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
    factors = np.array([m.factor for m in mesh.materials], np.float32).T
    cutoffs = np.array([m.alpha_cutoff for m in mesh.materials], np.float32)
    linear = np.array([m.linear for m in mesh.materials])
    rgba = np.take(factors, material, axis=1).T
    if (mesh.colours != 1).any():  # textured meshes have no vertex colours; this would be half of the work
        rgba = _product(rgba, interpolate(mesh.colours, corners, weights).astype(np.float32), linear[material])
    for index, look in enumerate(mesh.materials):
        if look.image is None and look.emission is None:
            continue
        points = np.flatnonzero(material == index)
        if not len(points):
            continue
        part = slice(None) if len(points) == len(face) else points
        colour, seen, shares = rgba[part], corners[part], weights[part]
        if look.image is not None:
            texels = sample_texture(look.image, interpolate(mesh.uv, seen, shares), look.wrap, look.nearest)
            colour = _product(colour, texels, linear[material[part]])
        if look.emission is not None:
            light = _emitted(mesh, look.emission, seen, shares)
            colour[:, :3] = linear_to_srgb(np.minimum(linear_light(colour[:, :3]) + light, 1))
        rgba[part] = colour
    return rgba, rgba[:, 3] >= cutoffs[material]


def _product(first: np.ndarray, second: np.ndarray, linear: np.ndarray) -> np.ndarray:
    """(N, 4) product of two RGBA display values, of their linear light where (N,) `linear`."""
    product = first * second
    # with black and white, both products are the same
    mixed = linear & ((first[:, :3] != 1) & (second[:, :3] != 1) & (product[:, :3] != 0)).any(1)
    if mixed.any():
        product[mixed, :3] = linear_to_srgb(linear_light(first[mixed, :3]) * linear_light(second[mixed, :3]))
    return product


def _emitted(mesh: Mesh, emission: Emission, corners: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(N, 3) linear light that a mesh emits at points; (N, 3) corners of their faces."""
    light = np.broadcast_to(linear_light(emission.factor), (len(corners), 3)).astype(np.float32)
    if emission.image is not None:
        uv = interpolate(mesh.uv if mesh.emission_uv is None else mesh.emission_uv, corners, weights)
        light = light * linear_light(sample_texture(emission.image, uv, emission.wrap, emission.nearest)[:, :3])
    return light


def shrink_texture(texels: np.ndarray, size: tuple[int, int], rows: tuple[float, float] | None = None) -> np.ndarray:
    """A smaller texture, (H, W, 4) uint8 RGBA: the means over the areas of its texels.

    Colours count by their alpha. Where alpha is nearly 0 all count alike: some programs leave the
    channel empty, and lookups at the edge of a hole read its colours too.

    Args:
        texels: (h, w, 4) uint8 RGBA.
        size: (W, H) of the result.
        rows: upper and lower edge of the part that counts, in texels; None: all of it.
    """
    upper, lower = rows or (0, len(texels))
    edges, row = np.linspace(upper, lower, size[1] + 1), np.arange(len(texels))
    parts = np.clip(np.minimum(edges[1:, None], row + 1) - np.maximum(edges[:-1, None], row), 0, 1)
    parts = (parts / parts.sum(1, keepdims=True)).astype(np.float32)

    def means(values: np.ndarray) -> np.ndarray:
        # Pillow's BOX filter has whole texels only, which moves edges by up to half of one
        return cv2.resize(np.tensordot(parts, values, 1), size, interpolation=cv2.INTER_AREA)

    values = texels.astype(np.float32)
    if (texels[..., 3] == 255).all():
        return np.rint(means(values)).astype(np.uint8)
    weighted = values.copy()
    for channel in range(3):  # broadcasting over so few channels takes several times as long
        weighted[..., channel] *= values[..., 3] / 255
    result = means(weighted)
    alpha = result[..., 3:]
    faint = alpha < 255 * ABSENT
    shown = result[..., :3] * 255 / np.maximum(alpha, 1e-6)
    result[..., :3] = np.where(faint, means(values)[..., :3], shown) if faint.any() else shown
    return np.clip(np.rint(result), 0, 255).astype(np.uint8)


def sample_texture(
    image: np.ndarray, uv: np.ndarray, wrap: tuple[Wrap, Wrap] = REPEAT, nearest: bool = False
) -> np.ndarray:
    """Lookup in a texture: (H, W, 4) uint8, (N, 2) uv -> (N, 4) float32 in [0, 1].

    v points up. The centre of a texel lies at ((column + 0.5) / W, 1 - (row + 0.5) / H). Between
    centres the lookup is bilinear, or gives the `nearest` texel.
    """
    height, width = image.shape[:2]
    x, y = uv[:, 0] * width - 0.5, (1 - uv[:, 1]) * height - 0.5
    left, top = np.floor(x), np.floor(y)
    fx, fy = (x - left).astype(np.float32), (y - top).astype(np.float32)
    if nearest:
        fx, fy = np.rint(fx), np.rint(fy)
    x0, x1 = _wrapped(left, width, wrap[0])
    y0, y1 = _wrapped(top, height, wrap[1])
    y0, y1 = y0 * width, y1 * width
    texels = np.ascontiguousarray(image).view(np.uint32).ravel()  # a lookup for all four channels

    def channels(index: np.ndarray) -> np.ndarray:
        return np.array(texels[index].view(np.uint8).reshape(-1, 4).T, np.float32, order="C")

    upper = channels(y0 + x0) * (1 - fx) + channels(y0 + x1) * fx
    lower = channels(y1 + x0) * (1 - fx) + channels(y1 + x1) * fx
    return ((upper * (1 - fy) + lower * fy) / np.float32(255)).T


def _wrapped(index: np.ndarray, size: int, wrap: Wrap) -> tuple[np.ndarray, np.ndarray]:
    """The texel with (N,) a whole `index`, and the next one, along a side of `size` texels."""
    if wrap == "repeat":
        first = index.astype(np.int64)
        if len(first) and (first.min() < 0 or first.max() >= size):
            first %= size
        second = first + 1
        second[second == size] = 0
        return first, second
    if wrap == "clamp":
        first, second = (np.clip(place, 0, size - 1).astype(np.int64) for place in (index, index + 1))
        return first, second
    first, second = (np.mod(place, 2 * size).astype(np.int64) for place in (index, index + 1))
    return np.minimum(first, 2 * size - 1 - first), np.minimum(second, 2 * size - 1 - second)
