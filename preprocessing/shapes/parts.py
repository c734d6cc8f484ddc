"""Closed primitives with texture coordinates and faces outward.

An object is about 1 long. Unless a part is painted with an atlas, one unit of surface is one width
of its texture, centred: all textures have the same density, and texture coordinates stay in [0, 1].
"""

import dataclasses

import numpy as np
import trimesh
from PIL.Image import Image

from preprocessing.shapes.textures import Atlas, Numbers


@dataclasses.dataclass(frozen=True)
class Part:
    """A closed textured surface."""

    vertices: np.ndarray  # (V, 3)
    faces: np.ndarray  # (F, 3), counter-clockwise seen from outside
    uv: np.ndarray  # (F, 3, 2) texture coordinates of the corners, v up
    image: Image | None  # its texture; None until it is painted with an atlas

    def moved(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> "Part":
        """The part shifted by (x, y, z)."""
        return dataclasses.replace(self, vertices=self.vertices + [x, y, z])

    def turned(self, axis: Numbers, degrees: float, pivot: Numbers = (0, 0, 0)) -> "Part":
        """The part rotated about `axis` (a 3-vector) through `pivot`."""
        matrix = trimesh.transformations.rotation_matrix(np.radians(degrees), axis)[:3, :3]
        return dataclasses.replace(self, vertices=(self.vertices - pivot) @ matrix.T + pivot)

    def mirrored(self) -> "Part":
        """The part reflected in the plane x = 0."""
        return dataclasses.replace(
            self, vertices=self.vertices * [-1, 1, 1], faces=self.faces[:, ::-1], uv=self.uv[:, ::-1]
        )

    def painted(self, atlas: Atlas) -> "Part":
        """The part with the image of an atlas; every face shows the view that it faces most."""
        normals = face_normals(self.vertices, self.faces)
        return dataclasses.replace(self, uv=atlas.uv(self.vertices[self.faces], normals), image=atlas.image)


def face_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(F, 3) normals; their length is twice the area of the face."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return np.cross(b - a, c - a)


def _outward(vertices: Numbers, faces: Numbers, uv: Numbers, image: Image | None) -> Part:
    """A Part with its faces turned outward: its signed volume is positive."""
    vertices, faces, uv = np.asarray(vertices, float), np.asarray(faces), np.asarray(uv, float)
    volume = np.einsum("ij,ij->", vertices[faces[:, 0]], face_normals(vertices, faces))
    if volume < 0:
        faces, uv = faces[:, ::-1], uv[:, ::-1]
    return Part(vertices, faces, uv, image)


def _metric(length: np.ndarray) -> np.ndarray:
    """(...,) distances -> texture coordinates: one unit is one texture, centred; more is shrunk."""
    low, high = length.min(), length.max()
    return (length - (low + high) / 2) / max(1.0, high - low) + 0.5


def _planar_uv(points: np.ndarray, axis: int) -> np.ndarray:
    """(..., 3) -> (..., 2): the axes other than `axis`; the longer one is v, the grain of wood."""
    others = [k for k in range(3) if k != axis]
    if np.ptp(points[..., others[0]]) > np.ptp(points[..., others[1]]):
        others.reverse()
    return np.stack([_metric(points[..., k]) for k in others], -1)


def loft(image: Image | None, rings: Numbers) -> Part:
    """A closed surface through n >= 2 rings (n, m, 3) with capped ends.

    Each ring is a closed convex loop of m points.
    """
    rings = np.asarray(rings, float)
    n, m = rings.shape[:2]
    j = np.arange(m)
    k = (j + 1) % m
    around = np.linalg.norm(rings[:, k] - rings[:, j], axis=2).mean(0)
    u = _metric(np.concatenate([[0], np.cumsum(around)]))
    centres = rings.mean(1)
    v = _metric(np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(centres, axis=0), axis=1))]))
    faces, uv = [], []
    for i in range(n - 1):
        a, b, c, d = i * m + j, i * m + k, (i + 1) * m + k, (i + 1) * m + j
        ua, ub, va, vc = u[:-1], u[1:], np.full(m, v[i]), np.full(m, v[i + 1])
        faces += [np.stack([a, b, c], 1), np.stack([a, c, d], 1)]
        corners = [np.stack([ua, va], 1), np.stack([ub, va], 1), np.stack([ub, vc], 1), np.stack([ua, vc], 1)]
        uv += [np.stack([corners[0], corners[1], corners[2]], 1), np.stack([corners[0], corners[2], corners[3]], 1)]
    vertices = np.concatenate([rings.reshape(-1, 3), centres[[0, -1]]])
    for end, offset in ((0, 0), (1, (n - 1) * m)):
        centre = np.full(m, n * m + end)
        cap = np.stack([centre, offset + k, offset + j] if end == 0 else [centre, offset + j, offset + k], 1)
        normal = np.abs(face_normals(vertices, cap).sum(0))
        faces.append(cap)
        uv.append(_planar_uv(vertices[cap], int(normal.argmax())))
    return _outward(vertices, np.concatenate(faces), np.concatenate(uv), image)


