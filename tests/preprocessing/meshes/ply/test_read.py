"""PLY files of many programs: each variation loads to the triangles and colours written."""

import warnings

import numpy as np
import pytest
import trimesh
from PIL import Image

from preprocessing.meshes.colours import UNCOLOURED
from preprocessing.meshes.load import load_mesh
from utils.errors import UserError
from utils.mesh.mesh import albedo

SQUARE = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0.0]])
CORNERS = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]])
ENCODINGS = {"ascii": "ascii", "little": "binary_little_endian", "big": "binary_big_endian"}
RGB = ("red", "green", "blue")
NAMES = {"u1": "uchar", "u2": "ushort", "u4": "uint", "i2": "short", "i4": "int", "f4": "float", "f8": "double"}


def write(path, vertex, faces=(), comments=(), name="face", encoding="ascii", **columns):
    """A PLY file of vertex columns {name: array}, polygons and columns of the polygons.

    A column of the polygons that is a list of lists becomes a list property.
    """
    head = ["ply", f"format {ENCODINGS[encoding]} 1.0", *(f"comment {comment}" for comment in comments)]
    body = b""
    for element, table in (("vertex", vertex), (name, {"vertex_indices": faces, **columns})):
        rows = len(next(iter(table.values())))
        head.append(f"element {element} {rows}")
        kinds = {}
        for key, column in table.items():
            if isinstance(column, np.ndarray):
                kinds[key] = column.dtype
                head.append(f"property {NAMES[column.dtype.str[1:]]} {key}")
            else:
                kinds[key] = np.dtype("i4" if key == "vertex_indices" else "f4")
                head.append(f"property list uchar {NAMES[kinds[key].str[1:]]} {key}")
        for row in range(rows):
            values = []  # (type, number) of one row
            for key, column in table.items():
                if isinstance(column, np.ndarray):
                    values.append((kinds[key], column[row]))
                else:
                    values += [(np.dtype("u1"), len(column[row])), *((kinds[key], number) for number in column[row])]
            if encoding == "ascii":
                body += " ".join(str(kind.type(number)) for kind, number in values).encode() + b"\n"
            else:
                order = "<" if encoding == "little" else ">"
                body += b"".join(np.array(number, kind.newbyteorder(order)).tobytes() for kind, number in values)
    path.write_bytes("\n".join([*head, "end_header", ""]).encode() + body)


def positions(vertices, kind=np.float32):
    return dict(zip("xyz", np.asarray(vertices, kind).T, strict=True))


def square(kind=np.uint8, names=RGB, scale=1.0):
    """Columns of the square with its corners red, green, blue and white."""
    return {**positions(SQUARE), **dict(zip(names, (CORNERS * scale).astype(kind).T, strict=True))}


def colour_at(mesh, points):
    """The colour (N, 3) of 0..255 of a mesh in the plane z = 0 at (N, 2) points of it."""
    a, b, c = (mesh.vertices[mesh.faces[:, k], :2] for k in range(3))
    colours = []
    for point in np.asarray(points, np.float64):
        whole = np.cross(np.c_[b - a, 0 * a[:, :1]], np.c_[c - a, 0 * a[:, :1]])[:, 2]
        weights = (
            np.stack(
                [
                    (p[:, 0] - point[0]) * (q[:, 1] - point[1]) - (p[:, 1] - point[1]) * (q[:, 0] - point[0])
                    for p, q in ((b, c), (c, a), (a, b))
                ],
                axis=1,
            )
            / whole[:, None]
        )
        face = np.argmax(weights.min(1))
        assert weights[face].min() > -1e-6
        colours.append(albedo(mesh, np.array([face]), weights[face][None].astype(np.float32))[0][0, :3] * 255)
    return np.array(colours)


def picture(path, colour=None):
    """A texture of one colour, or red, green, blue and white from the lower left anti-clockwise."""
    pixels = np.full((64, 64, 3), 0 if colour is None else colour, np.uint8)
    if colour is None:
        pixels[32:, :32], pixels[32:, 32:], pixels[:32, 32:], pixels[:32, :32] = CORNERS
    Image.fromarray(pixels).save(path)


