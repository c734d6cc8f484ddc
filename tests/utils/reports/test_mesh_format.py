"""Which meshes get a texture."""

from utils.reports.mesh_format import UNWRAPPED, MeshFormat


def test_textures_are_made_where_the_format_has_them_and_unwrapping_is_quick():
    assert MeshFormat("glb").is_textured(UNWRAPPED) and MeshFormat("obj").is_textured(8)
    assert not MeshFormat("glb").is_textured(UNWRAPPED + 1) and not MeshFormat("ply").is_textured(8)
    assert MeshFormat("glb", "atlas").is_textured(10**6) and not MeshFormat("obj", "vertex").is_textured(8)
