"""Samples, signed distances and voxels against textures, analytic solids and brute force."""

import h5py
import numpy as np
import pytest
import trimesh

from preprocessing.meshes.distances import sample_space, signed_distances
from preprocessing.rendering import volumes
from utils.errors import UserError
from utils.geometry.cameras import compose, intrinsics, look_at, project
from utils.mesh import sampling, voxels
from utils.mesh.mesh import Material, Mesh, coloured_mesh, face_areas, sample_texture


def quad(image=None, factor=(1, 1, 1, 1), cutoff=0.05, z=0.0):
    """The square [-0.5, 0.5]^2 at height z, facing +z, its texture upright on it."""
    corners = np.array([[-0.5, -0.5, z], [0.5, -0.5, z], [0.5, 0.5, z], [-0.5, 0.5, z]])
    material = Material(np.array(factor, float), image, cutoff)
    faces, normals = np.array([[0, 1, 2], [0, 2, 3]]), np.tile([0.0, 0, 1], (4, 1))
    return Mesh(corners, faces, normals, corners[:, :2] + 0.5, np.ones((4, 4)), np.zeros(2, int), [material])


def solid(shape, colour=(0.5, 0.5, 0.5)):
    return coloured_mesh(shape.vertices, shape.faces, np.tile(colour, (len(shape.vertices), 1)))


def test_samples_are_uniform_by_area_and_lie_on_the_surface():
    sphere = trimesh.creation.icosphere(4, 0.5)
    points, _ = sampling.sample_surface(solid(sphere), 20000, np.random.default_rng(0))
    assert np.abs(np.linalg.norm(points, axis=1) - 0.5).max() < 2e-3
    # Archimedes: every coordinate of a uniform point of the sphere is uniform. The tolerance is 4
    # standard deviations of the share of a quartile.
    for axis in range(3):
        shares = np.histogram(points[:, axis], 4, (-0.5, 0.5))[0] / len(points)
        assert np.abs(shares - 0.25).max() < 4 * np.sqrt(0.25 * 0.75 / 20000) + 1e-3
    box = trimesh.creation.box([1, 2, 3])
    sizes = face_areas(box.vertices, box.faces)
    assert sizes.sum() == pytest.approx(22)


def test_sample_colours_are_the_texture_and_holes_have_none():
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 4), dtype=np.uint8)
    image[..., 3] = np.where(np.arange(8) < 4, 0, 255)[:, None]  # the upper half is absent
    mesh = quad(image, factor=(0.5, 1, 1, 1), cutoff=0.5)
    points, colours = sampling.sample_surface(mesh, 5000, np.random.default_rng(1))
    expected = sample_texture(image, points[:, :2] + 0.5)[:, :3] * [0.5, 1, 1] * 255
    assert len(points) == 5000 and np.abs(colours - expected).max() <= 0.501
    # the texture repeats: half a texel of the lower edge is at the top
    assert ((points[:, 1] < 1 / 16) | (points[:, 1] > 7 / 16)).all()
    with pytest.raises(UserError, match="transparent"):
        sampling.sample_surface(quad(factor=(1, 1, 1, 0)), 10, np.random.default_rng(0))


def test_space_samples_have_the_stated_distribution():
    rng = np.random.default_rng(0)
    flat = np.concatenate([rng.uniform(-0.5, 0.5, (5000, 2)), np.zeros((5000, 1))], 1)
    points = sample_space(flat, 50000, rng)
    assert points.shape == (50000, 3) and np.abs(points).max() <= 0.5
    height = np.abs(points[:, 2])
    share = 0.5 * 0.9545 + 0.3 * 0.3829 + 0.2 * 0.05  # within 0.025: 2 and 1/2 standard deviations, uniform
    assert (height < 0.025).mean() == pytest.approx(share, abs=0.01)
    assert (height[:25000] < 0.025).mean() == pytest.approx(share, abs=0.015)  # in random order


@pytest.mark.parametrize("turn", [1, -1])
def test_distances_of_a_sphere_and_a_box(turn):
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (2000, 3))
    sphere = trimesh.creation.icosphere(4, 0.4)
    sphere.faces = sphere.faces[:, ::turn]  # inside out is the same body
    assert np.abs(signed_distances(solid(sphere), points) - (np.linalg.norm(points, axis=1) - 0.4)).max() < 2e-3
    half = np.array([0.4, 0.3, 0.2])
    box = trimesh.creation.box(2 * half)
    box.faces = box.faces[:, ::turn]
    q = np.abs(points) - half
    exact = np.linalg.norm(np.maximum(q, 0), axis=1) + np.minimum(q.max(1), 0)
    assert np.abs(signed_distances(solid(box), points) - exact).max() < 1e-5


def test_distances_survive_a_hole():
    sphere = trimesh.creation.icosphere(4, 0.4)
    hole = sphere.triangles_center @ [0, 0.6, 0.8] > 0.38  # a cap of 18 degrees is missing
    assert 0.01 < hole.mean() < 0.1
    sphere.update_faces(~hole)
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (3000, 3))
    along, radius = points @ [0, 0.6, 0.8], np.linalg.norm(points, axis=1)
    distances = signed_distances(solid(sphere), points)
    opposite = along < 0.9 * radius  # the nearest point of the sphere is there, not in the hole
    assert np.abs(distances - (radius - 0.4))[opposite].max() < 2e-3
    clear = (along < 0.25) & (np.abs(radius - 0.4) > 2e-3)
    assert np.array_equal(distances[clear] < 0, radius[clear] < 0.4)


