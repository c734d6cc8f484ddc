"""OBJ and MTL files: every way to write a mesh gives the same triangles and colours."""

import time
import warnings

import numpy as np
import pytest
import trimesh
from PIL import Image

from preprocessing.meshes.load import load_mesh
from utils.errors import UserError
from utils.mesh import sampling
from utils.mesh.mesh import face_areas

V = "v -0.5 -0.5 0\nv 0.5 -0.5 0\nv 0.5 0.5 0\nv -0.5 0.5 0\n"
VT = "vt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\n"
FACES = "f 1/1 2/2 3/3\nf 1/1 3/3 4/4\n"
SQUARE = "mtllib m.mtl\n" + V + VT + "usemtl a\n" + FACES
QUARTERS = np.array([[[220, 30, 30], [30, 180, 30]], [[30, 60, 220], [230, 210, 30]]], np.uint8)


def write(folder, text, mtl="newmtl a\nKd 0 0 0\nmap_Kd tex.png\n", encoding="utf-8"):
    """A mesh file with its library and a texture of four quarters; its path."""
    Image.fromarray(QUARTERS.repeat(32, 0).repeat(32, 1)).save(folder / "tex.png")
    if mtl is not None:
        (folder / "m.mtl").write_bytes(mtl.encode(encoding))
    (folder / "a.obj").write_bytes(text.encode(encoding))
    return folder / "a.obj"


def load(path, warns=None):
    """The mesh of a file that gives one warning of the pattern `warns`, or none."""
    if warns is None:
        with warnings.catch_warnings(action="error"):
            return load_mesh(path)
    with pytest.warns(UserWarning, match=warns) as caught:
        mesh = load_mesh(path)
    assert len(caught) == 1 and path.name in str(caught[0].message) and "\n" not in str(caught[0].message)
    return mesh


def colours_at(mesh, count=3000):
    return sampling.sample_surface(mesh, count, np.random.default_rng(0))


def assert_quarters(mesh, repeat=1):
    """A unit square that shows the texture, `repeat` times in both directions."""
    assert face_areas(mesh.vertices, mesh.faces).sum() == pytest.approx(1)
    points, colours = colours_at(mesh)
    u, v = ((points[:, :2] + 0.5) * repeat % 1).T
    inside = (np.abs(u % 0.5 - 0.25) < 0.2) & (np.abs(v % 0.5 - 0.25) < 0.2)
    assert inside.sum() > 500
    assert np.array_equal(colours[inside], QUARTERS[(v < 0.5).astype(int), (u > 0.5).astype(int)][inside])


def only_colour(mesh):
    """The colour of a mesh of one colour, in 0..255."""
    colours = colours_at(mesh, 200)[1].astype(int)
    assert np.ptp(colours, axis=0).max() <= 1
    return colours[0]


