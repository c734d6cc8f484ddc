"""The JSON header of a glTF 2.0 file: the parts that matter for triangles and their colours.

Names are those of https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html in snake case. Types
and ranges are checked when a header is parsed, and whether an index exists by `element`.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

T = TypeVar("T")
LARGEST = 2**40  # no index, count or offset of a file that can be read is larger


def _whole(value: Any) -> Any:
    """4.0 -> 4: some exporters write all numbers as floats."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Index = Annotated[int, Field(strict=True, ge=0, le=LARGEST), BeforeValidator(_whole)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Vector2 = tuple[Number, Number]
Vector3 = tuple[Number, Number, Number]
Vector4 = tuple[Number, Number, Number, Number]
Matrix = Annotated[list[Number], Field(min_length=16, max_length=16)]  # column by column


class _Object(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, frozen=True)


class Asset(_Object):
    """The version of glTF."""

    version: str = "2.0"
    min_version: str | None = None


class MeshoptCompression(_Object):
    """That a buffer view is compressed, or that a buffer only reserves the space for it."""

    fallback: bool = False


class MeshoptExtensions(_Object):
    """Extensions of buffers and buffer views: both names of the compression."""

    ext: MeshoptCompression | None = Field(default=None, alias="EXT_meshopt_compression")
    khr: MeshoptCompression | None = Field(default=None, alias="KHR_meshopt_compression")


class Buffer(_Object):
    """Bytes in a file or in the header; without a URI, those of the GLB file."""

    byte_length: Index
    uri: str | None = None
    extensions: MeshoptExtensions = MeshoptExtensions()


class BufferView(_Object):
    """A part of a buffer."""

    buffer: Index
    byte_offset: Index = 0
    byte_length: Index
    byte_stride: Index = 0  # 0: elements follow each other
    extensions: MeshoptExtensions = MeshoptExtensions()


class SparseValues(_Object):
    """By what elements of an accessor are replaced."""

    buffer_view: Index
    byte_offset: Index = 0


class SparseIndices(SparseValues):
    """Which elements are replaced."""

    component_type: Literal[5121, 5123, 5125]


class Sparse(_Object):
    """Elements of an accessor that are stored apart."""

    count: Index
    indices: SparseIndices
    values: SparseValues


class Accessor(_Object):
    """An array in a buffer view; without one, of zeros."""

    buffer_view: Index | None = None
    byte_offset: Index = 0
    component_type: Literal[5120, 5121, 5122, 5123, 5125, 5126]
    normalized: bool = False
    count: Index
    type: Literal["SCALAR", "VEC2", "VEC3", "VEC4", "MAT2", "MAT3", "MAT4"]
    sparse: Sparse | None = None


class TextureTransform(_Object):
    """KHR_texture_transform."""

    offset: Vector2 = (0, 0)
    rotation: Number = 0  # radians
    scale: Vector2 = (1, 1)
    tex_coord: Index | None = None


class TextureInfoExtensions(_Object):
    """Extensions of the use of a texture."""

    transform: TextureTransform | None = Field(default=None, alias="KHR_texture_transform")


class TextureInfo(_Object):
    """A texture as a material uses it."""

    index: Index
    tex_coord: Index = 0
    extensions: TextureInfoExtensions = TextureInfoExtensions()


class MetallicRoughness(_Object):
    """The colour of a core material; linear light."""

    base_color_factor: Vector4 = (1, 1, 1, 1)
    base_color_texture: TextureInfo | None = None


class SpecularGlossiness(_Object):
    """KHR_materials_pbrSpecularGlossiness."""

    diffuse_factor: Vector4 = (1, 1, 1, 1)
    diffuse_texture: TextureInfo | None = None


class EmissiveStrength(_Object):
    """KHR_materials_emissive_strength."""

    emissive_strength: Number = 1


class MaterialExtensions(_Object):
    """Extensions that change the colour of a material."""

    unlit: dict[str, Any] | None = Field(default=None, alias="KHR_materials_unlit")
    specular_glossiness: SpecularGlossiness | None = Field(default=None, alias="KHR_materials_pbrSpecularGlossiness")
    emissive_strength: EmissiveStrength = Field(default=EmissiveStrength(), alias="KHR_materials_emissive_strength")


