"""Polygons cut into triangles: the same area and plane as the polygon, no triangle outside it."""

import numpy as np
import pytest

from preprocessing.meshes.polygons import triangulate


def area_vectors(points):
    """(..., 3, 3) triangles -> (..., 3) vectors of length area, along the normals."""
    return np.cross(points[..., 1, :] - points[..., 0, :], points[..., 2, :] - points[..., 0, :]) / 2


def newell(points):
    """The area vector of a closed polygon of (N, 3) points."""
    return np.cross(points, np.roll(points, -1, 0)).sum(0) / 2


def star_polygon(rng, size, sharp):
    """A simple polygon of (size, 3) points in a random plane; concave if `sharp` is large."""
    angles = 2 * np.pi * (np.arange(size) + rng.uniform(-0.3, 0.3, size)) / size
    radius = 1 + sharp * rng.uniform(0, 3, size)
    plane = np.linalg.qr(rng.normal(size=(3, 3)))[0][:2]
    return np.stack([np.cos(angles), np.sin(angles)], 1) * radius[:, None] @ plane + rng.normal(size=3)


@pytest.mark.parametrize("sharp", [0, 1])
def test_areas_add_up_and_triangles_wind_as_the_polygon(sharp):
    rng = np.random.default_rng(0)
    sizes = rng.integers(3, 12, 300)
    polygons = [star_polygon(rng, size, sharp) for size in sizes]
    vertices = np.concatenate(polygons)
    shuffled = rng.permutation(len(vertices))
    triangles, owner = triangulate(vertices[shuffled], np.argsort(shuffled), sizes)
    assert (np.diff(owner) >= 0).all() and set(owner) == set(range(len(sizes)))
    vectors = area_vectors(vertices[triangles])
    for index, polygon in enumerate(polygons):
        assert np.isin(triangles[owner == index], np.arange(sizes[:index].sum(), sizes[: index + 1].sum())).all()
        parts = vectors[owner == index]
        assert len(parts) == sizes[index] - 2
        assert np.allclose(parts.sum(0), newell(polygon))
        assert (parts @ newell(polygon) > 0).all()  # none outside: areas of one sign add up to the whole


def test_a_spiral_and_a_fan_that_turns_twice():
    turn = np.linspace(0, 4 * np.pi, 60)
    spiral = np.concatenate(
        [np.stack([np.cos(turn), np.sin(turn)], 1) * r[:, None] for r in (1 + turn, (1.5 + turn)[::-1])]
    )
    # every corner but the first sees the first one to its left, and the outline goes round twice
    outline = np.array([[0, 0], [4, 0], [4, 3], [-3, 3], [-3, -2], [3, -2], [3, -1], [-1, -1], [-1, 2], [1, 2.0]])
    for flat in (spiral[::-1], outline[:8], np.array([[0, 0], [2, 0], [0.5, 0.5], [0, 2.0]])):
        points = np.insert(flat, 1, 0, axis=1)
        triangles, _ = triangulate(points, np.arange(len(points)), [len(points)])
        areas = area_vectors(points[triangles])
        assert np.allclose(areas.sum(0), newell(points))
        assert np.isclose(np.linalg.norm(areas, axis=1).sum(), np.linalg.norm(newell(points)))


def test_a_quad_is_cut_along_the_diagonal_that_lies_inside():
    square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0.0]])
    triangles, _ = triangulate(square, np.arange(4), [4])
    assert {tuple(np.roll(row, -row.argmin())) for row in triangles} == {(0, 1, 2), (0, 2, 3)}
    for turn in range(4):
        arrow = np.roll([[0, 0, 0], [2, -1, 0], [0, 3, 0], [-2, -1, 0.0]], turn, 0)
        triangles, _ = triangulate(arrow, np.arange(4), [4])
        assert (np.sum(triangles == turn, axis=1) == 1).all()  # the reflex corner belongs to both


def test_degenerate_polygons_do_no_harm():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0], [1, 1, 0], [np.nan, 0, 0], [1e200, 1e200, -1e200]])
    polygons = [
        [],
        [0],
        [0, 1],
        [0, 1, 2],
        [0, 1, 2, 1],
        [0, 1, 2, 3],
        [0, 1, 3, 1, 0],
        [0, 1, 4, 3],
        [5, 0, 3, 1, 2],
        [3] * 7,
    ]
    triangles, owner = triangulate(vertices, np.concatenate(polygons).astype(int), [len(p) for p in polygons])
    assert triangles.min() >= 0 and triangles.max() < sum(map(len, polygons)) and not np.isin(owner, [0, 1, 2]).any()
    with np.errstate(all="ignore"):
        areas = area_vectors(vertices[np.concatenate(polygons).astype(int)[triangles]])
    assert np.allclose(areas[owner == 5].sum(0), [0, 0, 1])
    assert len(triangulate(vertices, np.zeros(0, int), [])[0]) == 0


def test_a_polygon_and_its_copy_for_the_other_side_become_the_same_triangles():
    rng = np.random.default_rng(5)
    for size in (3, 4, 5, 9, 30):
        star = star_polygon(rng, size, 1)
        vertices = np.concatenate([star, star])  # the copy has vertices of its own
        copies = [np.arange(size), size + np.roll(np.arange(size)[::-1], 2), np.roll(np.arange(size), 1)]
        found = []
        for corners in copies:
            triangles, _ = triangulate(vertices, corners, np.array([size]))
            places = corners[triangles] % size
            found.append({tuple(np.roll(row, -row.argmin())) for row in places})
        assert len(found[0]) == size - 2
        assert found[0] == found[2] == {(a, c, b) for a, b, c in found[1]}