QUARTERS = np.array([[0.2, 0.2], [0.8, 0.3], [0.8, 0.7], [0.3, 0.8]])
INSIDE = SQUARE[:, :2] * 0.9998 + 0.0001


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    ("kind", "scale"),
    [(np.uint8, 1), (np.uint16, 257), (np.int32, 1), (np.uint32, 257), (np.float32, 1 / 255), (np.float64, 1)],
)
def test_colours_of_every_depth(tmp_path, encoding, kind, scale):
    write(tmp_path / "a.ply", square(kind, scale=scale), [[0, 1, 2, 3]], encoding=encoding)
    assert np.abs(colour_at(load_mesh(tmp_path / "a.ply"), INSIDE) - CORNERS).max() < 0.1


@pytest.mark.parametrize(
    "names",
    [("r", "g", "b"), ("diffuse_red", "diffuse_green", "diffuse_blue"), ("Red", "Green", "Blue")]
    + [("scalar_R", "scalar_G", "scalar_B"), ("color_r", "color_g", "color_b"), ("red1", "green1", "blue1")]
    + [("ambient_red", "ambient_green", "ambient_blue"), ("vertex_red", "vertex_green", "vertex_blue")],
)
@pytest.mark.parametrize("coordinates", [(), ("s", "t")])
def test_colours_of_every_name_beside_coordinates(tmp_path, names, coordinates):
    others = {f"{light}_{name}": np.full(4, 90, np.uint8) for light in ("ambient", "specular") for name in RGB}
    columns = {**others, **square(names=names), "alpha": np.zeros(4, np.uint8), "quality": np.arange(4.0)}
    columns.update({name: SQUARE[:, k].astype(np.float32) for k, name in enumerate(coordinates)})
    write(tmp_path / "a.ply", columns, [[0, 1, 2, 3]])
    assert np.abs(colour_at(load_mesh(tmp_path / "a.ply"), INSIDE) - CORNERS).max() < 0.1


@pytest.mark.parametrize("encoding", ["ascii", "binary"])
def test_lists_are_colours_as_well(tmp_path, encoding):
    """trimesh writes attributes of vertices and faces so."""
    mesh = trimesh.Trimesh(SQUARE, [[0, 1, 2], [0, 2, 3]], process=False)
    mesh.vertex_attributes["color"] = np.c_[CORNERS, [7] * 4].astype(np.uint8)
    mesh.export(tmp_path / "a.ply", encoding=encoding)
    assert np.abs(colour_at(load_mesh(tmp_path / "a.ply"), INSIDE) - CORNERS).max() < 0.1
    write(tmp_path / "b.ply", positions(SQUARE), [[0, 1, 2], [0, 2, 3]], color=(CORNERS[:2] / 255).tolist())
    assert np.abs(colour_at(load_mesh(tmp_path / "b.ply"), QUARTERS[[1, 3]]) - CORNERS[:2]).max() < 0.1


@pytest.mark.parametrize(
    ("name", "kind", "alpha"),
    [("rgba", "u4", 255), ("rgba", "u4", 7), ("rgb", "u4", 0), ("rgb", "i4", 0), ("rgb", "f4", 0), ("RGBA", "f4", 255)],
)
def test_colours_that_are_packed_into_one_number(tmp_path, name, kind, alpha):
    packed = (alpha << 24 | CORNERS[:, 0] << 16 | CORNERS[:, 1] << 8 | CORNERS[:, 2]).astype(np.uint32).view(kind)
    for encoding in ENCODINGS if np.isfinite(packed).all() else ("little", "big"):  # text cannot hold all floats
        write(tmp_path / "a.ply", {**positions(SQUARE), name: packed}, [[0, 1, 2, 3]], encoding=encoding)
        assert np.abs(colour_at(load_mesh(tmp_path / "a.ply"), INSIDE) - CORNERS).max() < 0.1
        others = {**square(), name: np.zeros(4, kind)}  # beside a colour in three numbers
        write(tmp_path / "b.ply", others, [[0, 1, 2, 3]], encoding=encoding)
        assert np.abs(colour_at(load_mesh(tmp_path / "b.ply"), INSIDE) - CORNERS).max() < 0.1


@pytest.mark.parametrize("numbers", [np.float32([0.2, 0.4, 0.5, 1]), np.uint8([9, 99, 8, 0])])
def test_other_numbers_of_the_name_are_no_colours(tmp_path, numbers):
    write(tmp_path / "a.ply", {**positions(SQUARE), "rgb": numbers}, [[0, 1, 2, 3]])
    assert np.abs(colour_at(load_mesh(tmp_path / "a.ply"), INSIDE) - UNCOLOURED * 255).max() < 0.1