class Material(_Object):
    """A look; factors are linear light."""

    pbr_metallic_roughness: MetallicRoughness = MetallicRoughness()
    emissive_factor: Vector3 = (0, 0, 0)
    emissive_texture: TextureInfo | None = None
    alpha_mode: Literal["OPAQUE", "MASK", "BLEND"] = "OPAQUE"
    alpha_cutoff: Number = 0.5
    extensions: MaterialExtensions = MaterialExtensions()


class Source(_Object):
    """The image of a texture."""

    source: Index


class TextureExtensions(_Object):
    """Images in formats beyond PNG and JPEG."""

    webp: Source | None = Field(default=None, alias="EXT_texture_webp")
    avif: Source | None = Field(default=None, alias="EXT_texture_avif")
    dds: Source | None = Field(default=None, alias="MSFT_texture_dds")
    basisu: Source | None = Field(default=None, alias="KHR_texture_basisu")


class Texture(_Object):
    """An image and how it is read."""

    sampler: Index | None = None
    source: Index | None = None
    extensions: TextureExtensions = TextureExtensions()


class Sampler(_Object):
    """How an image continues beyond its edges and between the centres of its texels."""

    wrap_s: Literal[10497, 33071, 33648] = 10497
    wrap_t: Literal[10497, 33071, 33648] = 10497
    mag_filter: Any = None  # all but NEAREST are bilinear


class Image(_Object):
    """A picture in a file, in the header or in a buffer view."""

    uri: str | None = None
    buffer_view: Index | None = None


class Draco(_Object):
    """KHR_draco_mesh_compression: the attributes by their numbers in the compressed data."""

    buffer_view: Index
    attributes: dict[str, Index]


class PrimitiveExtensions(_Object):
    """Extensions of primitives."""

    draco: Draco | None = Field(default=None, alias="KHR_draco_mesh_compression")


class Primitive(_Object):
    """Triangles, lines or points of one material."""

    attributes: dict[str, Index]
    indices: Index | None = None
    material: Index | None = None
    mode: Annotated[int, Field(strict=True, ge=0, le=6), BeforeValidator(_whole)] = 4
    targets: list[dict[str, Index]] = []
    extensions: PrimitiveExtensions = PrimitiveExtensions()


class Mesh(_Object):
    """Primitives that morph together."""

    primitives: list[Primitive]
    weights: list[Number] = []


class Instancing(_Object):
    """EXT_mesh_gpu_instancing."""

    attributes: dict[str, Index] = {}


class NodeExtensions(_Object):
    """Extensions of nodes."""

    instancing: Instancing | None = Field(default=None, alias="EXT_mesh_gpu_instancing")
    visibility: dict[str, Any] = Field(default={}, alias="KHR_node_visibility")


class Node(_Object):
    """A frame within that of its parent, and what stands in it."""

    children: list[Index] = []
    mesh: Index | None = None
    skin: Index | None = None
    weights: list[Number] | None = None
    matrix: Matrix | None = None
    translation: Vector3 = (0, 0, 0)
    rotation: Vector4 = (0, 0, 0, 1)  # x y z w
    scale: Vector3 = (1, 1, 1)
    extensions: NodeExtensions = NodeExtensions()


class Skin(_Object):
    """The nodes that move the vertices of a mesh."""

    joints: list[Index]
    inverse_bind_matrices: Index | None = None


class Scene(_Object):
    """The nodes that are shown."""

    nodes: list[Index] = []


class Header(_Object):
    """All of it."""

    asset: Asset = Asset()
    extensions_used: list[str] = []
    extensions_required: list[str] = []
    buffers: list[Buffer] = []
    buffer_views: list[BufferView] = []
    accessors: list[Accessor] = []
    images: list[Image] = []
    samplers: list[Sampler] = []
    textures: list[Texture] = []
    materials: list[Material] = []
    meshes: list[Mesh] = []
    skins: list[Skin] = []
    nodes: list[Node] = []
    scenes: list[Scene] = []
    scene: Index | None = None


def element(items: Sequence[T], index: int, kind: str) -> T:
    """items[index]; ValueError, which calls the items `kind`, if there is none."""
    if index >= len(items):
        raise ValueError(f"it names {kind} {index}, but has {len(items)}")
    return items[index]