@pytest.mark.parametrize(
    "text",
    [
        SQUARE,
        SQUARE.replace(" ", "\t"),
        SQUARE.replace(" ", "  "),
        "".join(f" \t {line} \n" for line in SQUARE.splitlines()),
        SQUARE.replace("\n", "\r\n"),
        SQUARE.replace("\n", "\r"),
        SQUARE.rstrip("\n"),
        "\n# made by C:\\\n" + SQUARE.replace("\n", "\n# comment \\\n"),
        SQUARE.replace("\nv", " # comment\nv").replace("\nf", " # 1 2 3\nf").replace("usemtl a", "usemtl a # it"),
        SQUARE.replace(" 3/3", " \\\n 3/3").replace("v 0.5 ", "v 0.5\\\r\n"),
        SQUARE.replace("0.5", ".5"),
        SQUARE.replace("0.5", "5e-1").replace("0\n", "0.0E+00\n"),
        SQUARE.replace(" 0\nv", " 0 1.0\nv"),
        SQUARE.replace("vt 0 0", "vt 0 0 0"),
        SQUARE.replace("vt 0 0\n", "vt 0\n"),
        SQUARE.replace(FACES, "f 1/1 2/2 3/3 4/4\n"),
        SQUARE.replace(FACES, "f -4/-4 -3/-3 -2/-2 -1/-1\n"),
        SQUARE.replace(FACES, "vn 0 0 1\nf 1/1/1 2/2/1 3/3/-1\nf 1/1 3/3/ 4/4/\n"),
        SQUARE.replace(FACES, "f 1/1/ 2/2/ 3/3/\nfo 1/1/0 3/3/0 4/4/0\n"),
        SQUARE.replace(FACES, "f 1/1 2/2\nl 1 2 3\np 1\nf 1\nf\n" + FACES),
        SQUARE.replace("usemtl", "g x y\no z\ns off\ns 1\nmg 1 2\nunknown 4\nusemtl"),
        SQUARE.replace("usemtl", "v 0 0 nan\nv 1e30 0 0\nvn 0 0 nan\nusemtl"),
        SQUARE.replace("usemtl", "v 1.#INF 0 -1.#J # far\nvt -1.#IND00 1.#QNANe+000\nusemtl"),
        SQUARE.replace(FACES, "vn 1.#QNAN 0 -1.#IND # none\nf 1/1/1 2/2/1 3/3/1\nf 1/1/1 3/3/1 4/4/1\n"),
        SQUARE + "usemtl b\n",
        V + "usemtl a\n" + VT + FACES + "mtllib m.mtl\n",
        SQUARE.replace("mtllib m.mtl", "mtllib gone/m.mtl"),
        SQUARE.replace("mtllib m.mtl", "mtllib C:\\Users\\me\\M.MTL"),
        SQUARE.replace("usemtl a", "usemtl A"),
        SQUARE.replace("usemtl a", 'usemtl "a"'),
        SQUARE.upper().replace("M.MTL", "m.mtl"),
        SQUARE.replace("usemtl a\n", ""),
    ],
)
def test_every_way_to_write_the_square(tmp_path, text):
    assert_quarters(load(write(tmp_path, text)))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_encodings(tmp_path, encoding):
    text, mtl = SQUARE.replace("usemtl a", "usemtl Möbel 1"), "newmtl Möbel 1\nmap_Kd tex.png\n"
    assert_quarters(load(write(tmp_path, text, mtl, encoding)))


@pytest.mark.parametrize(
    "statement",
    [
        "map_Kd TEX.png",
        "map_kd .\\tex.png",
        'map_Kd "tex.png"',
        "map_Kd C:\\Users\\me\\tex.png",
        "map_Kd /home/me/textures/tex.png",
        "map_Kd tex.png # the skin",
        "map_Kd 'tex.png'",
        "map_Kd te%78.png",
        "\tmap_Kd\ttex.png ",
        "map_Kd -blendu on -blendv off -texres 512 -bm 0.5 -mm 0 1 -imfchan l -cc off -type sphere tex.png",
        "map_Kd -s 1 1 1 -o 0 0 0 -t 0 tex.png",
        "map_Kd -o 1 tex.png",
        "map_Kd tex.png -s 1 1 1",
        "map_Kd -colorspace sRGB -s 1 1 1 -dxt dxt5 .\\tex.png",
        "map_Kd -blendu on -srgb textures/tex.png",
        "map_Ka tex.png",
        "Ke 1 1 1\nmap_Ke tex.png",
        "map_Kd tex.png\nd 1\nTr 0",
        "map_Kd tex.png\nTr 1",
        "map_Kd tex.png\nd 1\nTr 1",
        "map_Kd tex.png\nd -halo 1",
        "map_Kd tex.png\nmap_Bump gone.png\nmap_Ks gone.png",
    ],
)
def test_every_way_to_name_the_texture(tmp_path, statement):
    assert_quarters(load(write(tmp_path, SQUARE, f"newmtl a\nKd 0 0 0\n{statement}\n")))


