"""How the mesh of a reconstruction is written: format, texture and units."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from utils.errors import UserError

TEXTURES = ("auto", "vertex", "atlas")  # a texture where that suits, colours at the vertices, a texture
SIZES = (64, 8192)  # of a texture's side, pixels
SIZE = 512  # of it unless another one is wanted: some three texels on the edge of a face
UNWRAPPED = 50_000  # faces up to which "auto" makes a texture: the vertices of more are dense enough for colours


@dataclasses.dataclass(frozen=True)
class MeshFormat:
    """How the mesh of a reconstruction is written."""

    suffix: str = "glb"  # glb, ply or obj
    texture: str = "auto"  # one of TEXTURES
    size: int | None = None  # of the side of a texture, pixels; None: SIZE, and "auto" may do without a texture
    centre: Sequence[float] = (0.0, 0.0, 0.0)  # of the mesh's own units x: object frame p = (x - centre) * scale
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.texture not in TEXTURES:
            raise UserError(f"texture {self.texture}: give {', '.join(TEXTURES)}")
        if self.texture == "atlas" and self.suffix == "ply":
            raise UserError("texture atlas: PLY has no standard texture: write glb or obj, or colours at the vertices")
        if self.size is None:
            return
        if not SIZES[0] <= self.size <= SIZES[1]:
            raise UserError(f"texture size {self.size}: give {SIZES[0]} to {SIZES[1]} pixels")
        if self.texture == "vertex" or self.suffix == "ply":
            raise UserError(f"texture size {self.size} would do nothing: there is no texture")

    @property
    def texels(self) -> int:
        """Of the side of a texture."""
        return self.size or SIZE

    def is_textured(self, faces: int) -> bool:
        """Whether a mesh of so many faces gets a texture; else it has colours at its vertices."""
        if self.texture == "auto":  # who asks for a size asks for a texture
            return self.suffix != "ply" and (faces <= UNWRAPPED or self.size is not None)
        return self.texture == "atlas"

    def own_units(self, vertices: np.ndarray) -> np.ndarray:
        """(V, 3) object frame -> (V, 3) in the units of the file."""
        return vertices / self.scale + np.asarray(self.centre)