def box(image: Image | None, low: Numbers, high: Numbers, top: float = 1.0) -> Part:
    """A box from `low` to `high` (3-vectors); `top` scales its upper face about the middle."""
    low, high = np.minimum(low, high).astype(float), np.maximum(low, high).astype(float)
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)]) * (high - low) + low
    middle = (low + high) / 2
    upper = corners[:, 1] == high[1]
    corners[np.ix_(upper, [0, 2])] = middle[[0, 2]] + top * (corners[np.ix_(upper, [0, 2])] - middle[[0, 2]])
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = np.array([t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))])
    uv = np.concatenate([_planar_uv(corners[faces[2 * q : 2 * q + 2]], q // 2) for q in range(6)])
    return _outward(corners, faces, uv, image)


def section(sides: int = 12, power: float = 2.0) -> np.ndarray:
    """(sides, 2) superellipse |x|^p + |y|^p = 1.

    A power of 2 gives a circle, 5 a rounded square; 4 sides give a square for any power.
    """
    if sides == 4:
        return np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]], float)
    angle = 2 * np.pi * (np.arange(sides) + 0.5) / sides
    circle = np.stack([np.cos(angle), np.sin(angle)], 1)
    return circle / (np.abs(circle) ** power).sum(1, keepdims=True) ** (1 / power)