def test_scale_and_offset_of_a_map(tmp_path):
    assert_quarters(load(write(tmp_path, SQUARE, "newmtl a\nmap_Kd -s 2 2 1 tex.png\n")), repeat=2)
    mesh = load(write(tmp_path, SQUARE, "newmtl a\nmap_Kd -o 0.25 0.5 -s 3 tex.png\n"))
    corner = np.argmin(np.abs(mesh.vertices - [0.5, 0.5, 0]).sum(1))
    assert np.allclose(mesh.uv[corner], [3.25, 1.5])
    assert_quarters(load(write(tmp_path, SQUARE, "newmtl a\nmap_Kd -dxt dxt5 -s 2 2 tex.png\n")), repeat=2)


def test_names_may_look_like_options(tmp_path):
    path = write(tmp_path, SQUARE, "newmtl a\nmap_Kd -old brick tex.png\n")
    (tmp_path / "tex.png").rename(tmp_path / "-old brick tex.png")
    Image.new("RGB", (8, 8), (1, 2, 3)).save(tmp_path / "tex.png")  # another one of the name
    assert_quarters(load(path))


def test_a_clamped_map_continues_its_edge(tmp_path):
    mesh = load(write(tmp_path, SQUARE, "newmtl a\nmap_Kd -clamp on -s 2 2 tex.png\n"))
    points, colours = colours_at(mesh)
    beyond = (points > 0.02)[:, :2].all(1)
    assert beyond.sum() > 500
    assert np.array_equal(np.unique(colours[beyond], axis=0), QUARTERS[:1, 1])


@pytest.mark.parametrize(
    ("options", "base", "gain"),
    [("-mm 0.2 0.5", 0.2, 0.5), ("-clamp on -mm -0.1 1.5", -0.1, 1.5), ("-mm 0.3", 0.3, 1), ("-mm 1 -1", 1, -1)],
)
@pytest.mark.parametrize("keyword", ["map_Kd", "Ke 1 1 1\nmap_Ke", "map_d mask.png\nmap_Kd"])
def test_levels_of_a_map(tmp_path, keyword, options, base, gain):
    Image.fromarray(np.full((2, 2), 255, np.uint8)).save(tmp_path / "mask.png")
    Image.new("RGB", (4, 4), (200, 100, 3)).save(tmp_path / "plain.png")
    mesh = load(write(tmp_path, SQUARE, f"newmtl a\n{keyword} {options} plain.png\n"))
    expected = np.clip(base + gain * np.array([200, 100, 3]) / 255, 0, 1) * 255
    assert np.abs(only_colour(mesh) - expected).max() <= 1


def test_levels_of_a_mask(tmp_path):
    Image.new("L", (4, 4), 0).save(tmp_path / "mask.png")
    mesh = load(write(tmp_path, SQUARE, "newmtl a\nmap_Kd tex.png\nmap_d -mm 1 -1 mask.png\n"))
    assert_quarters(mesh)  # turned round, it hides nothing


@pytest.mark.parametrize("library", ["looks", "../looks", "."])
def test_textures_are_beside_their_library(library, tmp_path):
    mesh, looks = tmp_path / "mesh", tmp_path / "mesh" / library
    mesh.mkdir()
    looks.mkdir(exist_ok=True)
    path = write(mesh, SQUARE.replace("m.mtl", f"{library}/m.mtl"))
    (mesh / "tex.png").rename(looks / "tex.png")
    (mesh / "m.mtl").rename(looks / "m.mtl")
    if library != ".":
        Image.new("RGB", (8, 8), (1, 2, 3)).save(mesh / "tex.png")  # another one of the name
    assert_quarters(load(path))


def test_names_with_spaces_and_several_libraries(tmp_path):
    (tmp_path / "my first.mtl").write_text("newmtl red one\nKd 1 0 0\nnewmtl green\nKd 0 0 1\n")
    (tmp_path / "second.mtl").write_text("newmtl green\nKd 0 1 0\n")
    body = V + "usemtl red one\nf 1 2 3\nusemtl green\nf 1 3 4\n"
    for libraries in ("mtllib my first.mtl second.mtl\n", "mtllib my first.mtl\nmtllib second.mtl\n"):
        points, colours = colours_at(load(write(tmp_path, libraries + body, None)))
        assert np.array_equal(colours, np.where(points[:, 1:2] < points[:, :1], [[255, 0, 0]], [[0, 0, 255]]))
    assert set(map(tuple, colours_at(load(write(tmp_path, "mtllib second.mtl my first.mtl\n" + body, None)))[1])) == {
        (255, 0, 0),
        (0, 255, 0),
    }


