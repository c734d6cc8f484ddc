"""Materials of glTF -> Material, and the texture coordinates that each one reads."""

import contextlib
import dataclasses
import pathlib
import warnings
from typing import NamedTuple

import numpy as np

from preprocessing.meshes.colours import glass_note
from preprocessing.meshes.gltf import schema, schema_looks
from preprocessing.meshes.gltf.buffers import Buffers
from preprocessing.meshes.gltf.schema_base import Vector3, Vector4
from preprocessing.meshes.gltf.uris import read_uri
from preprocessing.meshes.textures import MAX_BYTES, Textures, decode_texture
from utils.errors import UserError
from utils.mesh.glb import NEAREST, WRAP_MODES
from utils.mesh.light import linear_to_srgb
from utils.mesh.mesh import ABSENT, REPEAT, Emission, Material, Wrap

WRAPS = {number: mode for mode, number in WRAP_MODES.items()}
FARTHEST = 1e6  # texture coordinate; beyond, float32 has no fractions


@dataclasses.dataclass(frozen=True)
class Coordinates:
    """Which texture coordinates a texture reads, and how it moves them."""

    tex_coord: int
    transform: np.ndarray  # (2, 3); v points down

    @property
    def name(self) -> str:
        """The attribute of the vertices."""
        return f"TEXCOORD_{self.tex_coord}"

    def of(self, attributes: dict[str, np.ndarray], count: int) -> np.ndarray:
        """(V, 2) texture coordinates, v up, of `count` vertices; zeros if they have none."""
        if self.name not in attributes:
            return np.zeros((count, 2))
        uv = attributes[self.name] @ self.transform[:, :2].T + self.transform[:, 2]
        uv[:, 1] = 1 - uv[:, 1]
        return np.clip(np.nan_to_num(uv, posinf=0, neginf=0), -FARTHEST, FARTHEST)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Coordinates)
            and self.tex_coord == other.tex_coord
            and np.array_equal(self.transform, other.transform)
        )


@dataclasses.dataclass(frozen=True)
class Look:
    """A material as faces refer to it."""

    index: int  # in Materials.materials
    base: Coordinates | None  # of its texture
    emission: Coordinates | None  # of the texture of its emission

    def fits(self, attributes: dict[str, np.ndarray]) -> bool:
        """Whether vertices have the texture coordinates that the textures read."""
        return all(coordinates is None or coordinates.name in attributes for coordinates in (self.base, self.emission))


class _Picture(NamedTuple):
    """A texture as a material uses it."""

    image: np.ndarray | None  # (H, W, 4) uint8; None if it cannot be used
    wrap: tuple[Wrap, Wrap] = REPEAT
    nearest: bool = False
    coordinates: Coordinates | None = None