def overlaps(triangle, centres, half):
    """Which boxes a triangle overlaps: no separating axis among 13 (Akenine-Moeller 2001)."""
    edges = np.roll(triangle, -1, 0) - triangle
    axes = [*np.eye(3), np.cross(edges[0], edges[1]), *(np.cross(edge, axis) for edge in edges for axis in np.eye(3))]
    result = np.ones(len(centres), bool)
    for axis in axes:
        middle, reach, span = centres @ axis, half * np.abs(axis).sum(), triangle @ axis
        result &= (span.min() <= middle + reach) & (span.max() >= middle - reach)
    return result


@pytest.mark.parametrize(
    "shape",
    [
        trimesh.creation.icosphere(2, 0.45),
        trimesh.creation.box([0.9, 0.31, 0.017]),
        trimesh.creation.torus(0.35, 0.1, 16, 12),
        trimesh.creation.cylinder(0.004, 0.97),
    ],
    ids=["sphere", "board", "torus", "wire"],
)
def test_voxels_are_those_that_faces_go_through(shape):
    shape = shape.copy()
    shape.apply_transform(trimesh.transformations.rotation_matrix(0.5, [1, 2, 3]))
    mesh = solid(shape)
    points, colours = sampling.sample_surface(mesh, voxels.sample_count(mesh), np.random.default_rng(0))
    index, mean = voxels.voxelise(points, colours)
    assert np.allclose(mean, 128 / 255)
    voxelised = np.zeros((64,) * 3, bool)
    voxelised[tuple(index.T)] = True
    crossed, deep = (np.zeros((64,) * 3, bool) for _ in range(2))
    grid = (np.stack(np.meshgrid(*[np.arange(64)] * 3, indexing="ij"), -1) + 0.5) / 64 - 0.5
    for triangle in mesh.vertices[mesh.faces]:
        low, high = (
            np.clip(np.floor((f(triangle) + 0.5) * 64).astype(int) + d, 0, 64)
            for f, d in ((lambda t: t.min(0), -1), (lambda t: t.max(0), 2))
        )
        part = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        centres = grid[part].reshape(-1, 3)
        crossed[part] |= overlaps(triangle, centres, 0.5 / 64 + 1e-9).reshape(crossed[part].shape)
        # through the inner half of the voxel
        deep[part] |= overlaps(triangle, centres, 0.25 / 64).reshape(deep[part].shape)
    assert not (voxelised & ~crossed).any()
    assert (deep & ~voxelised).sum() <= 1e-3 * deep.sum()
    assert voxelised.sum() >= 0.9 * crossed.sum()  # the others are crossed by slivers


def test_volumes_hold_colour_and_flow_at_the_voxels():
    rng = np.random.default_rng(0)
    index = np.unique(rng.integers(0, 64, (500, 3)), axis=0)
    colours = rng.random((len(index), 3))
    volume = volumes.colour_volume(index, colours)
    assert volume.shape == (64, 64, 64, 3) and volume.dtype == np.float32
    assert np.allclose(volume[tuple(index.T)], colours, atol=1e-6)
    assert (volume == -1).all(-1).sum() == 64**3 - len(index)
    size = 100
    camera = compose(intrinsics(size), look_at(40, 25, 1.3))  # near: the cube's corners are cut off
    flow = volumes.flow_volume(index, camera, size)
    pixels, _ = project((index + 0.5) / 64 - 0.5, camera)
    inside = ((pixels >= -0.5) & (pixels <= size - 0.5)).all(1)
    assert 0.5 < inside.mean() < 1
    assert np.allclose(flow[tuple(index[inside].T)] * size - 0.5, pixels[inside], atol=1e-3)
    assert (flow[tuple(index[~inside].T)] == -1).all() and (flow != -1).all(-1).sum() == inside.sum()


def test_a_written_volume_is_read_again(tmp_path):
    rng = np.random.default_rng(0)
    volume = np.where(rng.random((64, 64, 64, 1)) < 0.05, rng.random((64, 64, 64, 3)), -1).astype(np.float32)
    volumes.write_volume(tmp_path / "volume.h5", volume)
    with h5py.File(tmp_path / "volume.h5") as file:
        assert file["data"].dtype == np.float32 and np.array_equal(file["data"][()], volume)
    assert (tmp_path / "volume.h5").stat().st_size < volume.nbytes / 3


def test_distances_do_not_depend_on_the_other_points():
    mesh = solid(trimesh.creation.icosphere(3, 0.4))
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (3000, 3))
    distances = signed_distances(mesh, points)
    assert np.array_equal(signed_distances(mesh, points[::-1])[::-1], distances)
    assert np.array_equal(np.concatenate([signed_distances(mesh, part) for part in np.split(points, 10)]), distances)
    assert 0.1 < (distances < 0).mean() < 0.9
    assert len(signed_distances(mesh, points[:0])) == 0


def test_mean_colour_of_a_voxel():
    points = np.array([[0.001, 0.001, 0.001], [0.002, 0.002, 0.002], [0.5, -0.5, 0.0]])
    index, colours = voxels.voxelise(points, np.array([[0, 0, 100], [255, 0, 200], [255, 255, 255]], np.uint8))
    assert index.tolist() == [[32, 32, 32], [63, 0, 32]]
    assert np.allclose(colours, [[0.5, 0, 150 / 255], [1, 1, 1]])