@pytest.mark.parametrize("name", ["my first.mtl", "my\\ first.mtl", '"my first.mtl"', "my%20first.mtl"])
def test_names_of_libraries_may_be_quoted_or_escaped(tmp_path, name):
    (tmp_path / "my first.mtl").write_text("newmtl a\nmap_Kd my\\ skin.png\n")
    path = write(tmp_path, SQUARE.replace("m.mtl", name), None)
    (tmp_path / "tex.png").rename(tmp_path / "my skin.png")
    assert_quarters(load(path))


@pytest.mark.parametrize("page", ["gb18030", "cp932", "cp1251"])
def test_libraries_and_textures_with_names_of_another_code_page(tmp_path, page):
    name = "стул"
    path = write(tmp_path, SQUARE, None)
    path.write_bytes(SQUARE.replace("m.mtl", f"{name}.mtl").encode(page))
    (tmp_path / f"{name}.mtl").write_bytes(f"newmtl a\nmap_Kd {name}.png\n".encode(page))
    (tmp_path / "tex.png").rename(tmp_path / f"{name}.png")
    assert_quarters(load(path))


def test_comments_behind_names_of_materials(tmp_path):
    """But Material #26, as 3ds Max writes it, is a name."""
    assert_quarters(load(write(tmp_path, SQUARE, "newmtl a # skin\nmap_Kd tex.png\nnewmtl b # 1\nKd 1 0 0\n")))
    numbered = "newmtl a #1\nKd 1 0 0\nnewmtl a #2\nmap_Kd tex.png\n"
    assert_quarters(load(write(tmp_path, SQUARE.replace("usemtl a", "usemtl a #2"), numbered)))
    for name in ("a #3", "a"):
        load(write(tmp_path, SQUARE.replace("usemtl a", f"usemtl {name}"), numbered), f"no material library has {name}")


@pytest.mark.parametrize(
    ("mtl", "colour"),
    [
        ("Kd 1 0 0", (255, 0, 0)),
        ("Kd 0.2", (51, 51, 51)),
        ("Kd 1 0 0# red", (255, 0, 0)),
        ("Kd 255 128 0", (255, 128, 0)),
        ("Ka 0 0 1", (0, 0, 255)),
        ("Ke 0 1 0", (0, 255, 0)),
        ("Kd 0 0 0\nKe 0 1 0\nKa 1 1 1", (0, 255, 0)),
        ("Kd 1 0 0\nKe 0 1 0", (255, 0, 0)),
        ("Kd 0 0 0", (0, 0, 0)),
        ("Kd spectral file.rfl 1", (204, 204, 204)),
        ("Ns 10", (204, 204, 204)),
        ("Kd nan nan nan", (204, 204, 204)),
        ("Kd xyz 0.9505 1 1.089", (255, 255, 255)),
        ("Kd xyz 0.4124 0.2126 0.0193", (255, 0, 0)),
        ("Kd xyz 0.0383 0.0642 0.0237 # dark green", (31, 82, 32)),
        ("Kd 0 0 0\nKe xyz 0.1805 0.0722 0.9505", (0, 0, 255)),
        ("Kd xyz 0.3", (162, 145, 143)),
    ],
)
def test_colours_of_materials(tmp_path, mtl, colour):
    assert np.allclose(only_colour(load(write(tmp_path, SQUARE, f"newmtl a\n{mtl}\n"))), colour, atol=1)


