"""The inside of meshes, whole and broken, against analytic solids."""

import numpy as np
import pytest
import trimesh

from benchmarks.broken import FORMS, OTHERS, SOLIDS, bottomless, flipped, joined, partly_flipped, soup
from preprocessing.meshes.distances import THICKNESS, sample_space, signed_distances
from preprocessing.meshes.inside import Solid, winding_inside
from preprocessing.meshes.patches import find_patches
from utils.mesh.mesh import coloured_mesh
from utils.mesh.sampling import sample_surface

OFFSETS = np.concatenate([np.eye(3), -np.eye(3)]) / 4


def grey(shape):
    return coloured_mesh(shape.vertices, shape.faces, np.full((len(shape.vertices), 3), 0.5))


def points_around(mesh, count=3000):
    """Points mostly near the surface, but none on it."""
    rng = np.random.default_rng(0)
    points = sample_space(sample_surface(mesh, count, rng)[0], count, rng)
    return points[np.abs(signed_distances(mesh, points, "winding")) > 0.004]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_box_has_the_distances_of_the_box(form):
    if form.startswith("nested"):  # the inner box is nearer than the wall
        box = trimesh.creation.box([1, 1, 1])
        inner = trimesh.creation.box([0.1, 0.1, 0.1])
        shape = joined(box, flipped(inner) if "opposite" in form else inner)
        shape = soup(partly_flipped(shape)) if "flipped" in form else shape
        depth = 0.2
    else:
        shape, depth = FORMS[form](SOLIDS["box"][0]()), 0.25
    points = np.concatenate([OFFSETS, 3 * OFFSETS])
    if "open" in form:  # below the opening there is no wall
        points = points[points[:, 1] >= 0]
    inside = np.abs(points).max(1) < 0.5
    distances = signed_distances(grey(shape), points)
    if form == "mixed":  # the small box inside is near some points
        assert (distances[inside] < 0).all()
        distances = distances[~inside]
        inside = inside[~inside]
    np.testing.assert_allclose(distances[inside], -depth, atol=0.01)
    np.testing.assert_allclose(distances[~inside], 0.25, atol=0.01)


def test_the_open_box_is_inside_at_its_opening_as_well():
    box = bottomless(trimesh.creation.box([1, 1, 1]))
    distances = signed_distances(grey(box), OFFSETS)
    np.testing.assert_allclose(distances[OFFSETS[:, 1] >= 0], -0.25, atol=0.01)
    assert (distances < 0).all() and signed_distances(grey(box), np.array([[0, -0.8, 0]]))[0] > 0


@pytest.mark.parametrize("name", ["L", "sphere", "vase", "plate"])
def test_closed_forms_of_other_solids(name):
    make, truth = SOLIDS[name]
    for form, broken in FORMS.items():
        if "open" not in form:
            mesh = grey(broken(make()))
            points = points_around(mesh, 1500)
            expected = truth(points)
            assert 0.02 < expected.mean() < 0.9
            assert (Solid(mesh).contains(points) != expected).mean() < 0.002, form


@pytest.mark.parametrize("name", OTHERS)
def test_unions_parts_and_sheets(name):
    make, truth = OTHERS[name]
    mesh = grey(make())
    points = points_around(mesh)
    assert len(points) > 500
    assert (Solid(mesh).contains(points) != truth(points)).mean() < 0.002


@pytest.mark.parametrize("order", [1, -1])
def test_a_watertight_mesh_has_the_sign_of_its_winding_number(order):
    torus = trimesh.creation.torus(0.35, 0.14)
    box = trimesh.creation.box([0.1, 0.9, 0.1])  # in the hole of the torus
    mesh = grey(joined(torus, box))
    mesh.faces = mesh.faces[:, ::order]
    points = points_around(mesh)
    expected = winding_inside(mesh.vertices, mesh.faces, points)
    assert 0.1 < expected.mean() < 0.9
    np.testing.assert_array_equal(Solid(mesh).contains(points), expected)


