"""Colours of a photograph on the surface it shows: on solids whose colours are known everywhere."""

import cv2
import numpy as np
import pytest
import trimesh

from utils.geometry.cameras import compose, intrinsics, look_at
from utils.mesh.mesh import coloured_mesh
from utils.rendering.likeness import BEST, likeness
from utils.rendering.photo_colours import PhotoColours
from utils.rendering.photo_view import PhotoView
from utils.rendering.ray_surface import RaySurface
from utils.rendering.raycast import Scene

SIZE = 240
GREEN, MAGENTA = np.array([0.1, 0.8, 0.1]), np.array([255, 0, 255])


def smooth_colours(points):
    return 0.5 + 0.4 * np.sin(4 * points + [0, 1, 2])


def camera(azimuth=50, elevation=15, size=SIZE):
    return compose(intrinsics(size), look_at(azimuth, elevation, 2.2))


def picture_of(surface, trans_mat, colour_of=smooth_colours, background=(0, 0, 0), rays=1, size=SIZE):
    """(size, size, 4) uint8 of a surface without light, on a background; rays x rays a pixel."""
    P = np.asarray(trans_mat).T
    inverse = np.linalg.inv(P[:, :3])
    eye = -inverse @ P[:, 3]
    at = (np.arange(size * rays) + 0.5) / rays - 0.5
    v, u = (grid.ravel() for grid in np.meshgrid(at, at, indexing="ij"))
    directions = np.stack([u, v, np.ones_like(u)], 1) @ inverse.T
    steps = surface.depths(eye, directions)
    hit = np.isfinite(steps)
    rgba = np.zeros((len(u), 4))
    rgba[:] = [*background, 0]
    rgba[hit, :3] = 255 * colour_of(eye + steps[hit, None] * directions[hit])
    rgba[hit, 3] = 255
    fine = rgba.reshape(size * rays, size * rays, 4)
    return np.rint(cv2.resize(fine, (size, size), interpolation=cv2.INTER_AREA)).astype(np.uint8)


def sphere(radius=0.4, fineness=5):
    mesh = trimesh.creation.icosphere(fineness, radius)
    return RaySurface(mesh.vertices, mesh.faces, mesh.vertices / radius)


def boxes(*extents_and_places):
    """Boxes with vertices all over their faces, which keep their normals at edges."""
    parts = [trimesh.creation.box(extents).apply_translation(place) for extents, place in extents_and_places]
    triangles = trimesh.util.concatenate(parts).triangles.reshape(-1, 3)
    vertices, faces = trimesh.remesh.subdivide_to_size(triangles, np.arange(len(triangles)).reshape(-1, 3), 0.03)
    return RaySurface(vertices, faces)


def colours_on(surface, rgba, trans_mat, field, mirror=False):
    """Of the vertices, before the field's colours are matched to the picture's."""
    found = PhotoColours(rgba, trans_mat, surface, mirror)
    return found(surface.vertices, surface.normals, lambda part: np.broadcast_to(field, (len(part), 3)))


def test_the_seen_side_has_the_pictures_colours_and_the_hidden_side_the_fields():
    surface, trans_mat = sphere(), camera()
    rgba = picture_of(surface, trans_mat)
    weights = PhotoView(rgba, trans_mat, surface).weights(surface.vertices, surface.normals)
    colours = colours_on(surface, rgba, trans_mat, GREEN)
    fully, never = weights == 1, weights == 0
    assert fully.mean() > 0.2 and never.mean() > 0.5
    np.testing.assert_allclose(colours[fully], smooth_colours(surface.vertices[fully]), atol=1.5 / 255)
    np.testing.assert_allclose(colours[never], np.broadcast_to(GREEN, (never.sum(), 3)), atol=1e-6)
    eye = -np.linalg.solve(trans_mat[:3].T, trans_mat[3])
    facing = (surface.normals * (eye - surface.vertices)).sum(1)
    assert never[facing < 0].all()


def test_the_field_is_asked_only_where_the_picture_does_not_decide():
    surface, trans_mat = sphere(), camera()
    found = PhotoColours(picture_of(surface, trans_mat), trans_mat, surface, mirror=False)
    asked = []
    found(surface.vertices, surface.normals, lambda part: asked.append(part) or np.zeros((len(part), 3)))
    weights = PhotoView(picture_of(surface, trans_mat), trans_mat, surface).weights(surface.vertices, surface.normals)
    assert set(np.concatenate(asked)) == set(np.flatnonzero(weights < 1 - 1e-4))