@pytest.mark.parametrize("white", [1, 255])
def test_vertex_colours_count_where_there_is_no_texture(tmp_path, white):
    corners = ("1 0 0", "1 0 0", "1 0 0", "0 1 0")
    lines = [f"{line} {colour}" for line, colour in zip(V.splitlines(), corners, strict=True)]
    coloured = SQUARE.replace(
        V, "\n".join(lines).replace(" 1 0 0", f" {white} 0 0").replace(" 0 1 0", f" 0 {white} 0") + "\n"
    )
    assert_quarters(load(write(tmp_path, coloured)))
    for mtl in ("newmtl a\nKd 0.5 0.5 0.5\n", "newmtl a\n"):
        points, colours = colours_at(load(write(tmp_path, coloured, mtl)))
        lower = points[:, 1] < points[:, 0]
        assert np.array_equal(np.unique(colours[lower], axis=0), [[255, 0, 0]])
        assert len(np.unique(colours[~lower], axis=0)) > 50
    plain = coloured.replace(f"-0.5 0.5 0 0 {white} 0", "-0.5 0.5 0")  # one vertex without a colour
    points, colours = colours_at(load(write(tmp_path, plain, "newmtl a\nKd 0 0 1\n")))
    assert np.array_equal(colours, np.where(points[:, 1:2] < points[:, :1], [[255, 0, 0]], [[0, 0, 255]]))
    whites = SQUARE.replace(" 0\nv ", " 0 1 1 1\nv ")
    assert only_colour(load(write(tmp_path, whites, "newmtl a\nKd 0 0 1\n"))).tolist() == [0, 0, 255]


def test_vertex_colours_a_rounding_above_1(tmp_path):
    coloured = SQUARE.replace(" 0\nv ", " 0 1.000001 0.4 0\nv ").replace("0.5 0\nvt", "0.5 0 1.000001 0.4 0\nvt")
    assert only_colour(load(write(tmp_path, coloured, "newmtl a\n"))).tolist() == [255, 102, 0]


@pytest.mark.parametrize("a_line", [1, 64])
def test_polypaint_of_zbrush(tmp_path, a_line):
    """Colours of vertices in comments, MMRRGGBB each, up to 64 a line, after the vertices."""
    ball = trimesh.creation.icosphere(2)
    colours = np.random.default_rng(0).integers(0, 256, (len(ball.vertices), 3))
    words = [f"{mask:02x}{red:02X}{green:02x}{blue:02x}" for mask, (red, green, blue) in enumerate(colours)]
    paint = "".join(f"#MRGB {''.join(words[k : k + a_line])}\n" for k in range(0, len(words), a_line))
    head = "#MAT.obj \\\n" + "".join(f"v {x} {y} {z}\n" for x, y, z in ball.vertices)
    faces = "".join(f"f {a} {b} {c}\n" for a, b, c in ball.faces + 1)
    mesh = load(write(tmp_path, head + "# The following MRGB block\n" + paint + "# End of MRGB block\n" + faces))
    assert np.allclose(mesh.vertices[mesh.faces], ball.vertices[ball.faces])
    assert np.allclose(mesh.colours[mesh.faces][..., :3] * 255, colours[ball.faces])
    textured = SQUARE.replace("usemtl", f"#MRGB {'ff102030' * 4}\nusemtl")
    assert_quarters(load(write(tmp_path, textured)))
    own = textured.replace(" 0\nv", " 0 1 0 0\nv").replace(" 0\nvt", " 0 1 0 0\nvt", 1)
    assert only_colour(load(write(tmp_path, own, "newmtl a\n"))).tolist() == [255, 0, 0]


def test_long_statements_take_time_in_proportion_to_their_length(tmp_path):
    start = time.process_time()
    load(write(tmp_path, f"mtllib {'a b ' * 20_000}\n" + V + "f 1 2 3\n", None), "is missing")
    load(write(tmp_path, SQUARE, f"newmtl a\nKd {'1' * 40_000}x\n"), "cannot be read: a ")
    assert time.process_time() - start < 5  # minutes, if every letter is compared with all that follow


BOX = trimesh.creation.box()


