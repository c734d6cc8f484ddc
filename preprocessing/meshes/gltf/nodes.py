"""The nodes of a scene: where which meshes stand."""

import dataclasses

import numpy as np

from preprocessing.meshes.gltf import schema
from preprocessing.meshes.gltf.accessors import Accessors

MAX_INSTANCES = 1_000_000


@dataclasses.dataclass(frozen=True)
class PlacedMesh:
    """A mesh of the file at its places in the scene."""

    mesh: int
    skin: int | None
    weights: list[float] | None  # of the morph targets, instead of those of the mesh
    matrices: np.ndarray  # (K, 4, 4), one for each instance: frame of the mesh -> frame of the scene


def placed_meshes(header: schema.Header, worlds: np.ndarray, accessors: Accessors) -> list[PlacedMesh]:
    """The meshes that the default scene shows, by the world matrices of all nodes.

    A file without nodes is a library of meshes (section 3.5.1): these are taken as they are.
    """
    if not header.nodes:
        return [PlacedMesh(index, None, None, np.eye(4)[None]) for index in range(len(header.meshes))]
    meshes, seen = [], set()
    stack = _roots(header)[::-1]
    while stack:
        index = stack.pop()
        node = schema.element(header.nodes, index, "node")
        if index in seen or node.extensions.visibility.get("visible") is False:
            continue
        seen.add(index)
        stack.extend(node.children[::-1])
        if node.mesh is not None:
            matrices = worlds[index] @ _instances(node, accessors)
            meshes.append(PlacedMesh(node.mesh, node.skin, node.weights, matrices))
    return meshes


def world_matrices(nodes: list[schema.Node]) -> np.ndarray:
    """(N, 4, 4) matrices of all nodes, frame of the node -> frame of the scene.

    Raises:
        ValueError: the nodes are not trees.
    """
    parents = _parents(nodes)
    worlds = np.empty((len(nodes), 4, 4))
    waiting = [index for index, parent in enumerate(parents) if parent is None]
    done = 0
    while waiting:
        index = waiting.pop()
        node, parent = nodes[index], parents[index]
        worlds[index] = _local(node) if parent is None else worlds[parent] @ _local(node)
        waiting.extend(node.children)
        done += 1
    if done < len(nodes):
        raise ValueError("its nodes form a cycle")
    return worlds


def _roots(header: schema.Header) -> list[int]:
    """The roots of the default scene; as in most viewers the first scene, or else all roots."""
    if header.scene is not None or header.scenes:
        return schema.element(header.scenes, header.scene or 0, "scene").nodes
    return [index for index, parent in enumerate(_parents(header.nodes)) if parent is None]


def _parents(nodes: list[schema.Node]) -> list[int | None]:
    """The parent of each node; ValueError where it has two."""
    parents: list[int | None] = [None] * len(nodes)
    for index, node in enumerate(nodes):
        for child in node.children:
            schema.element(nodes, child, "node")
            if parents[child] is not None or child == index:
                raise ValueError(f"its node {child} has more than one parent or is its own")
            parents[child] = index
    return parents


def _local(node: schema.Node) -> np.ndarray:
    """(4, 4) matrix of a node: its frame -> that of its parent."""
    if node.matrix is not None:
        return np.array(node.matrix, np.float64).reshape(4, 4).T
    place = {name: np.array([getattr(node, name)], np.float64) for name in ("translation", "rotation", "scale")}
    return _compose(**place)[0]


def _instances(node: schema.Node, accessors: Accessors) -> np.ndarray:
    """(K, 4, 4) places of the copies of a mesh in the frame of its node; else the identity.

    Attributes of an application's own move no copy; those of instances that have no others lie all
    in one place.
    """
    if node.extensions.instancing is None:
        return np.eye(4)[None]
    names = {"TRANSLATION": (0.0, 0, 0), "ROTATION": (0.0, 0, 0, 1), "SCALE": (1.0, 1, 1)}
    given = {
        name: accessors.read(index, f"VEC{len(names[name])}")
        for name, index in node.extensions.instancing.attributes.items()
        if name in names
    }
    if node.extensions.instancing.attributes and not given:
        return np.eye(4)[None]
    counts = set(map(len, given.values()))
    if len(counts) != 1:
        raise ValueError("a node has instances without places, or of different numbers")
    count = counts.pop()
    if count > MAX_INSTANCES:
        raise ValueError(f"a node has {count} instances")
    place = {name.lower(): given.get(name, np.tile(default, (count, 1))) for name, default in names.items()}
    return _compose(**place)


def _compose(translation: np.ndarray, rotation: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """(K, 3) shifts, (K, 4) quaternions x y z w, (K, 3) factors -> (K, 4, 4) matrices T R S."""
    rotation = rotation.astype(np.float64)
    length = np.linalg.norm(rotation, axis=1, keepdims=True)
    if not (length > 0).all():
        raise ValueError("a rotation is a quaternion of length 0")
    x, y, z, w = (rotation / length).T
    matrices = np.zeros((len(x), 4, 4))
    matrices[:, :3, :3] = np.stack(
        [
            *(1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
            *(2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
            *(2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
        ],
        1,
    ).reshape(-1, 3, 3)
    matrices[:, :3, :3] *= scale[:, None]
    matrices[:, :3, 3] = translation
    matrices[:, 3, 3] = 1
    return matrices