def test_a_hidden_part_is_inside_and_a_visible_one_keeps_its_surroundings_outside():
    shell = bottomless(trimesh.creation.icosphere(3, 0.5))
    part = bottomless(trimesh.creation.box([0.2, 0.2, 0.2]))
    part.apply_translation([0, 0.1, 0])
    mesh = grey(joined(shell, partly_flipped(part)))
    around = np.array([[0.2, 0.1, 0], [-0.2, 0.1, 0], [0, 0.3, 0], [0, 0.1, 0.2], [0, 0.1, -0.2]])
    assert Solid(mesh).contains(around).all()
    assert not Solid(grey(part)).contains(around).any()


def test_an_open_cushion_on_a_frame_is_inside():
    """The outer sides of the frame lie in the opening, where the cushion sees them and the sky."""
    cushion, bars = bottomless(trimesh.creation.box([1, 0.12, 1])), []
    for side in (-0.3, 0.3):
        bars += [trimesh.creation.box([0.49, 0.06, 0.1]), trimesh.creation.box([0.1, 0.06, 0.7])]
        bars[-2].apply_translation([0, -0.06, side])
        bars[-1].apply_translation([side, -0.06, 0])
    middle = np.stack(np.meshgrid(*[np.linspace(-0.4, 0.4, 9)] * 2), -1).reshape(-1, 2)
    points = np.insert(middle, 1, 0.04, axis=1)
    solid = Solid(grey(joined(cushion, *bars)))
    assert solid.contains(points).all() and not len(solid.sheets)
    assert not solid.contains(points + [0, 0.1, 0]).any() and not solid.contains(points - [0, 0.3, 0]).any()


def test_the_sign_does_not_depend_on_threads_or_runs(monkeypatch):
    mesh = grey(FORMS["mixed"](SOLIDS["L"][0]()))
    points = points_around(mesh)
    results = []
    for threads in ("1", "2", "2"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        results.append(signed_distances(mesh, points))
    assert (results[0] < 0).any() and (results[0] > 0).any()
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[1], results[2])


@pytest.mark.parametrize("name", ["sheet", "sheet twice, same order", "sheet twice in other triangles"])
def test_thick_sheets_are_plates(name):
    mesh = grey(OTHERS[name][0]())
    heights = np.linspace(-0.1, 0.1, 21)
    points = np.stack([0.1 * np.ones(21), heights, 0.2 * np.ones(21)], 1)
    np.testing.assert_allclose(signed_distances(mesh, points), np.abs(heights), atol=1e-6)
    np.testing.assert_allclose(signed_distances(mesh, points, "thick"), np.abs(heights) - THICKNESS / 2, atol=1e-6)


def test_thick_changes_no_solid():
    for shape in (SOLIDS["L"][0](), FORMS["T-junctions, partly flipped"](SOLIDS["sphere"][0]())):
        points = points_around(grey(shape))
        np.testing.assert_array_equal(
            signed_distances(grey(shape), points), signed_distances(grey(shape), points, "thick")
        )


def test_patches_are_closed_where_every_edge_has_two_faces_and_turn_outward():
    sphere, torus = trimesh.creation.icosphere(2, 0.3), trimesh.creation.torus(0.4, 0.05)
    shape = soup(partly_flipped(joined(sphere, sphere, flipped(torus), bottomless(trimesh.creation.box([1, 1, 1])))))
    patches = find_patches(grey(shape))
    assert len(patches.faces) == len(sphere.faces) + len(torus.faces) + 10
    assert sorted(patches.closed) == [False, True, True]
    for index, closed in enumerate(patches.closed):
        part = trimesh.Trimesh(patches.vertices, patches.faces[patches.patch == index])
        assert part.is_watertight == closed and part.is_winding_consistent
        assert not closed or min(abs(part.volume - v) for v in (sphere.volume, torus.volume)) < 1e-9


def test_boxes_that_touch_at_an_edge_are_both_closed():
    first, second = trimesh.creation.box([0.5] * 3), trimesh.creation.box([0.5] * 3)
    second.apply_translation([0.5, 0.5, 0])
    patches = find_patches(grey(soup(joined(first, flipped(second)))))
    assert patches.closed.all() and len(patches.closed) == 2
