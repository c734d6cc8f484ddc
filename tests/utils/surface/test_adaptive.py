"""Coarse-to-fine extraction equals the dense one on fields thin, thick, at the border, empty."""

import numpy as np
import pytest
import trimesh

from utils.errors import UserError
from utils.geometry import frames
from utils.surface import adaptive, dense, marching

CENTRE = np.array([0.1, -0.05, 0.02])


def sphere(points):
    return np.linalg.norm(points - CENTRE, axis=1) - 0.3


def shell(points):
    """Two walls, one voxel and a half of a 64^3 grid apart."""
    return abs(sphere(points)) - 0.75 / 64


def rods(points):
    """Two thin rods from border to border."""
    return (
        np.minimum(
            np.linalg.norm(points[:, :2] - [0.1, 0.2], axis=1), np.linalg.norm(points[:, 1:] - [0.1, -0.2], axis=1)
        )
        - 0.6 / 64
    )


def bumpy(points):
    return (
        np.linalg.norm(points, axis=1)
        - 0.3
        + 0.03 * np.sin(40 * points[:, 0]) * np.sin(43 * points[:, 1]) * np.sin(37 * points[:, 2])
    )


def small_balls(points):
    """A ball, and two small ones far away from it, smaller than a coarse cell."""
    parts = [
        sphere(points),
        *(np.linalg.norm(points - c, axis=1) - 0.012 for c in ([-0.4, 0.4, -0.41], [-0.33, -0.4, 0.4])),
    ]
    return np.min(parts, 0)


def block(points):
    """A box that reaches out of the grid on two sides."""
    return (abs(points - [0.3, 0.3, 0]) - 0.35).max(1)


def dense_surface(function, resolution, inside_positive=False, iso=0.0):
    points = frames.voxel_centres(resolution)
    return dense.extract(function(points).reshape((resolution,) * 3).transpose(2, 1, 0), inside_positive, iso)


def sample(function, resolution, inside_positive=False, iso=0.0):
    return adaptive.sample_adaptively(
        function, lambda n: function(frames.voxel_centres(n)), resolution, inside_positive, iso
    )


@pytest.mark.parametrize(
    ("function", "resolution"),
    [
        (sphere, 40),
        (sphere, 64),
        (shell, 64),
        (shell, 100),
        (rods, 128),
        (bumpy, 64),
        (bumpy, 100),
        (small_balls, 128),
        (block, 50),
        (block, 64),
    ],
)
def test_equals_the_dense_surface(function, resolution):
    grid, queried = sample(function, resolution)
    surface = marching.triangulate(grid)
    vertices, faces = surface.vertices(), surface.faces
    expected, expected_faces = dense_surface(function, resolution)
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    assert mesh.is_watertight and mesh.is_winding_consistent
    assert len(vertices) == len(expected)  # every crossing of a grid edge, no more
    assert mesh.volume == pytest.approx(trimesh.Trimesh(expected, expected_faces).volume, rel=0.02)
    distance, _ = trimesh.proximity.cKDTree(expected).query(vertices)
    assert np.quantile(distance, 0.999) < 0.1 / resolution  # values at the ends of the edges may be interpolated
    assert queried <= resolution**3 if resolution < 64 else queried < 0.25 * resolution**3
    surface.refine(-function(vertices))
    assert abs(function(surface.vertices())).mean() < 1.01 * abs(function(expected)).mean() + 1e-4 / resolution


def test_logits_and_iso_value():
    """A field that is positive inside, with another iso value than 0, has the same surface."""
    a = marching.triangulate(sample(sphere, 64, False, 0.02)[0])
    b = marching.triangulate(sample(lambda p: 3 - 5 * sphere(p), 64, True, 3 - 5 * 0.02)[0])
    np.testing.assert_allclose(a.vertices(), b.vertices(), atol=1e-5)
    np.testing.assert_array_equal(a.faces, b.faces)
    np.testing.assert_allclose(a.normals(), b.normals(), atol=1e-3)
    a.refine(0.02 - sphere(a.vertices()))
    np.testing.assert_allclose(np.linalg.norm(a.vertices() - CENTRE, axis=1), 0.32, atol=0.01 / 64)
    outward = (a.vertices() - CENTRE) / 0.32
    assert (a.normals() * outward).sum(1).min() > np.cos(np.radians(3))


