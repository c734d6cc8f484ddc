"""The JSON header of a glTF 2.0 file: the parts that matter for triangles and their colours.

Names are those of https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html in snake case. Types
and ranges are checked when a header is parsed, and whether an index exists by `element`.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field

from preprocessing.meshes.gltf.schema_base import Index, Matrix, Number, SchemaObject, Vector3, Vector4, whole
from preprocessing.meshes.gltf.schema_looks import Image, Material, Sampler, Texture

T = TypeVar("T")


def _version(value: Any) -> Any:
    """2 or 2.0 -> "2.0": some exporters write it as a number."""
    return str(float(value)) if type(value) in (int, float) else value


Version = Annotated[str, BeforeValidator(_version)]


class Asset(SchemaObject):
    """The version of glTF."""

    version: Version = "2.0"
    min_version: Version | None = None


class MeshoptCompression(SchemaObject):
    """That a buffer view is compressed, or that a buffer only reserves the space for it."""

    fallback: bool = False


class MeshoptExtensions(SchemaObject):
    """Extensions of buffers and buffer views: both names of the compression."""

    ext: MeshoptCompression | None = Field(default=None, alias="EXT_meshopt_compression")
    khr: MeshoptCompression | None = Field(default=None, alias="KHR_meshopt_compression")


class Buffer(SchemaObject):
    """Bytes in a file or in the header; without a URI, those of the GLB file."""

    byte_length: Index
    uri: str | None = None
    extensions: MeshoptExtensions = MeshoptExtensions()


class BufferView(SchemaObject):
    """A part of a buffer."""

    buffer: Index
    byte_offset: Index = 0
    byte_length: Index
    byte_stride: Index = 0  # 0: elements follow each other
    extensions: MeshoptExtensions = MeshoptExtensions()


class SparseValues(SchemaObject):
    """By what elements of an accessor are replaced."""

    buffer_view: Index
    byte_offset: Index = 0


class SparseIndices(SparseValues):
    """Which elements are replaced."""

    component_type: Literal[5121, 5123, 5125]


class Sparse(SchemaObject):
    """Elements of an accessor that are stored apart."""

    count: Index
    indices: SparseIndices
    values: SparseValues


class Accessor(SchemaObject):
    """An array in a buffer view; without one, of zeros."""

    buffer_view: Index | None = None
    byte_offset: Index = 0
    component_type: Literal[5120, 5121, 5122, 5123, 5125, 5126]
    normalized: bool = False
    count: Index
    type: Literal["SCALAR", "VEC2", "VEC3", "VEC4", "MAT2", "MAT3", "MAT4"]
    sparse: Sparse | None = None


class Draco(SchemaObject):
    """KHR_draco_mesh_compression: the attributes by their numbers in the compressed data."""

    buffer_view: Index
    attributes: dict[str, Index]


class PrimitiveExtensions(SchemaObject):
    """Extensions of primitives."""

    draco: Draco | None = Field(default=None, alias="KHR_draco_mesh_compression")


class Primitive(SchemaObject):
    """Triangles, lines or points of one material."""

    attributes: dict[str, Index]
    indices: Index | None = None
    material: Index | None = None
    mode: Annotated[int, Field(strict=True, ge=0, le=6), BeforeValidator(whole)] = 4
    targets: list[dict[str, Index]] = []
    extensions: PrimitiveExtensions = PrimitiveExtensions()


class Mesh(SchemaObject):
    """Primitives that morph together."""

    primitives: list[Primitive]
    weights: list[Number] = []


class Instancing(SchemaObject):
    """EXT_mesh_gpu_instancing."""

    attributes: dict[str, Index] = {}


class NodeExtensions(SchemaObject):
    """Extensions of nodes."""

    instancing: Instancing | None = Field(default=None, alias="EXT_mesh_gpu_instancing")
    visibility: dict[str, Any] = Field(default={}, alias="KHR_node_visibility")


class Node(SchemaObject):
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


class Skin(SchemaObject):
    """The nodes that move the vertices of a mesh."""

    joints: list[Index]
    inverse_bind_matrices: Index | None = None


class Scene(SchemaObject):
    """The nodes that are shown."""

    nodes: list[Index] = []


class Header(SchemaObject):
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
