"""Procedural objects: closed, connected, textured, upright, and different from each other."""

import igl
import numpy as np
import pytest
import trimesh

from preprocessing import make_shapes
from preprocessing.shapes import airplane, car, chair, guitar, parts, supports, table, textures
from preprocessing.shapes.scene import to_scene

MAKERS = {module.__name__.rpartition(".")[2]: module.make for module in (airplane, car, chair, guitar, table)}


def red():
    return textures.paint(np.random.default_rng(0), np.array([1.0, 0, 0]))


def volume(part):
    a, b, c = (part.vertices[part.faces[:, k]] for k in range(3))
    return np.einsum("ij,ij->", a, np.cross(b, c)) / 6


def closed(part):
    """Every directed edge is met by exactly one in the opposite direction."""
    edges = np.concatenate([part.faces[:, [k, (k + 1) % 3]] for k in range(3)])
    forward = set(map(tuple, edges))
    return len(forward) == len(edges) and all((b, a) in forward for a, b in forward)


def voxels(mesh, resolution=64):
    """Surface voxels of a mesh in its own box, a (resolution,)*3 boolean volume."""
    low, high = mesh.bounds
    points = trimesh.sample.sample_surface(mesh, 60000, seed=0)[0]
    index = ((points - (low + high) / 2) / (high - low).max() + 0.5) * resolution
    occupied = np.zeros((resolution,) * 3, bool)
    occupied[tuple(index.astype(int).clip(0, resolution - 1).T)] = True
    return occupied


def flat(scene):
    return scene.to_geometry()


@pytest.mark.parametrize(
    "part, exact",
    [
        (lambda: parts.box(red(), [0, 0, 0], [2, 3, 4]), 24),
        (lambda: parts.box(red(), [1, 1, 1], [0, 0, 0], top=0.5), (1 + 0.25 + 0.5) / 3),
        (lambda: parts.tube(red(), [[0, 0, 0], [1, 2, 3]], 0.5, sides=4), np.sqrt(14)),
        (lambda: parts.lathe(red(), [0, 1], [1, 0.5], sides=400), np.pi * (1 + 0.5 + 0.25) / 3),
        (lambda: parts.plate(red(), parts.section(400) * 0.5, 1, 3), np.pi / 2),
        (lambda: parts.extrude(red(), [[0, 0], [2, 0], [2, 2], [1, 0.5], [0, 2]], -1, 1), 2 * 2.5),
    ],
)
def test_primitives_are_closed_face_outward_and_enclose_the_analytic_volume(part, exact):
    part = part()
    assert closed(part)
    assert volume(part) == pytest.approx(exact, rel=1e-3)
    assert volume(part.mirrored()) == pytest.approx(exact, rel=1e-3)
    assert volume(part.turned([1, 2, 3], 50).moved(x=3)) == pytest.approx(exact, rel=1e-3)
    assert part.uv.shape == (len(part.faces), 3, 2)