def in_front(points):
    """Red in front of z = 0.1, blue behind."""
    return np.where(points[:, 2:] > 0.1, [[0.9, 0.1, 0.1]], [[0.1, 0.1, 0.9]])


def test_hidden_points_take_nothing_of_what_hides_them():
    surface, trans_mat = boxes(((0.9, 0.9, 0.1), (0, 0, -0.3)), ((0.4, 0.4, 0.1), (0.05, 0, 0.3))), camera(10, 5)
    colours = colours_on(surface, picture_of(surface, trans_mat, in_front, rays=3), trans_mat, [0.1, 0.1, 0.4])
    behind = surface.vertices[:, 2] < 0.1
    assert colours[behind, 0].max() < 0.11 and (colours[behind, 2] > 0.89).mean() > 0.1
    assert colours[~behind, 2].max() < 0.41 and (colours[~behind, 0] > 0.89).mean() > 0.1


@pytest.mark.parametrize("size", [60, 240])
@pytest.mark.parametrize("spacing", [0.0, 0.05])
def test_the_background_never_bleeds_in(size, spacing):
    """Even where the surface goes beyond the mask, and the pixels of the outline are mixed."""
    trans_mat = camera(size=size)
    rgba = picture_of(sphere(), trans_mat, lambda p: np.broadcast_to(GREEN, p.shape), MAGENTA, 4, size)
    assert (rgba[..., :3] == MAGENTA).all(2).any()
    larger = sphere(0.45)
    found = PhotoColours(rgba, trans_mat, larger, mirror=False)
    colours = found(larger.vertices, larger.normals, lambda part: np.broadcast_to(GREEN, (len(part), 3)), spacing)
    np.testing.assert_allclose(colours, np.broadcast_to(GREEN, colours.shape), atol=1 / 255)


def mirror_colours(points):
    return smooth_colours(np.abs(points) * [1, 0, 0] + points * [0, 1, 1])


def test_a_symmetric_object_shows_its_seen_side_on_both():
    surface, trans_mat = sphere(), camera(80, 10)
    rgba = picture_of(surface, trans_mat, mirror_colours)
    colours = colours_on(surface, rgba, trans_mat, GREEN, mirror=True)
    folded = np.abs(surface.vertices) * [1, 0, 0] + surface.vertices * [0, 1, 1]
    shown = PhotoView(rgba, trans_mat, surface).weights(folded, folded / 0.4) == 1
    left = surface.vertices[:, 0] < -0.15
    assert (shown & left).mean() > 0.2
    np.testing.assert_allclose(colours[shown], mirror_colours(surface.vertices[shown]), atol=2 / 255)
    unmirrored = colours_on(surface, rgba, trans_mat, GREEN)[left]
    np.testing.assert_allclose(unmirrored, np.broadcast_to(GREEN, unmirrored.shape), atol=1e-6)


def test_an_asymmetric_object_keeps_the_fields_colours_on_the_hidden_side():
    surface = boxes(((0.3, 0.9, 0.3), (0.3, 0, 0)), ((0.6, 0.2, 0.2), (-0.1, -0.35, 0)))
    trans_mat = camera(60, 10)
    rgba = picture_of(surface, trans_mat)
    found = PhotoColours(rgba, trans_mat, surface)
    assert not found.mirrored and found.overlap < 0.8
    colours = colours_on(surface, rgba, trans_mat, GREEN, mirror=True)
    np.testing.assert_array_equal(colours, colours_on(surface, rgba, trans_mat, GREEN))


def test_a_part_that_one_side_alone_has_is_not_mirrored():
    """A knob on the hidden side of a symmetric body: the body is mirrored, the knob is not."""
    surface, trans_mat = boxes(((0.4, 0.8, 0.8), (0, 0, 0)), ((0.2, 0.1, 0.1), (-0.3, 0, 0))), camera(90, 10)
    rgba = picture_of(surface, trans_mat, lambda p: np.full_like(p, 0.9))
    assert PhotoColours(rgba, trans_mat, surface).mirrored
    colours = colours_on(surface, rgba, trans_mat, GREEN, mirror=True)
    wall = (surface.vertices[:, 0] == -0.2) & (np.abs(surface.vertices[:, 1:]).max(1) < 0.3)
    assert (colours[wall] > 0.89).all(1).mean() > 0.9
    knob = surface.vertices[:, 0] < -0.26
    np.testing.assert_allclose(colours[knob], np.broadcast_to(GREEN, (knob.sum(), 3)), atol=1e-6)