def boxes(inner, outer):
    """A unit box of one material within a box of twice the size of another."""
    vertices = [*BOX.vertices, *(2 * BOX.vertices)]
    lines = [f"v {x} {y} {z}" for x, y, z in vertices]
    for name, start in ((inner, 1), (outer, 9)):
        lines += [f"usemtl {name}", *(f"f {a + start} {b + start} {c + start}" for a, b, c in BOX.faces)]
    return "mtllib m.mtl\n" + "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("opacity", "area", "warns"),
    [
        ("d 0", 6, None),
        ("d 0\nTr 1", 6, None),
        ("d 0.01", 6, None),
        ("d 0.15", 30, r"glass \(0.15\)"),
        ("Tr 0.6", 30, r"glass \(0.4\)"),
        ("Tr 1", 30, None),
        ("d 0\nTr 0", 30, None),
        ("d 1\nTr 1", 30, None),
    ],
)
def test_opacity(tmp_path, opacity, area, warns):
    path = write(tmp_path, boxes("red", "glass"), f"newmtl red\nKd 1 0 0\nnewmtl glass\nKd 0 0 1\n{opacity}\n")
    mesh = load(path, warns)
    assert face_areas(mesh.vertices, mesh.faces).sum() == pytest.approx(area)


def test_where_all_is_invisible_nothing_is(tmp_path):
    path = write(tmp_path, boxes("a", "a"), "newmtl a\nKd 1 0 0\nd 0\n")
    assert only_colour(load(path, "all materials are invisible")).tolist() == [255, 0, 0]


def test_alpha_maps(tmp_path):
    mask = np.zeros((64, 64), np.uint8)
    mask[:, 32:] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    for mtl in ("map_Kd tex.png\nmap_d mask.png", "Kd 1 0 0\nmap_d mask.png"):
        points, _ = colours_at(load(write(tmp_path, SQUARE, f"newmtl a\n{mtl}\n")))
        assert points[points[:, 0] > -0.49, 0].min() > -0.02  # at its edge the texture repeats
    picture = Image.fromarray(QUARTERS.repeat(32, 0).repeat(32, 1))
    picture.putalpha(0)  # an alpha channel that a program left empty
    picture.save(tmp_path / "empty.tga")
    assert_quarters(load(write(tmp_path, SQUARE, "newmtl a\nmap_Kd empty.tga\n")))


def test_a_mask_replaces_the_alpha_of_a_large_texture(tmp_path):
    """Colours of all texels count, where map_d says which of them are there."""
    texels = np.zeros((2, 2048, 4), np.uint8)
    texels[:, ::2], texels[:, 1::2] = [200, 0, 0, 255], [0, 0, 100, 60]
    Image.fromarray(texels).save(tmp_path / "large.png")
    Image.fromarray(np.full((2, 2), 255, np.uint8)).save(tmp_path / "mask.png")
    mesh = load(write(tmp_path, SQUARE, "newmtl a\nmap_Kd large.png\nmap_d mask.png\n"))
    assert only_colour(mesh).tolist() == [100, 0, 50]