def test_triangulation_covers_a_concave_polygon():
    rng = np.random.default_rng(0)
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    outline = np.stack([np.cos(angle), np.sin(angle)], 1) * rng.uniform(0.2, 1, (40, 1))
    a, b, c = outline[parts.triangulate(outline)].swapaxes(0, 1)
    areas = ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2
    x, y = outline.T
    assert (areas > -1e-12).all()
    assert areas.sum() == pytest.approx((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2)


def test_normals_are_smooth_on_a_cylinder_and_sharp_on_a_box():
    (tube,) = to_scene([parts.lathe(red(), [0, 1], [0.3, 0.3], sides=24)]).geometry.values()
    side = np.abs(tube.vertex_normals[:, 1]) < 0.5
    outward = tube.vertices[side] * [1, 0, 1]
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    assert np.einsum("ij,ij->i", outward, tube.vertex_normals[side]).min() > 0.999
    (box,) = to_scene([parts.box(red(), [0, 0, 0], [1, 1, 1])]).geometry.values()
    assert np.allclose(np.abs(box.vertex_normals).max(1), 1)


def test_a_part_shows_the_painted_view_that_its_faces_turn_to():
    views = {"side": (0, 0.5, 1, 1), "top": (0, 0, 0.4, 0.5), "front": (0.4, 0, 0.7, 0.5), "back": (0.7, 0, 1, 0.5)}
    atlas = textures.Atlas([-1, 0, -2], [1, 3, 2], views)
    tints = {"side": (1, 0, 0), "top": (0, 1, 0), "front": (0, 0, 1), "back": (1, 1, 0)}
    for view, tint in tints.items():
        atlas.fill(view, tint)
    atlas.rectangle("side", (-2, 0), (0, 3), (1, 1, 1))  # the rear half
    part = parts.box(None, [-1, 0, -2], [1, 3, 2]).painted(atlas)
    pixels = np.asarray(part.image)
    normals = np.cross(*np.diff(part.vertices[part.faces], axis=1).swapaxes(0, 1))
    uv = part.uv * 0.98 + part.uv.mean(1, keepdims=True) * 0.02
    for normal, corners, points in zip(normals, uv, part.vertices[part.faces], strict=True):
        axis = np.abs(normal).argmax()
        view = ["side", "top", "front" if normal[2] > 0 else "back"][axis]
        for (u, v), point in zip(corners, points, strict=True):
            tint = (1, 1, 1) if view == "side" and point[2] < 0 else tints[view]
            assert tuple(pixels[int((1 - v) * 256), int(u * 256)]) == textures.rgb(tint)


@pytest.mark.parametrize("category", MAKERS)
def test_every_part_is_closed_outward_and_within_its_texture(category):
    for number in range(20):
        pieces = MAKERS[category](np.random.default_rng([7, number]))
        longest = np.ptp(np.concatenate([part.vertices for part in pieces]), axis=0).max()
        for part in pieces:
            assert closed(part) and volume(part) > 0
            assert np.isfinite(part.vertices).all()
            assert part.uv.min() > -1e-6 and part.uv.max() < 1 + 1e-6
            assert part.image.mode == "RGB" and max(part.image.size) <= 256
            # at least a voxel thick: 4 V / A is the diameter of a rod, or twice that of a plate
            area = trimesh.Trimesh(part.vertices, part.faces, process=False).area
            assert 4 * volume(part) / area > longest / 64


def points_of(part):
    """Points all over a part: its vertices, and some on its surface."""
    surface = trimesh.sample.sample_surface(trimesh.Trimesh(part.vertices, part.faces, process=False), 600, seed=0)[0]
    return np.concatenate([part.vertices, surface])


def touch(points, other, tolerance=0.003):
    """Whether some of the points of a part lie on or inside `other`."""
    low, high = other.vertices.min(0) - tolerance, other.vertices.max(0) + tolerance
    points = np.ascontiguousarray(points[((points >= low) & (points <= high)).all(1)])
    if not len(points):
        return False
    faces = np.ascontiguousarray(other.faces, np.int64)
    near = igl.point_mesh_squared_distance(points, other.vertices, faces)[0] < tolerance**2
    return near.any() or (igl.fast_winding_number(other.vertices, faces, points) > 0.5).any()


def connected(pieces):
    """Whether all pieces hang together: every one is reached from the first."""
    points = [points_of(piece) for piece in pieces]
    left, reached = set(range(1, len(pieces))), [0]
    while reached:
        one = reached.pop()
        found = {b for b in left if touch(points[one], pieces[b]) or touch(points[b], pieces[one])}
        left -= found
        reached += found
    return not left


@pytest.mark.slow
@pytest.mark.parametrize("category", MAKERS)
def test_the_parts_of_an_object_are_one_connected_thing(category):
    for number in range(16):
        assert connected(MAKERS[category](np.random.default_rng([1, number]))), f"{category} {number} falls apart"


def test_a_gap_is_noticed():
    below, above = parts.box(red(), [0, 0, 0], [1, 1, 1]), parts.box(red(), [0, 1.01, 0], [1, 2, 1])
    assert not touch(points_of(below), above) and not touch(points_of(above), below)
    assert touch(points_of(above.moved(y=-0.02)), below)
    assert not connected([below, above]) and connected([below, above.moved(y=-0.02), above.moved(y=0.5)])


@pytest.mark.parametrize("category", MAKERS)
def test_an_object_stands_upright_and_is_one_long(category):
    for number in range(12):
        mesh = flat(make_shapes.scene(category, 11, number))
        low, high = mesh.bounds
        assert (high - low).max() == pytest.approx(1, abs=1e-5) and low[1] == pytest.approx(0, abs=1e-6)
        assert np.allclose((low + high)[[0, 2]], 0, atol=1e-5)
        assert len(mesh.faces) < 5000
        longest = (high - low).argmax()
        assert longest == {"car": 2, "guitar": 1}.get(category, longest)


def test_fronts_face_the_front():
    for number in range(12):
        points = trimesh.sample.sample_surface(flat(make_shapes.scene("chair", 3, number)), 4000, seed=0)[0]
        upper = points[points[:, 1] > 0.85]
        if points[:, 1].max() < 0.99 or np.ptp(upper[:, 2]) > 0.5:
            continue  # a stool, a bench
        assert upper[:, 2].mean() < 0.02
    for number in range(12):
        body, neck, board = guitar.make(np.random.default_rng([3, number]))[:3]
        assert (
            board.vertices[:, 2].max() > body.vertices[:, 2].max()
            and board.vertices[:, 1].max() > body.vertices[:, 1].max()
        )
        assert np.ptp(body.vertices[:, 0]) > 2 * np.ptp(neck.vertices[:, 0])
    for number in range(12):  # the fin is behind and above the wing
        pieces = airplane.make(np.random.default_rng([3, number]))
        fin, wing = pieces[1].vertices, max(pieces, key=lambda part: np.ptp(part.vertices[:, 0])).vertices
        assert fin[:, 2].max() < wing[:, 2].mean() - 0.1 and fin[:, 1].max() > pieces[0].vertices[:, 1].max()
    for number in range(12):  # a painted lamp or grille in front, none behind
        image = car.make(np.random.default_rng([3, number]))[0].image
        u0, v0, u1, v1 = (np.array(textures.LENGTHWISE["back"]) * 256).astype(int)
        back = np.asarray(image)[256 - v1 : 256 - v0, u0:u1].reshape(-1, 3)
        assert (back == textures.rgb((0.75, 0.06, 0.05))).all(1).any()


@pytest.mark.parametrize("category", MAKERS)
def test_objects_differ_in_shape_and_colour(category):
    volumes, colours = [], []
    for number in range(10):
        scene = make_shapes.scene(category, 0, number)
        volumes.append(voxels(flat(scene)))
        largest = max(scene.geometry.values(), key=lambda mesh: mesh.area)
        colours.append(np.asarray(largest.visual.material.baseColorTexture).mean((0, 1)) / 255)
    pairs = [(a, b) for a in range(10) for b in range(a)]
    overlap = [(volumes[a] & volumes[b]).sum() / (volumes[a] | volumes[b]).sum() for a, b in pairs]
    assert max(overlap) < 0.7 and np.mean(overlap) < 0.3
    assert np.mean([np.abs(colours[a] - colours[b]).mean() for a, b in pairs]) > 0.1


# the structural choices of each category; feet are chairs' and tables'
ALTERNATIVES = {
    "airplane": {*airplane.KINDS, "plain", "stripe", "belly", "nose", "rear"},
    "car": {*car.BODIES, "box", "tank", "tipper", "flat"},
    "guitar": {*guitar.BODIES, "flared", "straight", "inline", "paddle", "point"},
    "chair": {*chair.BASES, *chair.SEATS, *chair.BACKS, *chair.ARMS, "disc"},
    "table": {*table.TOPS, *table.BASES, *table.EXTRAS, *supports.LEGS, "dome", "cross"},
}


@pytest.mark.slow
def test_all_alternatives_occur(monkeypatch):
    """60 objects show every structural alternative; loads of trucks, one car in ten, need 200."""
    seen = set()

    def watched(rng, options):
        choice = options[int(rng.integers(len(options)))]
        seen.update([choice] if isinstance(choice, str) else [])
        return choice

    for module in (airplane, car, chair, guitar, table, supports):
        monkeypatch.setattr(module, "pick", watched)
    for category, words in ALTERNATIVES.items():
        numbers = iter(range(200 if category == "car" else 60))
        while not words <= seen:
            number = next(numbers, None)
            assert number is not None, words - seen
            MAKERS[category](np.random.default_rng([2, number]))