def test_vertices_are_moved_onto_a_curved_field():
    def curved(points):  # far from linear between the centres of the grid
        return np.tanh(4 * sphere(points)) * (1 + 3 * points[:, 0] ** 2) - 0.2

    surface = marching.triangulate(sample(curved, 32)[0])
    straight = surface.vertices()
    surface.refine(-curved(straight))
    assert abs(curved(surface.vertices())).mean() < 0.1 * abs(curved(straight)).mean()


def test_work_grows_with_the_surface():
    """Four times the points for twice the resolution, not eight."""
    coarse, fine = (sample(shell, resolution)[1] for resolution in (128, 256))
    assert fine < 5 * coarse and fine < 0.1 * 256**3


def test_an_audit_finds_what_the_estimate_misses(monkeypatch):
    """With an estimate that is far too bold, the audit cuts the cells that were settled wrongly."""
    monkeypatch.setattr(adaptive, "SAFETY", 0.01)
    grid, _ = sample(bumpy, 128)
    assert len(marching.triangulate(grid).cells) == len(dense_surface(bumpy, 128)[0])


@pytest.mark.parametrize(
    ("value", "message"), [(1.0, "field is empty: min 1, max 1, iso value 0"), (-1.0, "field is full")]
)
def test_a_field_without_a_surface_is_an_error(value, message):
    with pytest.raises(UserError, match=message):
        sample(lambda p: np.full(len(p), value), 64, False, 0)
    with pytest.raises(UserError, match="not finite"):
        sample(lambda p: np.full(len(p), np.nan), 64, False, 0)


@pytest.mark.parametrize("value", [1.0, -1.0])
def test_a_field_without_a_surface_is_an_error_at_every_resolution(value):
    """On a fine grid all coarse cells may be settled, and the finer grids store nothing."""
    with pytest.raises(UserError, match=f"field is {'empty' if value > 0 else 'full'}"):
        sample(lambda p: value * (5 + 0.1 * np.sin(7 * p[:, 0])), 256)


def test_a_speck_that_falls_between_all_cells_is_no_surface():
    """An audit may meet it; the finest grid does not know it."""

    def speck(points):
        return np.where(np.linalg.norm(points - [0.1, 0.11, 0.12], axis=1) < 0.012, -1.0, 1.0)

    with pytest.raises(UserError, match="field is empty"):
        sample(speck, 128)


def test_outer_walls_are_those_of_the_filled_field():
    """A thick shell, a ball in its cavity and a ball outside: the inner wall and inner ball go."""

    def field(points):
        inner = np.linalg.norm(points - CENTRE, axis=1) - 0.1
        outside = np.linalg.norm(points - [-0.38, 0.38, 0.38], axis=1) - 0.07
        return np.minimum.reduce([abs(sphere(points)) - 0.05, inner, outside])

    surface = marching.triangulate(sample(field, 64)[0]).without_inner_walls()
    vertices, faces = surface.vertices(), surface.faces
    filled = dense.extract(field(frames.voxel_centres(64)).reshape(64, 64, 64).transpose(2, 1, 0), False, 0, fill=True)
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    assert mesh.body_count == 2 and mesh.is_watertight and len(vertices) == len(filled[0])
    assert mesh.volume == pytest.approx(trimesh.Trimesh(*filled).volume, rel=1e-3)


def test_bricks_of_very_different_values_have_no_holes_between_them():
    """Saddles everywhere, and values that grow a thousandfold across the grid.

    Neighbouring bricks must decide alike about ambiguous faces.
    """

    def field(points):
        x, y, z = points.T
        return (np.sin(67 * x + y) * np.sin(61 * y + z) * np.sin(59 * z + x) + 0.02) * np.exp(7 * (x + y + z))

    # a batch of bricks has its own values, and 64 of them are a batch
    surface = marching.triangulate(sample(field, 96)[0])
    mesh = trimesh.Trimesh(surface.vertices(), surface.faces, process=False)
    assert mesh.is_watertight and mesh.is_winding_consistent


@pytest.mark.parametrize("function", [sphere, shell])
def test_bricks_whose_rim_alone_has_a_surface_add_nothing(function, monkeypatch):
    grid = sample(function, 64)[0]
    together = marching.triangulate(grid)
    monkeypatch.setattr(marching, "BATCH", 1)
    alone = marching.triangulate(grid)
    np.testing.assert_array_equal(together.cells, alone.cells)
    assert len(together.faces) == len(alone.faces)
