"""Voxels drawn as cubes: volume, area, place and colours."""

import numpy as np
import pytest
import trimesh

from utils.mesh.voxels import cubes


def test_cubes_have_only_outer_faces():
    """An L of voxels at the volume's corner: volume, exposed area, outward faces, flat colours."""
    voxels = np.array([[-32, -32, -32], [-31, -32, -32], [-30, -32, -32], [-32, -31, -32]], float)
    colours = np.random.default_rng(0).random((4, 3))
    vertices, faces, vertex_colours = cubes(voxels, colours)
    mesh = trimesh.Trimesh(vertices * 64, faces, process=False)
    assert mesh.volume == pytest.approx(4)
    assert mesh.area == pytest.approx(18)  # 4 cubes of 6 sides, 3 contacts
    np.testing.assert_allclose(mesh.bounds, [[-32] * 3, [-29, -30, -31]])  # half a voxel around their centres
    mesh.merge_vertices()
    assert mesh.is_watertight
    for face in faces:
        assert len(np.unique(vertex_colours[face], axis=0)) == 1
    last = voxels[3] - np.array([0, 0.5, 0.5]) + [-0.5, 0, 0]  # a corner of the voxel that stands up
    near = np.linalg.norm(vertices * 64 - 0.5 - last - [0, 1, 0], axis=1) < 1e-6
    np.testing.assert_allclose(vertex_colours[near], np.tile(colours[3], (near.sum(), 1)))
