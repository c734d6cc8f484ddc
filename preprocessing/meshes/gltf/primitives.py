"""Primitives: triangles and the attributes of their vertices, in the frame of the mesh."""

import dataclasses

import numpy as np

from preprocessing.meshes.gltf import schema
from preprocessing.meshes.gltf.accessors import WIDTHS, Accessors
from preprocessing.meshes.gltf.buffers import Buffers
from preprocessing.meshes.gltf.draco import decompress

TRIANGLES, STRIP, FAN = 4, 5, 6
TYPES = {"POSITION": ("VEC3",), "NORMAL": ("VEC3",), "COLOR": ("VEC3", "VEC4"), "TEXCOORD": ("VEC2",)}
TYPES |= {"JOINTS": ("VEC4",), "WEIGHTS": ("VEC4",)}


@dataclasses.dataclass(frozen=True)
class Surface:
    """The triangles of a primitive, with those vertices only that they use."""

    faces: np.ndarray  # (F, 3) int64
    attributes: dict[str, np.ndarray]  # name -> (V, width)

    def influences(self) -> tuple[np.ndarray, np.ndarray] | None:
        """(V, 4 K) joints and (V, 4 K) weights of the K sets that have both; None without any."""
        sets = sorted(name[7:] for name in self.attributes if name.startswith("JOINTS_"))
        sets = [number for number in sets if f"WEIGHTS_{number}" in self.attributes]
        if not sets:
            return None
        joints, weights = (
            np.concatenate([self.attributes[f"{kind}_{number}"] for number in sets], 1)
            for kind in ("JOINTS", "WEIGHTS")
        )
        return joints, weights


def surface_of(
    primitive: schema.Primitive, weights: list[float], accessors: Accessors, buffers: Buffers
) -> Surface | None:
    """The triangles of a primitive; None if it has points or lines, or no vertices.

    Args:
        primitive: of the header.
        weights: of its morph targets; those that lack one do not count.
        accessors: of the file.
        buffers: of the file.

    Raises:
        ValueError: an index is beyond the vertices, or arrays do not fit each other.
    """
    draco = primitive.extensions.draco
    if primitive.mode < TRIANGLES or (draco is None and "POSITION" not in primitive.attributes):
        return None
    if draco is not None:
        faces, compressed = decompress(primitive, draco, accessors, buffers)
        if "POSITION" not in compressed:
            return None
    else:
        compressed = {}
        faces = _triangles(_indices(primitive, accessors), primitive.mode)
    plain = {
        name: accessors.read(index, *TYPES[name.partition("_")[0]])
        for name, index in primitive.attributes.items()
        if name.partition("_")[0] in TYPES and name not in compressed
    }
    attributes = plain | {name: values for name, values in compressed.items() if name.partition("_")[0] in TYPES}
    count = len(attributes["POSITION"])
    for name, values in attributes.items():
        if len(values) != count:
            raise ValueError(f"a primitive has {count} vertices, but {len(values)} of {name}")
        if values.shape[1] not in (WIDTHS[kind] for kind in TYPES[name.partition("_")[0]]):
            raise ValueError(f"a primitive has {name} of width {values.shape[1]}")
    if len(faces) and faces.max() >= count:
        raise ValueError(f"an index is {faces.max()}, but the primitive has {count} vertices")
    used = np.zeros(count, bool)  # primitives often share one large array of vertices
    used[faces.ravel()] = True
    rows = np.flatnonzero(used)
    attributes = {name: values[rows] for name, values in attributes.items()}
    _morph(attributes, primitive.targets, weights, rows, count, accessors)
    renumbered = np.cumsum(used) - 1
    return Surface(renumbered[faces], attributes)


def _indices(primitive: schema.Primitive, accessors: Accessors) -> np.ndarray:
    """(N,) int64 indices of vertices, in the order of drawing."""
    if primitive.indices is None:
        return np.arange(len(accessors.read(primitive.attributes["POSITION"], *TYPES["POSITION"])))
    values = accessors.read(primitive.indices, "SCALAR")
    if values.dtype.kind != "u":
        raise ValueError("indices are not unsigned integers")
    return values[:, 0].astype(np.int64)


def _triangles(indices: np.ndarray, mode: int) -> np.ndarray:
    """(F, 3) corners of a list, strip or fan of triangles, without an unfinished one."""
    if mode == TRIANGLES:
        return indices[: len(indices) // 3 * 3].reshape(-1, 3)
    if len(indices) < 3:
        return np.zeros((0, 3), np.int64)
    if mode == FAN:
        return np.stack([indices[1:-1], indices[2:], np.full(len(indices) - 2, indices[0])], 1)
    faces = np.stack([indices[:-2], indices[1:-1], indices[2:]], 1)
    faces[1::2] = faces[1::2, [0, 2, 1]]  # every second triangle of a strip is wound the other way
    return faces


def _morph(
    attributes: dict[str, np.ndarray],
    targets: list[dict[str, int]],
    weights: list[float],
    rows: np.ndarray,
    count: int,
    accessors: Accessors,
) -> None:
    """Add the weighted displacements of morph targets to the attributes.

    Args:
        attributes: name -> (V, width), changed.
        targets: name -> accessor, for each target.
        weights: of the targets.
        rows: (V,) which of the `count` vertices of the primitive `attributes` has.
        count: vertices of the primitive.
        accessors: of the file.
    """
    for target, weight in zip(targets, weights, strict=False):
        for name, index in target.items():
            if name not in attributes or weight == 0:
                continue
            change = accessors.read(index, *TYPES[name.partition("_")[0]])
            if len(change) != count:
                raise ValueError(f"a morph target has {len(change)} vertices of {count}")
            base = attributes[name].astype(np.float64)
            width = min(base.shape[1], change.shape[1])
            base[:, :width] += weight * change[rows, :width]
            attributes[name] = base
