"""OFF and STL files of many programs load to the triangles and colours that were written."""

import warnings

import numpy as np
import pytest
import trimesh

from preprocessing.meshes.colours import UNCOLOURED
from preprocessing.meshes.load import load_mesh
from preprocessing.meshes.stl import TRIANGLE
from utils.errors import UserError
from utils.mesh.mesh import face_areas

SQUARE = ["0 0 0", "1 0 0", "1 1 0", "0 1 0"]
COLOURS = ["255 0 0", "0 255 0", "0 0 255", "255 255 255"]
RGB = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]])
FACES = ["3 0 1 2", "3 0 2 3"]


def off(path, head, rows, faces=FACES):
    path.write_text("\n".join([*head, *rows, *faces, ""]))
    return load_mesh(path)


def rows_with(*columns):
    return [" ".join(parts) for parts in zip(*columns, strict=True)]


@pytest.mark.parametrize(
    ("head", "columns"),
    [
        (["COFF4 2 0"], [SQUARE, COLOURS]),
        (["COFF 4 2 0"], [SQUARE, COLOURS, ["255"] * 4]),
        (["coff", "4 2"], [SQUARE, COLOURS]),
        (["# made", "COFF # colours", "", "4 2 0 # counts"], [SQUARE, ["1 0 0 1", "0 1 0 1", "0 0 1 1", "1 1 1 1"]]),
        (["OFF", "4 2 0"], [SQUARE, COLOURS, ["128"] * 4]),
        (["4 2 0"], [SQUARE, COLOURS]),
        (["COFF", "4", "2", "0"], [SQUARE, COLOURS]),
        (["COFF 4 2", "0"], [SQUARE, COLOURS]),
        (["COFF 4", "2 0"], [SQUARE, COLOURS]),
        (["CNOFF", "4 2 0"], [SQUARE, ["0 0 1"] * 4, COLOURS]),
        (["NCOFF", "4 2 0"], [SQUARE, ["0 0 1"] * 4, COLOURS]),
        (["STCOFF", "4 2 0"], [SQUARE, COLOURS, ["0.5 0.5"] * 4]),
        (["C4OFF", "4 2 0"], [["0 0 0 2", "2 0 0 2", "2 2 0 2", "0 2 0 2"], COLOURS]),
    ],
)
def test_vertex_colours_under_every_header(tmp_path, head, columns):
    mesh = off(tmp_path / "a.off", head, rows_with(*columns))
    assert np.array_equal(mesh.vertices, [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    assert np.array_equal(mesh.colours[:, :3], RGB) and np.array_equal(mesh.faces, [[0, 1, 2], [0, 2, 3]])
    assert np.allclose(mesh.normals, [0, 0, 1])


@pytest.mark.parametrize("word", ["nan", "-nan(ind)", "1.#QNAN", "-1.#IND00", "1.#J"])
def test_normals_that_are_no_numbers_cost_no_colours(tmp_path, word):
    mesh = off(tmp_path / "a.off", ["CNOFF", "4 2 0"], rows_with(SQUARE, [f"{word} {word} 1"] * 4, COLOURS))
    assert np.array_equal(mesh.colours[:, :3], RGB) and np.allclose(mesh.normals, [0, 0, 1])


@pytest.mark.parametrize("head", [["OFF4 2 0"], ["NOFF", "4 2 0"], ["STOFF", "4 2 0"], ["OFF 4 2 0"], ["4 2 0"]])
def test_without_colours_a_mesh_is_grey(tmp_path, head):
    extra = {"N": ["0 3 4"] * 4, "S": ["0 0.5"] * 4}.get(head[0][0], [""] * 4)
    mesh = off(tmp_path / "a.off", head, rows_with(SQUARE, extra))
    assert (mesh.colours == 1).all() and np.allclose(mesh.materials[0].factor, [UNCOLOURED] * 3 + [1])
    assert np.allclose(mesh.normals, [0, 0.6, 0.8] if head[0][0] == "N" else [0, 0, 1])


@pytest.mark.parametrize(
    "colours", [("255 0 0", "0 51 255"), ("1. 0. 0. 1.", "0. .2 1. 1."), ("255 0 0 9", "0 51 255")]
)
def test_colours_of_faces(tmp_path, colours):
    mesh = off(tmp_path / "a.off", ["OFF", "4 2 0"], SQUARE, rows_with(FACES, colours))
    assert np.allclose(mesh.colours[mesh.faces][..., :3], np.array([[1, 0, 0], [0, 0.2, 1]])[:, None])


@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        ("2 1 0 255", (2 / 255, 1 / 255, 0)),
        ("1 1 1 1", (1, 1, 1)),
        ("1 0 1", (1, 0, 1)),
        ("200 100 0 1", (200 / 255, 100 / 255, 0)),
        ("1.0 0.5 0.0 255", (1, 0.5, 0)),
        ("0.2 0.4 1.0 1.0", (0.2, 0.4, 1)),
        ("0.5 99.5 200.0 255", (0.5 / 255, 99.5 / 255, 200 / 255)),
    ],
)
def test_what_is_white_is_told_by_fractions_and_alpha(tmp_path, colour, expected):
    """The same colours of vertices and of faces are the same."""
    for rows, faces in ((rows_with(SQUARE, [colour] * 4), FACES), (SQUARE, rows_with(FACES, [colour] * 2))):
        mesh = off(tmp_path / "a.off", ["OFF", "4 2 0"], rows, faces)
        assert np.allclose(mesh.colours[mesh.faces][..., :3], expected)