@pytest.mark.parametrize(
    ("text", "mtl", "warns", "colour"),
    [
        (SQUARE.replace("usemtl a", "usemtl x"), "newmtl a\nKd 1 0 0\n", "no material library has x", 204),
        (SQUARE.replace("mtllib m.mtl\n", ""), None, "no material library has a", 204),
        (SQUARE, "<html>404</html>", "no material library has a", 204),
        (SQUARE.replace("usemtl a\n", ""), "newmtl a\nKd 1 0 0\nnewmtl b\n", "all faces have no usemtl", 204),
        (SQUARE.replace("usemtl a\n", "") + "usemtl a\n", "newmtl a\nKd 1 0 0\n", "all faces have no usemtl", 204),
        (SQUARE.replace("usemtl a\n", "") + "usemtl a\nf 1 2 3\n", "newmtl a\n", "some faces have no usemtl", 204),
        (SQUARE.replace("usemtl a\n", ""), "", "all faces have no usemtl", 204),
        (SQUARE.replace("mtllib m.mtl", "mtllib my gone.mtl"), None, "my gone.mtl is missing", 204),
        (SQUARE + f"#MRGB {'ff102030' * 5}\n", "newmtl a\n", "polypaint is left out: 5 colours for 4 vertices", 204),
        (SQUARE + "#MRGB ff102030ff10203\n", "newmtl a\n", "polypaint is left out: 0 colours for 4", 204),
        (SQUARE, "newmtl a\nKd 0,8  0,7 0,6\n", r"numbers of materials cannot be read: a \(Kd 0,8 0,7 0,6\)", 204),
        (SQUARE, "newmtl a\nKd 0.8 0,7 0,6\n", r"a \(Kd 0.8 0,7 0,6\)", 204),
        (SQUARE, "newmtl a\nKd 1.0f 0.5f 0.0f\n", r"a \(Kd 1.0f 0.5f 0.0f\)", 204),
        (SQUARE, "newmtl a\nKd 1 0\n", r"a \(Kd 1 0\)", 204),
        (SQUARE, "newmtl a\nKd 1 0 -nan(ind)\n", r"a \(Kd 1 0 -nan\(ind\)\)", 204),
        (SQUARE, "newmtl a\nKd 1 1 1 # 0,5\nTr 0,5\n", r"a \(Tr 0,5\)", 255),
        (SQUARE, "newmtl a\nmap_Kd -colorspace sRGB gone.png\n", "-colorspace sRGB gone.png is missing", 204),
        (SQUARE, "newmtl a\nmap_Kd gone.png\nmap_d lost.png\n", "gone.png is missing; lost.png is missing", 204),
        (SQUARE.replace("usemtl", "curv 0 1 1 2\nusemtl"), "newmtl a\n", "free-form", 204),
        (SQUARE.replace("4/4", "4/9"), "newmtl a\n", "texture coordinates that do not exist", 204),
    ],
)
def test_what_is_missing_is_told_in_one_warning(tmp_path, text, mtl, warns, colour):
    assert only_colour(load(write(tmp_path, text, mtl), warns)).tolist() == [colour] * 3


@pytest.mark.parametrize(("text", "warns"), [("old.mtl", "old.mtl is missing, a.mtl is used instead"), ("", None)])
@pytest.mark.parametrize("name", ["a.mtl", "A.MTL"])
def test_a_mesh_renamed_with_its_library(tmp_path, text, warns, name):
    """The statement names the library as it was called, or is absent."""
    path = write(tmp_path, SQUARE.replace("mtllib m.mtl\n", f"mtllib {text}\n" if text else ""))
    (tmp_path / "m.mtl").rename(tmp_path / name)
    assert_quarters(load(path, warns))


