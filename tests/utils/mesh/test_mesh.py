"""Texture lookup and the object frame of a mesh."""

import dataclasses

import numpy as np
import trimesh

from utils.mesh.mesh import Material, albedo, area_vectors, coloured_mesh, interpolate, normalise, sample_texture


def test_sample_texture_by_brute_force():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (3, 5, 4), dtype=np.uint8)
    uv = rng.uniform(-2, 3, (300, 2))
    values = sample_texture(image, uv)
    for (u, v), value in zip(uv, values, strict=True):
        x, y, expected = u * 5 - 0.5, (1 - v) * 3 - 0.5, np.zeros(4)
        for column in (int(np.floor(x)), int(np.floor(x)) + 1):
            for row in (int(np.floor(y)), int(np.floor(y)) + 1):
                expected += (1 - abs(x - column)) * (1 - abs(y - row)) * image[row % 3, column % 5] / 255
        assert np.allclose(value, expected, atol=1e-5)


def test_texel_centres_give_the_texels():
    image = np.random.default_rng(1).integers(0, 256, (4, 6, 4), dtype=np.uint8)
    row, column = np.divmod(np.arange(24), 6)
    values = sample_texture(image, np.stack([(column + 0.5) / 6, 1 - (row + 0.5) / 4], 1))
    assert np.allclose(values, image.reshape(-1, 4) / 255, atol=1e-6)


def test_normalise_is_undone_by_its_centre_and_scale():
    shape = trimesh.creation.box([1, 4, 2])
    shape.apply_translation([7, -3, 2])
    mesh = coloured_mesh(shape.vertices, shape.faces, np.full((len(shape.vertices), 3), 0.5))
    mesh.vertices = np.concatenate([mesh.vertices, [[99, 99, 99]]])  # belongs to no face and must not count
    result, centre, scale = normalise(mesh)
    used = result.vertices[result.faces.ravel()]
    assert np.allclose(used.max(0), [0.125, 0.5, 0.25]) and np.allclose(used.min(0), [-0.125, -0.5, -0.25])
    assert np.allclose(result.vertices / scale + centre, mesh.vertices)


def test_area_vectors_and_interpolation_by_numpy():
    rng = np.random.default_rng(2)
    vertices, faces = rng.normal(size=(50, 3)), rng.integers(0, 50, (200, 3))
    a, b, c = vertices[faces].transpose(1, 0, 2)
    assert np.array_equal(area_vectors(vertices, faces), np.cross(b - a, c - a))
    weights = rng.dirichlet(np.ones(3), 200)
    assert np.allclose(interpolate(vertices, faces, weights), np.einsum("nk,nkc->nc", weights, vertices[faces]))


def test_colours_of_many_materials_are_those_of_each_alone():
    rng = np.random.default_rng(3)
    mesh = coloured_mesh(rng.normal(size=(30, 3)), rng.integers(0, 30, (40, 3)), np.ones((30, 3)))
    mesh.uv = rng.uniform(-2, 2, (30, 2))
    pictures = [None, *(rng.integers(0, 256, (size, 5, 4), dtype=np.uint8) for size in (1, 4, 9))]
    mesh.materials = [Material(rng.random(4), picture, linear=index == 2) for index, picture in enumerate(pictures)]
    mesh.face_material = rng.integers(0, 4, 40)
    face, weights = rng.integers(0, 40, 500), rng.dirichlet(np.ones(3), 500)
    rgba, present = albedo(mesh, face, weights)
    assert rgba.dtype == np.float32 and len(np.unique(mesh.face_material[face])) == 4
    for index, material in enumerate(mesh.materials):
        part = mesh.face_material[face] == index
        alone = dataclasses.replace(mesh, materials=[material], face_material=np.zeros(40, int))
        for got, expected in zip((rgba, present), albedo(alone, face[part], weights[part]), strict=True):
            assert np.array_equal(got[part], expected)