def test_colours_from_a_table_are_warned_of(tmp_path):
    with pytest.warns(UserWarning, match="a.off: colours of faces are numbers in a table"):
        mesh = off(tmp_path / "a.off", ["OFF", "4 2 0"], SQUARE, ["3 0 1 2 7", "3 0 2 3 1"])
    assert np.allclose(mesh.materials[0].factor[:3], UNCOLOURED)


@pytest.mark.parametrize("per_line", [1, 2])
@pytest.mark.parametrize("more", [0, 1, 5])
def test_faces_beyond_the_declared_are_told(tmp_path, per_line, more):
    vertices = [" ".join(SQUARE[k : k + per_line]) for k in range(0, 4, per_line)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        mesh = off(tmp_path / "a.off", ["OFF", "4 2 0"], vertices, [*FACES, *["3 3 2 0"] * more, "# end", ""])
    assert np.array_equal(mesh.faces, [[0, 1, 2], [0, 2, 3]])
    text = f"a.off declares 2 faces, but has {2 + more}: those beyond are left out"
    assert [str(warning.message).endswith(text) for warning in caught] == [True] * (more > 0)


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_comments_of_any_encoding(tmp_path, encoding, newline):
    """Some of their bytes would be line breaks in Latin-1, such as 0x85."""
    lines = ["OFF", "# Å… chair" if encoding == "cp1252" else "# Å… стул", "4 2 0", *SQUARE, *FACES, ""]
    (tmp_path / "a.off").write_bytes(newline.join(lines).encode(encoding))
    assert len(load_mesh(tmp_path / "a.off").faces) == 2


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_byte_order_marks(tmp_path, encoding):
    lines = ["COFF", "4 2 0", *rows_with(SQUARE, COLOURS), *FACES, ""]
    (tmp_path / "a.off").write_bytes("\n".join(lines).encode(encoding))
    mesh = load_mesh(tmp_path / "a.off")
    assert np.array_equal(mesh.colours[:, :3], RGB) and len(mesh.faces) == 2


def test_lines_that_end_anywhere_and_polygons(tmp_path):
    words = " ".join([*SQUARE, "0.5 0.2 1", "4 0 1 2 3", *FACES, "2 0 1"]).split()
    lines = [" ".join(words[k : k + 4]) for k in range(0, len(words), 4)]
    (tmp_path / "a.off").write_text("\n".join(["OFF", "5 4 0", *lines]))
    mesh = load_mesh(tmp_path / "a.off")
    found = sorted(np.roll(row, -row.argmin()).tolist() for row in mesh.faces)
    assert found == [[0, 1, 2], [0, 1, 2], [0, 2, 3], [0, 2, 3]]
    assert np.array_equal(mesh.vertices[4], [0.5, 0.2, 1])
    for head in ("OFF 5 4 0 ", "OFF 5 4 0\n", "OFF5 4\n0\n", "5 4 0 "):  # all in one line
        (tmp_path / "b.off").write_text(head + " ".join(words))
        assert np.array_equal(load_mesh(tmp_path / "b.off").faces, mesh.faces)


@pytest.mark.parametrize("head", ["OFF", "COFF"])
@pytest.mark.parametrize("alpha", ["", " 255"])
@pytest.mark.parametrize("per_line", [1, 2, 4])
def test_colours_where_lines_end_anywhere(tmp_path, head, alpha, per_line):
    """Several vertices a line, with colours of their own or of the faces, or faces over lines."""
    vertices = rows_with(SQUARE, [colour + alpha for colour in COLOURS]) if head == "COFF" else SQUARE
    rows = [" ".join(vertices[k : k + per_line]) for k in range(0, 4, per_line)]
    coloured = [f"{face} {colour}{alpha}" for face, colour in zip(FACES, COLOURS, strict=False)]
    for faces in (coloured, FACES, ["4 0 1", "2 3"], ["3 0 1 2 3 0", "2 3"]):
        count = 1 if faces[0].startswith("4") else 2
        mesh = off(tmp_path / "a.off", [head, f"4 {count} 0"], rows, faces)
        corners = mesh.vertices[mesh.faces.ravel()]
        assert {tuple(corner) for corner in corners} == {tuple(map(float, row.split())) for row in SQUARE}
        if head == "COFF":
            place = [[0, 0], [1, 0], [1, 1], [0, 1]].index
            assert np.array_equal(mesh.colours[mesh.faces.ravel(), :3], RGB[[place(list(c[:2])) for c in corners]])
        elif faces is coloured:
            assert np.array_equal(mesh.colours[mesh.faces[:, 0], :3], RGB[:2])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("OFF BINARY\n4 2 0\n", "binary OFF"),
        ("OFF\n4 2 0\n\0\0", "binary OFF"),
        ("nOFF\n3\n4 2 0\n", "nOFF"),
        ("", "cannot be read"),
        ("OFF\n", "cannot be read"),
        ("OFF\n99999999999 2 0\n0 0 0\n", "cannot be read"),
        ("OFF\n4 2 0\n0 0 0\n1 0 0\n1 1 0\n0 1 0\n3 0 1 2\n", "cannot be read"),
        ("OFF\n3 1 0\n0 0 0\n1 0 0\n1 1 x\n3 0 1 2\n", "cannot be read"),
        ("OFF\n3 1 0\n0 0 0\n1 0 0\n1 1 0\n3 0 1 3\n", "face with vertex 3, but only 3"),
        ("OFF\n3 0 0\n0 0 0\n1 0 0\n1 1 0\n", "holds no triangles"),
        ("COFF\n3 1 0\n0 0 0 9 9 9 9\n1 0 0\n0 1 0 9 9 9 9\n1 1 0 9 9 9 9\n3 0 1 2\n", "damaged or cut off"),
        ("COFF\n4 1 0\n0 0 0 9 9 9 9\n1 0 0\n0 1 0 9 9 9 9\n1 1 0 9 9 9 9\n3 0 1 2\n", "damaged or cut off"),
    ],
)
def test_off_files_that_cannot_be_used(tmp_path, text, reason):
    (tmp_path / "a.off").write_text(text)
    with pytest.raises(UserError, match=f"a.off .*{reason}"):
        load_mesh(tmp_path / "a.off")