class Materials:
    """The materials of one file that are used, and the textures that they share."""

    def __init__(self, header: schema.Header, buffers: Buffers, path: pathlib.Path) -> None:
        """`path`: the file, for messages and relative URIs."""
        self.materials: list[Material] = []
        self._header, self._buffers, self._path = header, buffers, path
        self._looks: dict[int | None, Look] = {}
        self._images: dict[tuple[str | int, bool], np.ndarray | UserError] = {}
        self._textures = Textures(path)
        self._odd_wraps: set[int] = set()
        self._opacities: list[tuple[str, float]] = []  # of materials, apart from the alpha of their textures

    def look(self, index: int | None) -> Look:
        """The look of a material of the file, or of primitives without one."""
        if index not in self._looks:
            source = (
                schema_looks.Material() if index is None else schema.element(self._header.materials, index, "material")
            )
            material, base, emission = self._convert(source)
            opacity = float(material.factor[3]) if source.alpha_mode == "BLEND" else 1.0
            if opacity >= ABSENT:  # otherwise it is left out
                passing = np.clip(source.extensions.transmission.transmission_factor, 0, 1)
                self._opacities.append((f"material {index}", opacity * float(1 - passing)))
            self._looks[index] = Look(len(self.materials), base, emission)
            self.materials.append(material)
        return self._looks[index]

    def warn(self) -> None:
        """Warn of textures that could not be used, of unknown wrap modes and of glass, if any."""
        self._textures.warn()
        if self._odd_wraps:
            odd = ", ".join(map(str, sorted(self._odd_wraps)))
            warnings.warn(f"{self._path}: its textures are repeated for the unknown wrap mode {odd}", stacklevel=4)
        glass = glass_note(self._opacities)
        if glass:
            warnings.warn(f"{self._path}: {glass}", stacklevel=4)

    def _convert(self, source: schema_looks.Material) -> tuple[Material, Coordinates | None, Coordinates | None]:
        """A Material, and the coordinates of its two textures."""
        factor, info = source.pbr_metallic_roughness.base_color_factor, source.pbr_metallic_roughness.base_color_texture
        glossy = source.extensions.specular_glossiness
        if glossy is not None:  # where it is known, it replaces the core material
            factor, info = glossy.diffuse_factor, glossy.diffuse_texture
        picture = self._texture(info, opaque=source.alpha_mode == "OPAQUE")
        cutoff = {"OPAQUE": 0.0, "BLEND": ABSENT, "MASK": source.alpha_cutoff}[source.alpha_mode]
        material = Material(_display(factor), picture.image, cutoff, picture.wrap, linear=True, nearest=picture.nearest)
        emission = None
        if source.extensions.unlit is None:
            material.emission, emission = self._emission(source)
        return material, picture.coordinates, emission

    def _emission(self, source: schema_looks.Material) -> tuple[Emission | None, Coordinates | None]:
        """The light that a material emits, of at most a strength of 1."""
        factor = np.array(source.emissive_factor) * source.extensions.emissive_strength.emissive_strength
        if not (factor > 0).any():
            return None, None
        picture = self._texture(source.emissive_texture, opaque=True)
        if source.emissive_texture is not None and picture.image is None:
            return None, None  # a factor of 1 is usual beside a texture, and would be white
        return Emission(_display(factor), picture.image, picture.wrap, picture.nearest), picture.coordinates

    def _texture(self, info: schema_looks.TextureInfo | None, opaque: bool) -> _Picture:
        """A texture whose alpha does not count if it is `opaque`."""
        if info is None:
            return _Picture(None)
        texture = schema.element(self._header.textures, info.index, "texture")
        image = self._image(texture, opaque)
        if image is None:
            return _Picture(None)
        sampler = schema_looks.Sampler()
        if texture.sampler is not None:
            sampler = schema.element(self._header.samplers, texture.sampler, "sampler")
        modes = sampler.wrap_s, sampler.wrap_t
        self._odd_wraps.update(set(modes) - WRAPS.keys())
        wrap = WRAPS.get(modes[0], "repeat"), WRAPS.get(modes[1], "repeat")
        return _Picture(image, wrap, sampler.mag_filter == NEAREST, _coordinates(info))

    def _image(self, texture: schema_looks.Texture, opaque: bool) -> np.ndarray | None:
        """The picture of a texture; None, and a line for the warning, if it cannot be used."""
        other = texture.extensions.webp or texture.extensions.avif or texture.extensions.dds
        sources = [index for index in (other.source if other else None, texture.source) if index is not None]
        if not sources:
            return self._textures.attempt(lambda: _refuse(texture))
        if len(sources) == 2:  # the second is for readers that cannot use the first
            with contextlib.suppress(UserError):
                return self._decoded(sources[0], opaque)
        return self._textures.attempt(lambda: self._decoded(sources[-1], opaque))

    def _decoded(self, index: int, opaque: bool) -> np.ndarray:
        """(H, W, 4) uint8 picture of an image, decoded once; UserError if it cannot be used."""
        image = schema.element(self._header.images, index, "image")
        place = image.uri if image.uri is not None else image.buffer_view
        if place is None:
            raise ValueError(f"image {index} has neither a URI nor a buffer view")
        if (place, opaque) not in self._images:
            try:
                self._images[place, opaque] = self._decode(image, index, opaque)
            except UserError as error:
                self._images[place, opaque] = error
        picture = self._images[place, opaque]
        if isinstance(picture, UserError):
            raise picture
        return picture

    def _decode(self, image: schema_looks.Image, index: int, opaque: bool) -> np.ndarray:
        """(H, W, 4) uint8 picture; UserError if it cannot be used."""
        if image.uri is None:
            return decode_texture(bytes(self._buffers.view(image.buffer_view or 0)), f"image {index}", opaque)
        data = read_uri(image.uri, self._path, MAX_BYTES)
        return decode_texture(data, f"image {index}" if image.uri[:5].lower() == "data:" else image.uri[:100], opaque)


def _refuse(texture: schema_looks.Texture) -> np.ndarray:
    if texture.extensions.basisu:
        raise UserError("a texture in KTX2 (KHR_texture_basisu) cannot be read")
    raise UserError("a texture has no picture that can be read")


def _display(linear: Vector3 | Vector4 | np.ndarray) -> np.ndarray:
    """(3 or 4,) linear light, and perhaps alpha -> display values in [0, 1]."""
    colour = np.clip(np.asarray(linear, np.float64), 0, 1)
    colour[:3] = linear_to_srgb(colour[:3])
    return colour


def _coordinates(info: schema_looks.TextureInfo) -> Coordinates:
    """The texture coordinates of a texture, with KHR_texture_transform: scaled, turned, shifted."""
    transform = info.extensions.transform
    if transform is None:
        return Coordinates(info.tex_coord, np.eye(2, 3))
    cosine, sine = np.cos(transform.rotation), np.sin(transform.rotation)
    # counter-clockwise on the screen, where v points down
    turn = np.array([[cosine, sine], [-sine, cosine]]) * transform.scale
    tex_coord = info.tex_coord if transform.tex_coord is None else transform.tex_coord
    return Coordinates(tex_coord, np.column_stack([turn, transform.offset]))
