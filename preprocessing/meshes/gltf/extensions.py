"""Extensions of glTF that a file may use or require."""

import pathlib
import warnings

from PIL import features

from preprocessing.meshes.gltf import schema
from utils.errors import UserError

# Those that change triangles or unlit colours, all of which are read.
READ = {
    "EXT_mesh_gpu_instancing",
    "EXT_texture_webp",
    "KHR_draco_mesh_compression",
    "KHR_materials_emissive_strength",
    "KHR_materials_pbrSpecularGlossiness",
    "KHR_materials_unlit",
    "KHR_mesh_quantization",
    "KHR_node_visibility",
    "KHR_texture_transform",
    "MSFT_texture_dds",
} | ({"EXT_texture_avif"} if features.check("avif") else set())
# Those that change neither, and may be ignored.
HARMLESS = {
    "ADOBE_materials_clearcoat_specular",
    "ADOBE_materials_clearcoat_tint",
    "ADOBE_materials_thin_transparency",
    "AGI_articulations",
    "AGI_stk_metadata",
    "CESIUM_primitive_outline",
    "EXT_lights_ies",
    "EXT_lights_image_based",
    "EXT_mesh_features",
    "EXT_mesh_manifold",
    "EXT_structural_metadata",
    "FB_ngon_encoding",
    "GODOT_single_root",
    "KHR_animation_pointer",
    "KHR_audio",
    "KHR_audio_emitter",
    "KHR_collision_shapes",
    "KHR_implicit_shapes",
    "KHR_interactivity",
    "KHR_lights_punctual",
    "KHR_materials_anisotropy",
    "KHR_materials_clearcoat",
    "KHR_materials_diffuse_transmission",
    "KHR_materials_dispersion",
    "KHR_materials_ior",
    "KHR_materials_iridescence",
    "KHR_materials_sheen",
    "KHR_materials_specular",
    "KHR_materials_transmission",
    "KHR_materials_variants",
    "KHR_materials_volume",
    "KHR_materials_volume_scatter",
    "KHR_node_hoverability",
    "KHR_node_selectability",
    "KHR_physics_rigid_bodies",
    "KHR_xmp",
    "KHR_xmp_json_ld",
    "MSFT_lod",
    "MSFT_packing_normalRoughnessMetallic",
    "MSFT_packing_occlusionRoughnessMetallic",
    "VRM",
    "VRMC_materials_mtoon",
    "VRMC_node_constraint",
    "VRMC_springBone",
    "VRMC_vrm",
}
# A file says in other places whether it can be read without them.
OPTIONAL = {"EXT_meshopt_compression", "KHR_meshopt_compression", "KHR_texture_basisu"}


def check_extensions(header: schema.Header, path: pathlib.Path) -> None:
    """UserError if a file requires an extension that cannot be read; a warning if it uses one."""
    required = [name for name in header.extensions_required if name not in READ | HARMLESS]
    if required:
        raise UserError(f"{path} needs {', '.join(dict.fromkeys(required))}, which cannot be read: export it without")
    ignored = [name for name in header.extensions_used if name not in READ | HARMLESS | OPTIONAL]
    if ignored:
        warnings.warn(f"{path} uses {', '.join(dict.fromkeys(ignored))}, which is ignored", stacklevel=3)
