"""Faces that are stored twice: the colours of both sides, whatever their order in the file."""

import numpy as np
import pytest
import trimesh

from benchmarks.broken import SOLIDS, bottomless, flipped, otherwise_divided
from preprocessing.meshes.copies import without_inner_copies
from preprocessing.meshes.distances import signed_distances
from preprocessing.meshes.load import load_mesh
from utils.mesh import sampling
from utils.mesh.mesh import coloured_mesh, normalise

OUTER, INNER = (0.8, 0.1, 0.1), (0.05, 0.05, 0.05)


def write_obj(path, *coloured_faces, size=1.0):
    """An OBJ of the corners of a box; each part is a colour and its triangles."""
    vertices = size * trimesh.creation.box().vertices
    lines = ["mtllib m.mtl"] + ["v {} {} {}".format(*vertex) for vertex in vertices]
    materials = []
    for number, (colour, faces) in enumerate(coloured_faces):
        materials += [f"newmtl m{number}", "Kd {} {} {}".format(*colour[:3]), *(["d 0.0"] if len(colour) > 3 else [])]
        lines += [f"usemtl m{number}"] + ["f {} {} {}".format(*(1 + face)) for face in faces]
    (path.parent / "m.mtl").write_text("\n".join(materials) + "\n")
    path.write_text("\n".join(lines) + "\n")
    return path


def colours_of(mesh):
    return sampling.sample_surface(mesh, 2000, np.random.default_rng(0))[1]


@pytest.mark.parametrize("inner_first", [False, True])
@pytest.mark.parametrize("turn", [1, 2])
@pytest.mark.parametrize("open_sides", [0, 2])
def test_a_box_with_an_inner_copy_shows_its_outer_colour_alone(tmp_path, inner_first, turn, open_sides):
    faces = trimesh.creation.box().faces
    normals = trimesh.creation.box().face_normals
    faces = faces[normals[:, 1] < 0.5] if open_sides else faces
    parts = [(OUTER, faces), (INNER, np.roll(faces[:, ::-1], turn, 1))]
    mesh = load_mesh(write_obj(tmp_path / "a.obj", *(reversed(parts) if inner_first else parts)))
    assert (colours_of(mesh) == np.rint(255 * np.array(OUTER))).all()
    assert len(mesh.faces) == len(faces)
    points = np.random.default_rng(0).uniform(-0.45, 0.45, (200, 3))
    assert (signed_distances(normalise(mesh)[0], points) < 0).mean() > (0.9 if open_sides else 0.999)


def two_layers(outer, inner):
    """Two trimeshes in one Mesh, the outer one OUTER and the inner one INNER."""
    vertices = np.concatenate([inner.vertices, outer.vertices])
    colours = np.repeat([INNER, OUTER], [len(inner.vertices), len(outer.vertices)], axis=0)
    return coloured_mesh(vertices, np.concatenate([inner.faces, len(inner.vertices) + outer.faces]), colours)


@pytest.mark.parametrize("name", ["box", "sphere", "L", "plate", "vase", "open box"])
@pytest.mark.parametrize("finer", ["inner", "outer"])
def test_a_copy_in_other_triangles_is_one_too(name, finer):
    rng = np.random.default_rng(0)
    solid = bottomless(SOLIDS["box"][0]()) if name == "open box" else SOLIDS[name][0]()
    solid.apply_transform(trimesh.transformations.random_rotation_matrix(rng.random(3)))
    outer, inner = solid, otherwise_divided(flipped(solid))
    if finer == "outer":
        outer, inner = flipped(inner), flipped(outer)
    mesh = without_inner_copies(two_layers(outer, inner))
    assert len(mesh.faces) == len(outer.faces)
    assert (colours_of(mesh) == np.rint(255 * np.array(OUTER))).all()


def test_a_copy_that_is_not_covered_all_over_stays():
    box = trimesh.creation.box()
    inner = otherwise_divided(flipped(box))
    lid = box.face_normals[:, 1] > 0.5
    gap = trimesh.Trimesh(box.vertices, box.faces[~lid | (np.arange(12) == np.flatnonzero(lid)[0])], process=False)
    mesh = without_inner_copies(two_layers(gap, inner))
    assert 11 + 4 <= len(mesh.faces) <= 11 + 8  # half of the lid is open; the inner copy closes it
    beside, small = trimesh.creation.box([1, 0.5, 0.5]), trimesh.creation.box([0.5, 0.3, 0.3])
    small.apply_translation([0.75, 0, 0])
    assert len(without_inner_copies(two_layers(beside, small)).faces) == 24  # they touch, and both face outside