@pytest.mark.parametrize(
    "names",
    [("s", "t"), ("u", "v"), ("texture_u", "texture_v"), ("texture_s", "texture_t"), ("texcoord_u", "texcoord_v")]
    + [("u0", "v0"), ("texU", "texV"), ("tex_coord_u", "tex_coord_v"), ("uv_u", "uv_v"), ("texture_v", "texture_u")],
)
def test_coordinates_of_every_name(tmp_path, names):
    picture(tmp_path / "a.png")
    first = 0 if names[0][-2:] != "_v" else 1  # the last pair is in the other order
    columns = {**square(), names[0]: SQUARE[:, first].astype("f4"), names[1]: SQUARE[:, 1 - first].astype("f4")}
    write(tmp_path / "a.ply", columns, [[0, 1, 2, 3]], ["made by hand", "TextureFile a.png"])
    assert np.abs(colour_at(load_mesh(tmp_path / "a.ply"), QUARTERS) - CORNERS).max() < 1e-3


@pytest.mark.parametrize("words", ["TEXTUREFILE ", "TextureFile=", "TextureFile: ", "texture_file = "])
@pytest.mark.parametrize("name", ["a.png", "my skin.png"])
def test_textures_are_named_in_many_words(tmp_path, words, name):
    columns = {**positions(SQUARE), "s": SQUARE[:, 0].astype("f4"), "t": SQUARE[:, 1].astype("f4")}
    picture(tmp_path / name)
    for comment in (words + name, f"texture {name}", f"Texture: {name}"):
        comments = ["texture coordinates by hand", "textured=yes", "texturefiles are in .png", comment]
        write(tmp_path / "a.ply", columns, [[0, 1, 2, 3]], comments)
        with warnings.catch_warnings(action="error"):
            assert np.abs(colour_at(load_mesh(tmp_path / "a.ply"), QUARTERS) - CORNERS).max() < 1e-3


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_coordinates_of_corners_and_several_textures(tmp_path, encoding):
    picture(tmp_path / "four colours.png")
    picture(tmp_path / "blue.png", (30, 60, 220))
    vertices = np.concatenate([SQUARE, SQUARE + [1, 0, 0], [[0.5, 2, 0]]])
    faces = [[0, 1, 2, 3], [4, 5, 6, 7], [3, 2, 8], [1, 2, 3]]
    corner_uv = [SQUARE[:, :2].ravel(), SQUARE[:, :2].ravel(), [0.1, 0.1, 0.2, 0.1, 0.1, 0.2], []]
    write(
        tmp_path / "a.ply",
        positions(vertices),
        faces,
        ["TextureFile four colours.png", "TextureFile blue.png"],
        encoding=encoding,
        texcoord=corner_uv,
        texnumber=np.array([0, 1, 0, -1], np.int32),
    )
    mesh = load_mesh(tmp_path / "a.ply")
    expected = np.concatenate([CORNERS, [[30, 60, 220]] * 4, [[255, 0, 0]]])
    found = colour_at(mesh, np.concatenate([QUARTERS, QUARTERS + [1, 0], [[0.5, 1.3]]]))
    # the last face lies on the first one and has no texture
    plain = mesh.faces[mesh.face_material == 2]
    assert len(plain) == 1 and np.allclose(mesh.vertices[plain[0]], vertices[[1, 2, 3]])
    assert np.allclose(mesh.materials[2].factor[:3], UNCOLOURED) and mesh.materials[2].image is None
    assert np.abs(found[[0, 1, 4, 5, 6, 7, 8]] - expected[[0, 1, 4, 5, 6, 7, 8]]).max() < 1e-3