def test_the_library_that_is_named_comes_first(tmp_path):
    path = write(tmp_path, SQUARE, "newmtl a\nKd 1 0 0\n")
    (tmp_path / "a.mtl").write_text("newmtl a\nKd 0 1 0\n")
    assert only_colour(load(path)).tolist() == [255, 0, 0]
    path = write(tmp_path, SQUARE.replace("m.mtl", "gone.mtl m.mtl"), "newmtl a\nKd 1 0 0\n")
    assert only_colour(load(path, "gone.mtl is missing")).tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    ("mtl", "colour"),
    [
        ("Kd 0 0 0\nmap_Kd gone.png", [204] * 3),
        ("Ka 0 0 0\nKd 0 0 0\nKs 1 1 1\nmap_Ka gone.png\nmap_Kd gone.png", [204] * 3),
        ("Kd 0 0 0\nKe 1 0 0\nmap_Kd gone.png", [255, 0, 0]),
        ("Kd 0 0 1\nmap_Kd gone.png", [0, 0, 255]),
    ],
)
def test_black_beside_a_missing_texture_is_no_colour(tmp_path, mtl, colour):
    path = write(tmp_path, SQUARE, f"newmtl a\n{mtl}\n")
    assert only_colour(load(path, "gone.png is missing")).tolist() == colour


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (V + "f 1 2 5\n", "'f 1 2 5' refers to a vertex that does not exist"),
        (V + "f 0 1 2\n", "refers to a vertex that does not exist"),
        (V + "f -5 -1 -2\n", "refers to a vertex that does not exist"),
        ("f -1 -2 -3\n" + V, "refers to a vertex that does not exist"),
        (V + "f 1 2 99999999999999999999\n", "'f 1 2 99999999999999999999' is not a face"),
        (V + "f 1 2 x\n", "'f 1 2 x' is not a face"),
        (V + "f 1.5 2 3\n", "is not a face"),
        ("v 0 0\n" + V + "f 1 2 3\n", "'v 0 0' cannot be read: 3 numbers"),
        (V + "v 1,5 0 0\nf 1 2 3\n", "'v 1,5 0 0' cannot be read"),
        ("v 0 0 inf\n" + V + "f 1 2 3\n", "not finite"),
        ("v 0 0 1.#INF\n" + V + "f 1 2 3\n", "not finite"),
        ("l 1 2\n" + V, "holds no triangles"),
    ],
)
def test_malformed_files_say_so_in_one_line(tmp_path, text, reason):
    path = write(tmp_path, text)
    with pytest.raises(UserError) as caught:
        load_mesh(path)
    assert reason in str(caught.value) and "a.obj" in str(caught.value) and "\n" not in str(caught.value)


def test_relative_indices_refer_to_their_place_in_the_file(tmp_path):
    quads = "".join(V.replace(" 0\n", f" {z}\n") + "f -4 -3 -2 -1\n" for z in range(5))
    mesh = load(write(tmp_path, quads))
    assert face_areas(mesh.vertices, mesh.faces).sum() == pytest.approx(5)
    assert np.ptp(mesh.vertices, axis=0).tolist() == [1, 1, 4]


def test_polygons_of_any_shape_keep_their_area(tmp_path):
    rng = np.random.default_rng(3)
    angles = np.sort(rng.uniform(0, 2 * np.pi, 40))
    star = np.stack([np.cos(angles), np.sin(angles)], 1) * rng.uniform(0.2, 1, (40, 1))  # about the origin
    x, y = star.T
    area = abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2
    turned = np.column_stack([star, np.zeros(40)]) @ trimesh.transformations.rotation_matrix(1, [1, 2, 3])[:3, :3]
    lines = [f"v {a} {b} {c}" for a, b, c in turned] + ["f " + " ".join(map(str, range(1, 41)))]
    mesh = load(write(tmp_path, "\n".join(lines)))
    assert face_areas(mesh.vertices, mesh.faces).sum() == pytest.approx(area, rel=1e-6)


def test_files_of_another_writer(tmp_path):
    ball = trimesh.creation.icosphere(2)
    ball.visual = trimesh.visual.TextureVisuals(uv=ball.vertices[:, :2], image=Image.new("RGB", (4, 4), (9, 90, 200)))
    for normals in (True, False):
        ball.export(tmp_path / "ball.obj", include_normals=normals)
        mesh = load(tmp_path / "ball.obj")
        assert np.allclose(mesh.vertices[mesh.faces], ball.vertices[ball.faces], atol=1e-6)
        assert np.allclose(mesh.uv[mesh.faces], ball.vertices[ball.faces][..., :2], atol=1e-6)
        assert (np.einsum("vc,vc->v", mesh.normals, mesh.vertices) > 0.99).all()
        assert np.abs(only_colour(mesh) - [9, 90, 200]).max() <= 1


def test_vertices_are_split_only_where_corners_differ(tmp_path):
    mesh = load(write(tmp_path, SQUARE))
    assert len(mesh.vertices) == 4
    seam = load(write(tmp_path, SQUARE.replace("f 1/1 3/3 4/4", "f 1/2 3/3 4/4")))
    assert len(seam.vertices) == 5
    assert np.allclose(seam.normals, [0, 0, 1])