def test_sheets_and_faces_behind_holes_keep_both_sides(tmp_path):
    faces = trimesh.creation.box().faces
    side = faces[trimesh.creation.box().face_normals[:, 2] > 0.5]
    mesh = load_mesh(write_obj(tmp_path / "sheet.obj", (OUTER, side), (INNER, side[:, ::-1])))
    assert len(mesh.faces) == 4
    share = (colours_of(mesh) == np.rint(255 * np.array(OUTER))).all(1).mean()
    assert share == pytest.approx(0.5, abs=0.05)
    glass = write_obj(tmp_path / "glass.obj", ((*OUTER, 0), faces), (INNER, faces[:, ::-1]))
    assert (colours_of(load_mesh(glass)) == np.rint(255 * np.array(INNER))).all()


def test_quads_are_copies_whatever_their_first_corner(tmp_path):
    quads = np.array([[4, 3, 2, 1], [5, 6, 7, 8], [1, 2, 6, 5], [2, 3, 7, 6], [3, 4, 8, 7], [4, 1, 5, 8]])
    corners = [(x, y, z) for z in (0, 1) for x, y in ((0, 0), (1, 0), (1, 1), (0, 1))]
    for turn in range(4):
        lines = ["mtllib m.mtl"] + ["v {} {} {}".format(*corner) for corner in corners]
        for name, faces in (("dark", np.roll(quads[:, ::-1], turn, 1)), ("red", quads)):
            lines += [f"usemtl {name}"] + ["f {} {} {} {}".format(*face) for face in faces]
        (tmp_path / "m.mtl").write_text("newmtl dark\nKd 0.05 0.05 0.05\nnewmtl red\nKd 0.8 0.1 0.1\n")
        (tmp_path / "a.obj").write_text("\n".join(lines) + "\n")
        assert (colours_of(load_mesh(tmp_path / "a.obj")) == [204, 26, 26]).all()


@pytest.mark.parametrize("size", [1e-6, 1e6])
def test_the_size_of_the_mesh_does_not_matter(tmp_path, size):
    faces = trimesh.creation.box().faces
    twice = write_obj(tmp_path / "a.obj", (INNER, faces[:, ::-1]), (OUTER, faces), size=size)
    assert (colours_of(load_mesh(twice)) == np.rint(255 * np.array(OUTER))).all()
    once = write_obj(tmp_path / "b.obj", (OUTER, faces), size=size)
    assert len(load_mesh(once).faces) == len(faces)


def test_faces_stored_once_or_in_one_order_stay(tmp_path):
    faces = trimesh.creation.box().faces
    half = faces[:6]
    mixed = np.concatenate([half[:, ::-1], faces[6:]])
    for number, parts in enumerate([[faces], [faces, faces], [mixed]]):
        mesh = load_mesh(write_obj(tmp_path / f"{number}.obj", *((OUTER, part) for part in parts)))
        assert len(mesh.faces) == sum(len(part) for part in parts)


@pytest.mark.parametrize("stray", ["1e7 0 0", "nan 0 0"])
@pytest.mark.parametrize("form", ["ply", "off"])
def test_vertices_of_no_face_do_not_count(tmp_path, form, stray):
    box = trimesh.creation.box()
    faces = np.concatenate([box.faces, 8 + box.faces[:, ::-1]])
    rows = [f"{x} {y} {z} {c}" for c in ("204 26 26", "13 13 13") for x, y, z in box.vertices] + [f"{stray} 0 0 0"]
    lines = rows + ["3 {} {} {}".format(*face) for face in faces]
    head = ["COFF", "17 24 0"]
    if form == "ply":
        head = ["ply", "format ascii 1.0", "element vertex 17", *(f"property float {axis}" for axis in "xyz")]
        head += [f"property uchar {colour}" for colour in ("red", "green", "blue")]
        head += ["element face 24", "property list uchar int vertex_indices", "end_header"]
    (tmp_path / f"a.{form}").write_text("\n".join([*head, *lines, ""]))
    assert (colours_of(load_mesh(tmp_path / f"a.{form}")) == [204, 26, 26]).all()


def test_faces_without_area_do_not_count(tmp_path):
    faces = trimesh.creation.box().faces
    path = write_obj(tmp_path / "a.obj", (INNER, faces[:, ::-1]), (OUTER, faces))
    path.write_text(path.read_text() + "v 1e9 0 0\nf 1 9 9\n")
    assert (colours_of(load_mesh(path)) == np.rint(255 * np.array(OUTER))).all()


def test_slivers_alone_are_a_sheet(tmp_path):
    (tmp_path / "a.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1e-7 0\nf 1 2 3\n")
    mesh = load_mesh(tmp_path / "a.obj")
    assert (signed_distances(normalise(mesh)[0], np.random.default_rng(0).uniform(-0.5, 0.5, (50, 3))) > 0).all()
