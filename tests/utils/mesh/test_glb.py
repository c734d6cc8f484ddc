"""A Mesh written as GLB is read as the same Mesh."""

import numpy as np

from preprocessing.meshes.load import load_mesh
from utils.mesh.glb import read_asset, shrink_textures, write_glb
from utils.mesh.mesh import Emission, Material, Mesh, albedo


def test_inverse_of_reading(tmp_path):
    rng = np.random.default_rng(0)
    count = 30
    image = rng.integers(0, 256, (8, 16, 4), np.uint8)
    materials = [
        Material(np.array([0.6, 0.5, 1, 1]), linear=True),
        Material(np.ones(4), np.dstack([image[..., :3], np.full((8, 16), 255, np.uint8)]), 0.0, linear=True),
        Material(np.array([1, 0.3, 1, 1]), image, wrap=("clamp", "mirror"), linear=True),
        Material(
            np.ones(4),
            image,
            0.4,
            linear=True,
            emission=Emission(np.array([0.2, 0.5, 0.0]), image, ("mirror", "repeat")),
        ),
    ]
    normals = rng.normal(size=(3 * count, 3))
    mesh = Mesh(
        rng.normal(size=(3 * count, 3)),
        np.arange(3 * count).reshape(-1, 3),
        normals / np.linalg.norm(normals, axis=1, keepdims=True),
        rng.uniform(-2, 2, (3 * count, 2)),
        np.concatenate([rng.random((3 * count, 3)), np.ones((3 * count, 1))], 1),
        np.sort(rng.integers(0, 4, count)),
        materials,
    )
    write_glb(tmp_path / "a.glb", mesh, {"copyright": "Ann", "extras": {"x": 1}})
    again = load_mesh(tmp_path / "a.glb")
    order = [
        np.abs(again.vertices[again.faces].mean(1) - middle).sum(1).argmin()
        for middle in mesh.vertices[mesh.faces].mean(1)
    ]
    assert sorted(order) == list(range(count))
    weights = rng.dirichlet(np.ones(3), count)
    colour, present = albedo(mesh, np.arange(count), weights)
    found, kept = albedo(again, np.array(order), weights)
    assert np.abs(colour - found).max() < 1e-4
    assert np.array_equal(present, kept)
    assert not present.all()
    assert np.allclose(again.normals[again.faces[order]], mesh.normals[mesh.faces], atol=1e-5)
    asset = read_asset(tmp_path / "a.glb")
    assert (asset["copyright"], asset["extras"], asset["version"]) == ("Ann", {"x": 1}, "2.0")


def test_assets_of_other_files_are_empty(tmp_path):
    for data in (b"", b"glTF", bytes(40), b"glTF" + bytes(40)):
        (tmp_path / "a.glb").write_bytes(data)
        assert read_asset(tmp_path / "a.glb") == {}


def test_textures_are_shrunk():
    image = np.full((300, 60, 4), 90, np.uint8)
    mesh = Mesh(*[np.zeros(0)] * 6, [Material(np.ones(4), image), Material(np.ones(4))])
    small = shrink_textures(mesh, 100).materials[0].image
    assert small.shape == (100, 20, 4)
    assert (small == 90).all()


def test_all_textures_are_shrunk_to_the_colours_that_are_shown():
    """Without alpha where it is not shown: in emissions, and where nothing is cut out."""
    stripes = np.zeros((2, 200, 4), np.uint8)
    stripes[:, ::2], stripes[:, 1::2] = [200, 0, 0, 255], [0, 0, 100, 0]
    light = Emission(np.ones(3), stripes)
    looks = [Material(np.ones(4), stripes, 0.0), Material(np.ones(4), emission=light), Material(np.ones(4), stripes)]
    opaque, lit, cut_out = shrink_textures(Mesh(*[np.zeros(0)] * 6, looks), 100).materials
    assert opaque.image.shape == lit.emission.image.shape == (1, 100, 4)
    assert (opaque.image[..., :3] == [100, 0, 50]).all() and (lit.emission.image[..., :3] == [100, 0, 50]).all()
    assert np.abs(cut_out.image.astype(int) - [200, 0, 0, 128]).max() <= 2
    assert light.image is stripes  # that of the first mesh stays