def test_weights_have_no_steps():
    """Along a path over a sphere, and along a wall into the shadow of what stands before it."""
    surface, trans_mat = sphere(), camera()
    t = np.linspace(0, 2 * np.pi, 20000)
    circle = np.stack([np.cos(t), 0.3 * np.ones_like(t), np.sin(t)], 1)
    circle /= np.linalg.norm(circle, axis=1, keepdims=True)
    view = PhotoView(picture_of(surface, trans_mat), trans_mat, surface)
    paths = [view.weights(0.4 * circle, circle)]
    surface, trans_mat = boxes(((0.9, 0.9, 0.1), (0, 0, -0.3)), ((0.4, 0.4, 0.1), (0.05, 0, 0.3))), camera(10, 5)
    line = np.stack([np.linspace(-0.5, 0.5, 20000), np.full(20000, 0.05), np.full(20000, -0.25)], 1)
    view = PhotoView(picture_of(surface, trans_mat), trans_mat, surface)
    paths.append(view.weights(line, np.broadcast_to([0.0, 0, 1], line.shape)))
    for weights in paths:
        assert weights.max() == 1 and weights.min() == 0 and np.abs(np.diff(weights)).max() < 0.02


def test_the_fields_colours_are_matched_to_the_pictures():
    surface, trans_mat, factor = sphere(), camera(), np.array([0.8, 1.0, 1.25])
    found = PhotoColours(picture_of(surface, trans_mat), trans_mat, surface, mirror=False)
    field = smooth_colours(surface.vertices) / factor / 1.5
    colours = found.of_vertices(field)
    np.testing.assert_allclose(found.gain, 1.5 * factor, rtol=0.01)
    np.testing.assert_allclose(colours, smooth_colours(surface.vertices), atol=0.02)


def test_a_picture_without_an_object_changes_nothing():
    surface, field = sphere(), smooth_colours(sphere().vertices)
    found = PhotoColours(np.zeros((SIZE, SIZE, 4), np.uint8), camera(), surface)
    np.testing.assert_allclose(found.of_vertices(field), field, atol=1e-6)


def test_details_finer_than_the_points_are_averaged():
    surface, trans_mat = sphere(), camera()
    rgba = picture_of(surface, trans_mat)
    rgba[..., :3] = 255 * np.random.default_rng(0).integers(0, 2, (SIZE, SIZE, 1))
    view = PhotoView(rgba, trans_mat, surface)
    seen = surface.vertices[view.weights(surface.vertices, surface.normals) == 1]
    fine, coarse = view.colours(seen), view.colours(seen, spacing=0.1)
    assert coarse.std() < 0.3 * fine.std() and coarse.mean() == pytest.approx(0.5, abs=0.05)


def test_likeness_of_known_errors_and_of_the_pictures_colours():
    surface, trans_mat = sphere(), camera()
    rgba = picture_of(surface, trans_mat)
    true = smooth_colours(surface.vertices)
    found = PhotoColours(rgba, trans_mat, surface, mirror=False)
    field = np.clip(true + 0.1 * np.sin(40 * surface.vertices), 0, 1)
    colours = {"off by .05": true + 0.05, "true": true, "field": field, "photo": found.of_vertices(field)}
    looks = {name: coloured_mesh(surface.vertices, surface.faces, values) for name, values in colours.items()}
    psnr = likeness(Scene(looks["true"]), looks, rgba[..., :3], rgba[..., 3], trans_mat)
    assert psnr["off by .05"] == pytest.approx(-20 * np.log10(0.05), abs=0.2)
    assert psnr["field"] + 6 < psnr["photo"] and psnr["true"] > 40 and max(psnr.values()) <= BEST
    assert likeness(Scene(looks["true"]), looks, rgba[..., :3], np.zeros_like(rgba[..., 3]), trans_mat) == {}
