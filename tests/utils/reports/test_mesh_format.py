"""Which meshes get a texture."""

import itertools

import pytest

from utils.errors import UserError
from utils.reports.mesh_format import SIZE, TEXTURES, UNWRAPPED, MeshFormat


def test_textures_are_made_where_the_format_has_them_and_unwrapping_is_quick():
    assert MeshFormat("glb").is_textured(UNWRAPPED) and MeshFormat("obj").is_textured(8)
    assert not MeshFormat("glb").is_textured(UNWRAPPED + 1) and not MeshFormat("ply").is_textured(8)
    assert MeshFormat("glb", "atlas").is_textured(10**6) and not MeshFormat("obj", "vertex").is_textured(8)


@pytest.mark.parametrize("suffix, texture", itertools.product(("glb", "obj", "ply"), TEXTURES))
def test_a_size_is_that_of_a_texture_or_refused(suffix, texture):
    """No number of faces makes it do nothing."""
    if suffix == "ply" or texture == "vertex":
        with pytest.raises(UserError, match="texture"):
            MeshFormat(suffix, texture, 1024)
        return
    for faces in (8, UNWRAPPED, UNWRAPPED + 1, 10**6):
        assert MeshFormat(suffix, texture, 1024).is_textured(faces)
    assert MeshFormat(suffix, texture, 1024).texels == 1024 and MeshFormat(suffix, texture).texels == SIZE