def test_coordinates_of_corners_may_be_three_and_may_lack(tmp_path):
    picture(tmp_path / "a.png")
    coordinates = np.c_[SQUARE[:, :2], [7] * 4].ravel()
    write(tmp_path / "a.ply", square(), [[0, 1, 2, 3]], ["TextureFile a.png"], texcoord=[coordinates])
    with warnings.catch_warnings(action="error"):
        assert np.abs(colour_at(load_mesh(tmp_path / "a.ply"), QUARTERS) - CORNERS).max() < 1e-3
    for lack in ([], [0.5, 0.5]):
        columns = {"texcoord": [[0.7, 0.3] * 3, lack]}
        write(tmp_path / "b.ply", positions(SQUARE), [[0, 1, 2], [0, 2, 3]], ["TextureFile a.png"], **columns)
        with pytest.warns(UserWarning, match="b.ply: a textured part has no texture coordinates") as caught:
            found = colour_at(load_mesh(tmp_path / "b.ply"), QUARTERS[[1, 3]])
        assert len(caught) == 1 and np.abs(found - [[0, 255, 0], [UNCOLOURED * 255] * 3]).max() < 1e-3


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_colours_of_corners(tmp_path, encoding):
    """Lists of faces as MeshLab writes them: three numbers a corner, of polygons of any size."""
    vertices, faces = np.concatenate([SQUARE, [[0.5, 2, 0]], [[0.5, 3, 0]]]), [[0, 1, 2, 3], [3, 2, 4], [3, 4, 5]]
    for white in (1, 255):
        colours = [(CORNERS / 255 * white).ravel(), np.array([0, 0.2, 1] * 3) * white, []]
        write(tmp_path / "a.ply", positions(vertices), faces, encoding=encoding, color=colours)
        found = colour_at(load_mesh(tmp_path / "a.ply"), [*INSIDE, [0.5, 1.3], [0.4, 2.1]])
        assert np.abs(found - [*CORNERS, [0, 51, 255], [UNCOLOURED * 255] * 3]).max() < 0.1


def test_colours_of_the_materials_of_faces(tmp_path):
    columns = {"material_index": np.array([1, 0, 2, -1], np.int32)}
    vertices, faces = np.concatenate([SQUARE, SQUARE + [2, 0, 0]]), [[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]]
    write(tmp_path / "a.ply", positions(vertices), faces, **columns)
    material = "".join(f"property uchar {light}_{name}\n" for light in ("ambient", "diffuse") for name in RGB)
    text = (tmp_path / "a.ply").read_text().replace("end_header", f"element material 2\n{material}end_header")
    (tmp_path / "a.ply").write_text(text + "9 9 9 200 10 20\n9 9 9 0 100 255\n")
    found = colour_at(load_mesh(tmp_path / "a.ply"), [[0.7, 0.3], [0.3, 0.7], [2.7, 0.3], [2.3, 0.7]])
    assert np.abs(found - [[0, 100, 255], [200, 10, 20], [UNCOLOURED * 255] * 3, [UNCOLOURED * 255] * 3]).max() < 0.1


def test_several_textures_without_numbers_are_warned_of(tmp_path):
    picture(tmp_path / "a.png")
    columns = {**positions(SQUARE), "s": SQUARE[:, 0].astype("f4"), "t": SQUARE[:, 1].astype("f4")}
    write(tmp_path / "a.ply", columns, [[0, 1, 2, 3]], ["TextureFile a.png", "TextureFile b.png"])
    with pytest.warns(UserWarning, match="a.ply: 2 textures are named") as caught:
        assert np.abs(colour_at(load_mesh(tmp_path / "a.ply"), QUARTERS) - CORNERS).max() < 1e-3
    assert len(caught) == 1


@pytest.mark.parametrize("coloured", [False, True])
def test_without_its_texture_a_mesh_has_its_own_colours(tmp_path, coloured):
    columns = square() if coloured else positions(SQUARE)
    columns |= {"s": SQUARE[:, 0].astype("f4"), "t": SQUARE[:, 1].astype("f4")}
    write(tmp_path / "a.ply", columns, [[0, 1, 2, 3]], ["TextureFile gone.png"])
    with pytest.warns(UserWarning, match="a.ply: gone.png is missing") as caught:
        mesh = load_mesh(tmp_path / "a.ply")
    assert len(caught) == 1
    expected = CORNERS if coloured else np.full((4, 3), UNCOLOURED * 255)
    assert np.abs(colour_at(mesh, INSIDE) - expected).max() < 0.1


