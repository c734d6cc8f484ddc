"""The part of the header of a glTF 2.0 file that describes looks: materials and textures."""

from typing import Any, Literal

from pydantic import Field

from preprocessing.meshes.gltf.schema_base import Index, Number, SchemaObject, Vector2, Vector3, Vector4


class TextureTransform(SchemaObject):
    """KHR_texture_transform."""

    offset: Vector2 = (0, 0)
    rotation: Number = 0  # radians
    scale: Vector2 = (1, 1)
    tex_coord: Index | None = None


class TextureInfoExtensions(SchemaObject):
    """Extensions of the use of a texture."""

    transform: TextureTransform | None = Field(default=None, alias="KHR_texture_transform")


class TextureInfo(SchemaObject):
    """A texture as a material uses it."""

    index: Index
    tex_coord: Index = 0
    extensions: TextureInfoExtensions = TextureInfoExtensions()


class MetallicRoughness(SchemaObject):
    """The colour of a core material; linear light."""

    base_color_factor: Vector4 = (1, 1, 1, 1)
    base_color_texture: TextureInfo | None = None


class SpecularGlossiness(SchemaObject):
    """KHR_materials_pbrSpecularGlossiness."""

    diffuse_factor: Vector4 = (1, 1, 1, 1)
    diffuse_texture: TextureInfo | None = None


class EmissiveStrength(SchemaObject):
    """KHR_materials_emissive_strength."""

    emissive_strength: Number = 1


class Transmission(SchemaObject):
    """KHR_materials_transmission: the share of light that passes through, as through glass."""

    transmission_factor: Number = 0


class MaterialExtensions(SchemaObject):
    """Extensions that change the colour of a material."""

    unlit: dict[str, Any] | None = Field(default=None, alias="KHR_materials_unlit")
    specular_glossiness: SpecularGlossiness | None = Field(default=None, alias="KHR_materials_pbrSpecularGlossiness")
    emissive_strength: EmissiveStrength = Field(default=EmissiveStrength(), alias="KHR_materials_emissive_strength")
    transmission: Transmission = Field(default=Transmission(), alias="KHR_materials_transmission")


class Material(SchemaObject):
    """A look; factors are linear light."""

    pbr_metallic_roughness: MetallicRoughness = MetallicRoughness()
    emissive_factor: Vector3 = (0, 0, 0)
    emissive_texture: TextureInfo | None = None
    alpha_mode: Literal["OPAQUE", "MASK", "BLEND"] = "OPAQUE"
    alpha_cutoff: Number = 0.5
    extensions: MaterialExtensions = MaterialExtensions()


class Source(SchemaObject):
    """The image of a texture."""

    source: Index


class TextureExtensions(SchemaObject):
    """Images in formats beyond PNG and JPEG."""

    webp: Source | None = Field(default=None, alias="EXT_texture_webp")
    avif: Source | None = Field(default=None, alias="EXT_texture_avif")
    dds: Source | None = Field(default=None, alias="MSFT_texture_dds")
    basisu: Source | None = Field(default=None, alias="KHR_texture_basisu")


class Texture(SchemaObject):
    """An image and how it is read."""

    sampler: Index | None = None
    source: Index | None = None
    extensions: TextureExtensions = TextureExtensions()


class Sampler(SchemaObject):
    """How an image continues beyond its edges and between the centres of its texels."""

    wrap_s: Index = 10497  # REPEAT
    wrap_t: Index = 10497
    mag_filter: Any = None  # all but NEAREST are bilinear


class Image(SchemaObject):
    """A picture in a file, in the header or in a buffer view."""

    uri: str | None = None
    buffer_view: Index | None = None
