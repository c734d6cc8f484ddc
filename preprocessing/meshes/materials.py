"""Materials of trimesh -> Material."""

import pathlib
from typing import Any

import numpy as np

from preprocessing.meshes.colours import to_rgba
from preprocessing.meshes.textures import to_texture
from utils.mesh.mesh import Material

UNCOLOURED = 0.8  # grey of a surface whose file gives no colour


class MaterialTable:
    """The different materials of a scene, in the order of their first use."""

    def __init__(self, path: pathlib.Path) -> None:
        """`path`: the mesh file, for warnings."""
        self.materials: list[Material] = []
        self._path = path
        self._index: dict[Any, int] = {}
        self._sources: list[Any] = []  # kept alive: their ids are keys of _index

    def index_of(self, visual: Any) -> int:
        """The index in `materials` for a visual of trimesh, which may have no colours at all."""
        source = visual.material if visual.kind == "texture" else None
        key = visual.kind if source is None else id(source)
        if key not in self._index:
            self._index[key] = len(self.materials)
            self._sources.append(source)
            self.materials.append(self._convert(source, visual.kind is not None))
        return self._index[key]

    def _convert(self, source: Any, coloured: bool) -> Material:
        """A material of trimesh as a Material; `coloured`: the visual has colours or a texture."""
        if source is None:
            return Material(np.ones(4) if coloured else _grey())
        if hasattr(source, "baseColorFactor"):
            factor, texture = source.baseColorFactor, source.baseColorTexture
        else:  # without a Kd, trimesh would give a dark grey
            factor, texture = source.diffuse if "kd" in source.kwargs else _grey(), source.image
        rgba = np.ones(4) if factor is None else to_rgba(factor)
        image = None if texture is None else to_texture(texture, self._path)
        # MTL: many exporters write a black or grey Kd beside map_Kd; viewers show the plain texture
        return Material(np.array([*(rgba[:3] if image is None else np.ones(3)), 1.0]), image)


def _grey() -> np.ndarray:
    return np.array([UNCOLOURED] * 3 + [1.0])
