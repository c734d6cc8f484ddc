"""What a viewer shows of the mesh of a reconstruction."""

import dataclasses

import numpy as np
import pytest
import trimesh

from tests.helpers.gltf_pixels import Viewer
from utils.geometry.cameras import compose, intrinsics, look_at, project
from utils.rendering.photo_colours import PhotoColours
from utils.rendering.ray_surface import RaySurface
from utils.reports.mesh_format import MeshFormat


@pytest.mark.parametrize("texture", ["vertex", "atlas"])
def test_a_viewer_shows_the_colours_of_the_photograph(texture, octahedron, tmp_path):
    """A slab from the front: dark, middle and bright colours, in COLOR_0 and in a texture."""
    slab = trimesh.creation.box((1, 0.8, 0.2)).subdivide_to_size(0.04)
    u, v = np.meshgrid(np.linspace(0, 1, 96), np.linspace(0, 1, 96))
    photo = np.rint(255 * np.stack([u, 0.02 + 0.3 * v, 0.9 - 0.8 * u * v], -1)).astype(np.uint8)
    mask, camera = np.full(photo.shape[:2], 255, np.uint8), compose(intrinsics(96), look_at(0, 0, 1.6))
    photo_colours = PhotoColours(np.dstack([photo, mask]), camera, RaySurface(slab.vertices, slab.faces))
    field_colours = np.full(slab.vertices.shape, 0.5)
    result = dataclasses.replace(
        octahedron,
        photo=photo,
        mask=mask,
        photo_camera=camera,
        vertices=slab.vertices,
        faces=slab.faces,
        normals=None,
        colours=photo_colours.of_vertices(field_colours),
        field_colours=field_colours,
        photo_colours=photo_colours,
    )
    size = 256 if texture == "atlas" else None
    result.write(tmp_path / "mesh.glb", MeshFormat(texture=texture, size=size))
    viewer = Viewer(tmp_path / "mesh.glb")
    for x in (-0.33, -0.1, 0.12, 0.31):
        for y in (-0.23, 0.02, 0.21):
            column, row = np.rint(project(np.array([[x, y, 0.1]]), camera)[0][0]).astype(int)
            assert abs(viewer.pixel(x, y) - photo[row, column]).max() <= 4, (x, y)