def test_colours_of_faces(tmp_path):
    columns = {name: CORNERS[:2, k].astype(np.uint8) for k, name in enumerate(("red", "green", "blue"))}
    write(tmp_path / "a.ply", positions(SQUARE), [[0, 1, 2], [0, 2, 3]], **columns)
    found = colour_at(load_mesh(tmp_path / "a.ply"), [[0.7, 0.3], [0.3, 0.7]])
    assert np.array_equal(found, CORNERS[:2])


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_polygons_of_all_sizes_and_unknown_properties(tmp_path, encoding):
    rng = np.random.default_rng(0)
    solid = trimesh.creation.icosphere(1)
    prism = trimesh.creation.cylinder(0.3, 1, sections=9).vertices + [3, 0, 0]
    ring = [v for v in np.argsort(np.arctan2(prism[:, 1], prism[:, 0] - 3)) if np.hypot(*(prism[v, :2] - [3, 0])) > 0.1]
    top, bottom = ([v + len(solid.vertices) for v in ring if side * prism[v, 2] > 0] for side in (1, -1))
    walls = [[bottom[k - 1], bottom[k], top[k], top[k - 1]] for k in range(9)]
    faces = [*solid.faces.tolist(), top, bottom[::-1], *walls]
    order = rng.permutation(len(faces))
    vertices = np.concatenate([solid.vertices, prism])
    columns = {
        **positions(vertices, np.float64),
        "confidence": rng.random(len(vertices)),
        "id": np.arange(len(vertices), dtype=np.uint32),
    }
    faces = [faces[k] for k in order]
    notes = [list(rng.random(rng.integers(0, 4))) for _ in faces]
    write(tmp_path / "a.ply", columns, faces, encoding=encoding, weights=notes, flags=np.arange(len(faces), dtype="u1"))
    mesh = load_mesh(tmp_path / "a.ply")
    expected = solid.volume + 9 / 2 * 0.3**2 * np.sin(2 * np.pi / 9)
    assert trimesh.Trimesh(mesh.vertices, mesh.faces).volume == pytest.approx(expected)
    assert len(mesh.faces) == len(solid.faces) + 7 + 7 + 18


@pytest.mark.parametrize("encoding", ["ascii", "binary"])
def test_the_writer_of_trimesh_is_understood(tmp_path, encoding):
    shape = trimesh.creation.torus(1, 0.3)
    shape.visual.vertex_colors = np.random.default_rng(0).integers(0, 256, (len(shape.vertices), 4)).astype(np.uint8)
    shape.export(tmp_path / "a.ply", encoding=encoding)
    mesh = load_mesh(tmp_path / "a.ply")
    assert np.allclose(mesh.vertices, shape.vertices, atol=1e-6) and np.array_equal(mesh.faces, shape.faces)
    assert np.array_equal(np.rint(mesh.colours[:, :3] * 255), shape.visual.vertex_colors[:, :3])


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_strips_of_triangles(tmp_path, encoding):
    columns, rows = np.arange(8), np.arange(2)
    grid = np.stack(np.broadcast_arrays(columns[:, None], rows, 0), -1).reshape(-1, 3)  # vertex 2 column + row
    first = [1, 0, 3, 2, 5, 4, 7, 6]
    second = [9, 8, 11, 10, 13, 12, 15, 14]
    strips = [[*first, -1, *second, -1], [6, 8, 7, 9, 9, 10, 10, 12, 11, 13]]
    write(tmp_path / "a.ply", positions(grid), strips, name="tristrips", encoding=encoding)
    mesh = load_mesh(tmp_path / "a.ply")
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    up = np.cross(b - a, c - a)[:, 2]
    assert len(up) == 2 * 6 + 4 and (up == 1).all()  # squares of a grid, all seen from the same side


def test_normals_are_kept_and_completed(tmp_path):
    normals = np.array([[0, 3, 4], [1, 0, 0], [0, 0, 0], [np.nan, 0, 1]])
    columns = {**positions(SQUARE), **dict(zip(("nx", "ny", "nz"), normals.T, strict=True))}
    write(tmp_path / "a.ply", columns, [[0, 1, 2, 3]])
    assert np.allclose(load_mesh(tmp_path / "a.ply").normals, [[0, 0.6, 0.8], [1, 0, 0], [0, 0, 1], [0, 0, 1]])