@pytest.mark.parametrize("kind", ["stl", "stl_ascii"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_stl_as_trimesh_writes_it(tmp_path, kind, end):
    shape = trimesh.creation.torus(1, 0.3)
    data = shape.export(file_type=kind)
    text = ("\ufeff" if end == "\r\n" else "") + str(data).replace("\n", end)
    data = text.encode() if kind == "stl_ascii" else b"solid" + data[5:] + b"\0" * (end == "\r\n")
    (tmp_path / "a.stl").write_bytes(data)
    with pytest.warns(UserWarning, match="a.stl: an STL file without colours: it becomes grey"):
        mesh = load_mesh(tmp_path / "a.stl")
    assert len(mesh.vertices) == len(shape.vertices)  # equal points are one vertex again
    assert np.allclose(mesh.vertices[mesh.faces], shape.triangles, atol=1e-6)
    assert trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).is_watertight


def test_faces_of_ascii_stl_may_have_any_number_of_corners(tmp_path):
    l_shape = [(0, 0), (1, 0), (1, 0.1), (0.1, 0.1), (0.1, 1), (0, 1)]
    faces = [[(0, 0), (1, 0), (1, 1), (0, 1)], [(0, 0), (1, 1)], l_shape, [(0, 0), (1, 0), (0, 1)], [(0, 0)]]
    lines = ["solid a"]
    for z, face in enumerate(faces):
        lines += ["facet normal 0 0 1", "OUTER LOOP", *(f"vertex {x} {y} {z}" for x, y in face), "endloop", "endfacet"]
    (tmp_path / "a.stl").write_text("\n".join([*lines, "endsolid a"]))
    with pytest.warns(UserWarning, match="without colours"):
        mesh = load_mesh(tmp_path / "a.stl")
    areas = face_areas(mesh.vertices, mesh.faces)
    heights = mesh.vertices[mesh.faces][:, :, 2]
    assert (heights == heights[:, :1]).all()
    np.testing.assert_allclose(np.bincount(heights[:, 0].astype(int), areas), [1, 0, 0.19, 0.5])


def binary_stl(path, header, attributes):
    table = np.zeros(2, TRIANGLE)
    table["points"] = [[[0, 0, 0], [1, 0, 0], [1, 1, 0]], [[0, 0, -0.0], [1, 1, 0], [0, 1, 0]]]
    table["attribute"] = attributes
    path.write_bytes(header.ljust(80, b"\0") + (2).to_bytes(4, "little") + table.tobytes())
    return load_mesh(path)


@pytest.mark.parametrize("more", [0, 3, 50, 100, 120])
def test_triangles_beyond_the_declared_are_told(tmp_path, more):
    binary_stl(tmp_path / "a.stl", b"VisCAM", [0x8000, 0x8000])
    (tmp_path / "a.stl").write_bytes((tmp_path / "a.stl").read_bytes() + b"\1" * more)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert len(load_mesh(tmp_path / "a.stl").faces) == 2
    text = f"a.stl declares 2 triangles, but has {2 + more // 50}: those beyond are left out"
    assert [str(warning.message).endswith(text) for warning in caught] == [True] * (more in (50, 100))


def test_colours_of_stl(tmp_path):
    with warnings.catch_warnings(action="error"):
        viscam = binary_stl(tmp_path / "a.stl", b"VisCAM", [0x8000 | 31 << 10, 0])
        magics = binary_stl(tmp_path / "b.stl", b"COLOR=\x00\xff\x00\xff", [31, 0x8000])
    assert np.allclose(viscam.colours[viscam.faces][:, 0, :3], [[1, 0, 0], [UNCOLOURED] * 3])
    assert np.allclose(magics.colours[magics.faces][:, 0, :3], [[1, 0, 0], [0, 1, 0]])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "cannot be read"),
        (b"solid x\nendsolid x\n", "holds no triangles"),
        (b"solid x\nvertex 0 0 0\nvertex 1 0 0\n", "cannot be read"),
        (b"solid x\n" + 3 * b"vertex 0 0 0\n" + b"endloop\nvertex 1 0 0\n", "last face is cut off"),
        (b"solid x\n" + 3 * b"vertex 0,5 0 0\n" + b"endloop\n", "not three numbers"),
        (b"\0" * 80 + b"\xff\xff\xff\xff" + b"\0" * 90, "declares 4294967295 triangles, but has room for 1"),
    ],
)
def test_stl_files_that_cannot_be_used(tmp_path, data, reason):
    (tmp_path / "a.stl").write_bytes(data)
    with pytest.raises(UserError, match=f"a.stl .*{reason}"):
        load_mesh(tmp_path / "a.stl")
