"""A .glb or .gltf file -> one Mesh."""

import pathlib
import warnings

import numpy as np

from preprocessing.meshes.gltf import schema
from preprocessing.meshes.gltf.accessors import Accessors, normalised
from preprocessing.meshes.gltf.buffers import Buffers
from preprocessing.meshes.gltf.container import parse
from preprocessing.meshes.gltf.extensions import check_extensions
from preprocessing.meshes.gltf.materials import Materials
from preprocessing.meshes.gltf.nodes import PlacedMesh, placed_meshes, world_matrices
from preprocessing.meshes.gltf.placing import place
from preprocessing.meshes.gltf.primitives import Surface, surface_of
from preprocessing.meshes.gltf.skins import joint_matrices, vertex_matrices
from preprocessing.meshes.parts import join
from utils.mesh.mesh import Mesh

MAX_VERTICES = 10_000_000  # of all copies: a small file can ask for any number of them


def read(path: pathlib.Path) -> Mesh:
    """Read a .glb or .gltf file: the meshes of its default scene, morphed, skinned and instanced.

    Warns of textures that cannot be used and of extensions that are ignored.

    Raises:
        UserError: the file needs something that cannot be read, or there is no triangle.
        ValueError: the file is broken.
    """
    return _Reader(path).read()


class _Reader:
    """One file."""

    def __init__(self, path: pathlib.Path) -> None:
        self._header, binary = parse(path)
        check_extensions(self._header, path)
        self._path = path
        self._buffers = Buffers(self._header, binary, path)
        self._accessors = Accessors(self._header, self._buffers)
        self._materials = Materials(self._header, self._buffers, path)
        self._surfaces: dict[tuple[int, int, tuple[float, ...]], Surface | None] = {}
        self._vertices = 0
        self._lacking = False

    def read(self) -> Mesh:
        """All parts in one."""
        parts = []
        with np.errstate(all="ignore"):  # values that are not finite are found in the result
            worlds = world_matrices(self._header.nodes)
            for placed in placed_meshes(self._header, worlds, self._accessors):
                parts += self._parts(placed, worlds)
            self._materials.warn()
            if self._lacking:
                warnings.warn(f"{self._path}: a textured part has no texture coordinates", stacklevel=4)
            return join(parts, self._materials.materials, self._path)

    def _parts(self, placed: PlacedMesh, worlds: np.ndarray) -> list[Mesh]:
        """The primitives of a mesh at all its places."""
        mesh = schema.element(self._header.meshes, placed.mesh, "mesh")
        weights = placed.weights or mesh.weights  # an empty list, which glTF does not allow, says nothing
        parts = []
        for number, primitive in enumerate(mesh.primitives):
            key = placed.mesh, number, tuple(weights)
            if key not in self._surfaces:
                self._surfaces[key] = surface_of(primitive, weights, self._accessors, self._buffers)
            surface = self._surfaces[key]
            if surface is None or not len(surface.faces):
                continue
            look = self._materials.look(primitive.material)
            for matrices in self._maps(surface, placed, worlds):
                self._count(surface)
                parts.append(place(surface, matrices, look))
            if not look.fits(surface.attributes):
                self._lacking = True
        return parts

    def _maps(self, surface: Surface, placed: PlacedMesh, worlds: np.ndarray) -> list[np.ndarray]:
        """The affine map of each copy: (1, 3, 4), or (V, 3, 4) with one for each vertex."""
        influences = None if placed.skin is None else surface.influences()
        if placed.skin is None or influences is None:
            return list(placed.matrices[:, None, :3])
        joints, weights = influences
        skin = schema.element(self._header.skins, placed.skin, "skin")
        return [vertex_matrices(joint_matrices(skin, worlds, self._accessors), joints, normalised(weights))]

    def _count(self, surface: Surface) -> None:
        """ValueError if there are too many vertices in all."""
        self._vertices += len(surface.attributes["POSITION"])
        if self._vertices > MAX_VERTICES:
            raise ValueError(f"it has more than {MAX_VERTICES // 1_000_000} million vertices: simplify it")