@pytest.mark.parametrize("word", ["nan", "-nan(ind)", "1.#QNAN", "-1.#IND00", "1.#J"])
def test_normals_that_are_no_numbers_cost_no_colours(tmp_path, word):
    normals = {name: np.full(4, 7, np.float32) for name in ("nx", "ny", "nz")}
    write(tmp_path / "a.ply", {**positions(SQUARE), **normals, **square()}, [[0, 1, 2, 3]])
    (tmp_path / "a.ply").write_text((tmp_path / "a.ply").read_text().replace("7.0", word))
    mesh = load_mesh(tmp_path / "a.ply")
    assert np.abs(colour_at(mesh, INSIDE) - CORNERS).max() < 0.1 and np.allclose(mesh.normals, [0, 0, 1])


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("binary", [False, True])
def test_line_ends_and_a_body_in_one_line(tmp_path, newline, binary):
    head = ["ply", f"format {'binary_little_endian' if binary else 'ascii'} 1.0", "comment Müller", "obj_info made", ""]
    head += ["element vertex 4", *(f"property float {axis}" for axis in "xyz")]
    head += ["element face 1", "property list uchar uchar vertex_index", "end_header", ""]
    numbers = [*SQUARE.ravel(), 4, 0, 1, 2, 3]
    body = SQUARE.astype("<f4").tobytes() + bytes([4, 0, 1, 2, 3]) if binary else " ".join(map(str, numbers)).encode()
    (tmp_path / "a.ply").write_bytes(newline.join(head).encode("latin-1") + body)
    mesh = load_mesh(tmp_path / "a.ply")
    assert np.array_equal(mesh.vertices, SQUARE) and len(mesh.faces) == 2
    (tmp_path / "b.ply").write_bytes(newline.join(head).encode("utf-8-sig") + body)
    assert np.array_equal(load_mesh(tmp_path / "b.ply").vertices, SQUARE)


@pytest.mark.parametrize("extra", [{}, {"f_dc_0": np.zeros(4, np.float32)}])
def test_points_without_faces(tmp_path, extra):
    write(tmp_path / "a.ply", {**positions(SQUARE), **extra})
    reason = "a.ply holds Gaussian splats, no triangles" if extra else "a.ply holds no triangles"
    with pytest.raises(UserError, match=reason):
        load_mesh(tmp_path / "a.ply")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_files_that_are_cut_off_or_inconsistent(tmp_path, encoding):
    write(tmp_path / "a.ply", square(), [[0, 1, 2, 3], [0, 1, 2]], encoding=encoding)
    whole = (tmp_path / "a.ply").read_bytes()
    start = whole.index(b"end_header")
    for length in [0, 2, 20, start, *range(start + 12, len(whole) - 2, 7)]:
        (tmp_path / "b.ply").write_bytes(whole[:length])
        with pytest.raises(UserError, match="b.ply cannot be read: .*(cut off|too short)"):
            load_mesh(tmp_path / "b.ply")
    (tmp_path / "c.ply").write_bytes(whole.replace(b"element face 2", b"element face 999999999999"))
    with pytest.raises(UserError, match="too short for 999999999999 x face"):
        load_mesh(tmp_path / "c.ply")
    write(tmp_path / "d.ply", square(), [[0, 1, 7]], encoding=encoding)
    with pytest.raises(UserError, match="d.ply has a face with vertex 7, but only 4 vertices"):
        load_mesh(tmp_path / "d.ply")


@pytest.mark.parametrize("encoding", ["little", "big"])
@pytest.mark.parametrize("more", [b"", b"\n", bytes(40), b"\3" + bytes(12), b"\n\1"])
def test_data_beyond_the_declared_are_told(tmp_path, encoding, more):
    write(tmp_path / "a.ply", square(), [[0, 1, 2, 3]], encoding=encoding)
    (tmp_path / "a.ply").write_bytes((tmp_path / "a.ply").read_bytes() + more)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert len(load_mesh(tmp_path / "a.ply").faces) == 2
    text = f"a.ply has {len(more)} bytes more than its header declares: they are left out"
    assert [str(warning.message).endswith(text) for warning in caught] == [True] * any(more.strip())


def test_alpha_of_textures_is_ignored(tmp_path):
    Image.fromarray(np.full((4, 4, 4), [200, 120, 40, 0], np.uint8)).save(tmp_path / "t.png")
    vertex = positions(SQUARE) | dict(zip("st", SQUARE.T[:2].astype(np.float32), strict=True))
    write(tmp_path / "a.ply", vertex, [[0, 1, 2, 3]], ["TextureFile t.png"])
    colours, present = albedo(load_mesh(tmp_path / "a.ply"), np.zeros(1, int), np.full((1, 3), 1 / 3))
    assert present.all() and np.allclose(255 * colours[0, :3], [200, 120, 40], atol=0.5)