def tube(image: Image | None, path: Numbers, radius: float | Numbers, sides: int = 12, power: float = 2.0) -> Part:
    """A section swept along a path.

    Args:
        image: the texture.
        path: (n, 3) points.
        radius: a number, (n,), or (n, 2) half axes; the first is towards x, or towards z if the
            path runs along x.
        sides: corners of the section.
        power: its roundness, see `section`.
    """
    path = np.asarray(path, float)
    radius = np.asarray(radius, float)
    if radius.ndim < 2:
        radius = np.broadcast_to(radius, (len(path),))[:, None].repeat(2, 1)
    tangents = np.gradient(path, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    first = np.array([0.0, 0, 1]) if abs(tangents[0, 0]) > 0.7 else np.array([1.0, 0, 0])
    rings = []
    for point, tangent, (a, b) in zip(path, tangents, radius, strict=True):
        first = first - tangent * (first @ tangent)  # carried along without twisting
        first /= np.linalg.norm(first)
        second = np.cross(tangent, first)
        outline = section(sides, power)
        rings.append(point + outline[:, :1] * a * first + outline[:, 1:] * b * second)
    return loft(image, rings)


def beam(image: Image | None, start: Numbers, end: Numbers, width: float, depth: float) -> Part:
    """A bar with a rectangular section between two points.

    The width is measured towards x, or towards z if the bar runs along x.
    """
    return tube(image, [start, end], [[width / 2, depth / 2]] * 2, sides=4)


def lathe(
    image: Image | None, heights: Numbers, radii: Numbers, x: float = 0.0, z: float = 0.0, sides: int = 20
) -> Part:
    """A vertical solid of revolution about the axis (x, z), with radii (n,) at heights (n,)."""
    heights = np.asarray(heights, float)
    return tube(image, np.stack([np.full_like(heights, x), heights, np.full_like(heights, z)], 1), radii, sides)


def plate(image: Image | None, outline: Numbers, low: float, high: float, edge: float = 0.0) -> Part:
    """A horizontal plate between two heights, its rim rounded by `edge`.

    The outline (m, 2) of (x, z) is convex.
    """
    outline = np.asarray(outline, float)
    half = np.ptp(outline, axis=0).min() / 2
    edge = min(edge, (high - low) / 2.01, half / 2)
    steps = [(low, 0.0), (high, 0.0)] if edge <= 0 else [
        (low, edge), (low + 0.3 * edge, 0.3 * edge), (low + edge, 0.0),
        (high - edge, 0.0), (high - 0.3 * edge, 0.3 * edge), (high, edge),
    ]  # fmt: skip
    rings = []
    for height, inset in steps:
        flat = outline * (1 - inset / half)
        rings.append(np.stack([flat[:, 0], np.full(len(flat), height), flat[:, 1]], 1))
    return loft(image, rings)


def bend(points: Numbers, radius: float, steps: int = 4) -> np.ndarray:
    """A polyline (n, k) with inner corners rounded from about `radius` before to behind each."""
    points = np.asarray(points, float)
    path = [points[0]]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        reach = [min(radius, 0.45 * np.linalg.norm(end - corner)) for end in (before, after)]
        start, stop = (
            corner + (end - corner) * r / np.linalg.norm(end - corner)
            for end, r in zip((before, after), reach, strict=True)
        )
        path += [(1 - t) ** 2 * start + 2 * t * (1 - t) * corner + t**2 * stop for t in np.linspace(0, 1, steps + 1)]
    return np.array([*path, points[-1]])


def triangulate(outline: Numbers) -> np.ndarray:
    """(n, 2) simple counter-clockwise polygon -> (n - 2, 3) triangles, by clipping ears."""
    outline = np.asarray(outline, float)
    left, triangles, at, misses = list(range(len(outline))), [], 0, 0
    while len(left) > 3:
        a, b, c = left[at - 1], left[at % len(left)], left[(at + 1) % len(left)]
        p, q, r = outline[[a, b, c]]
        inside = np.array([_cross(q - p, r - p)])
        if inside[0] > 0:
            rest = outline[[k for k in left if k not in (a, b, c)]]
            inside = np.minimum.reduce([_cross(q - p, rest - p), _cross(r - q, rest - q), _cross(p - r, rest - r)])
            if not (inside >= 0).any() or misses > len(left):
                triangles.append((a, b, c))
                del left[at % len(left)]
                misses = 0
                at %= len(left)
                continue
        if misses > 2 * len(left):
            raise ValueError("the outline crosses itself")
        misses, at = misses + 1, (at + 1) % len(left)
    return np.array([*triangles, left])


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """z of the cross product of (2,) with (..., 2)."""
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def extrude(image: Image | None, outline: Numbers, back: float, front: float, bevel: float = 0.0) -> Part:
    """A plate between two depths z.

    The outline (n, 2) of (x, y) is simple and counter-clockwise; `bevel` slants its edges.
    """
    outline = np.asarray(outline, float)
    n = len(outline)
    along = np.roll(outline, -1, 0) - np.roll(outline, 1, 0)
    inward = np.stack([-along[:, 1], along[:, 0]], 1) / np.linalg.norm(along, axis=1, keepdims=True)
    # slants steeper than 45 degrees: an atlas then takes the whole edge from its side view
    steps = (
        [(back, 0.6 * bevel), (back + bevel, 0), (front - bevel, 0), (front, 0.6 * bevel)]
        if bevel
        else [(back, 0), (front, 0)]
    )
    vertices = np.concatenate([np.column_stack([outline + inset * inward, np.full(n, z)]) for z, inset in steps])
    cap, j = triangulate(outline), np.arange(n)
    strips = [cap[:, ::-1], cap + n * (len(steps) - 1)]
    for i in range(len(steps) - 1):
        a, b = i * n + j, i * n + (j + 1) % n
        strips += [np.stack([a, b, b + n], 1), np.stack([a, b + n, a + n], 1)]
    faces = np.concatenate(strips)
    return _outward(vertices, faces, _planar_uv(vertices[faces], 2), image)
