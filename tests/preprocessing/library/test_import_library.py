"""Furniture libraries: archives, catalogues, categories, rotation and size, resuming, credits."""

import json
import struct
import zipfile

import numpy as np
import pytest

from preprocessing import import_library
from preprocessing.library.archive import Archive
from preprocessing.library.catalogue import read_catalogue
from preprocessing.library.categories import category_of
from preprocessing.library.convert import place
from preprocessing.meshes.load import load_mesh
from utils.errors import PartialFailure, UserError
from utils.mesh.glb import write_glb
from utils.mesh.mesh import coloured_mesh

# A wedge that is longest along x (4), then y (2), then z (1); no two of its views are alike.
WEDGE = "mtllib m.mtl\nusemtl red\nv 0 0 0\nv 4 0 0\nv 0 2 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n"
RED = "newmtl red\nKd 0.8 0.1 0.05\n"
SIZES = "width#1=400\ndepth#1=100\nheight#1=200\n"


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    """New processes would take most of the time."""
    monkeypatch.setattr(
        import_library, "run_in_processes", lambda function, tasks, jobs, **_: ((t, function(t)) for t in tasks)
    )


def write_library(path, catalogue, files=None, encoding="latin-1", **more):
    """A library of one model m/wedge.obj; `more`: {language: text} of localised catalogues."""
    files = {"m/wedge.obj": WEDGE, "m/m.mtl": RED} if files is None else files
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        if catalogue is not None:
            archive.writestr("PluginFurnitureCatalog.properties", catalogue.encode(encoding))
        for language, text in more.items():
            archive.writestr(f"PluginFurnitureCatalog_{language}.properties", text.encode(encoding))
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def entry(number=1, name="Chair", model="/m/wedge.obj", **more):
    """The lines of one piece."""
    values = {"id": f"Test#piece{number}", "name": name, "category": "Living room", "model": model} | more
    return "".join(f"{key}#{number}={value}\n" for key, value in values.items())


def run(tmp_path, *libraries):
    import_library.main([*map(str, libraries), "--out", str(tmp_path / "out")])


def manifest(tmp_path):
    return json.loads((tmp_path / "out/manifest.json").read_text())


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_escapes_of_properties(tmp_path, encoding):
    text = "license=\\u00a9 2020 Jos\xe9\n" + entry(name="Caf\\u00e9 \\\n  chair", creator="J\xfcrg\\: K") + SIZES
    (piece,) = read_catalogue(Archive(write_library(tmp_path / "a.sh3f", text, encoding=encoding)))
    assert (piece.name, piece.creator, piece.licence) == ("Caf\xe9 chair", "J\xfcrg: K", "\xa9 2020 Jos\xe9")
    assert np.allclose(piece.size, [4, 2, 1])


def test_localised_catalogues(tmp_path):
    english, german = "name#1=Sofa\n", "name#1=Stuhl\ncategory#1=Zimmer\n"
    (piece,) = read_catalogue(Archive(write_library(tmp_path / "a.sh3f", entry(), en=english, de=german)))
    assert (piece.name, piece.category) == ("Sofa", "Living room")
    (piece,) = read_catalogue(Archive(write_library(tmp_path / "b.sh3f", None, fr=entry(name="Chaise"))))
    assert piece.name == "Chaise"


@pytest.mark.parametrize(
    "name, catalogue, category",
    [
        ("Table lamp", "", "lamp"),
        ("Bedside tables", "", "table"),
        ("Chair with table", "", "chair"),
        ("Sofa 2 seats", "", "sofa"),
        ("Table fan", "", "other"),
        ("Glass door cabinet", "", "cabinet"),
        ("Double window 3 panes", "", "window"),
        ("TV stand", "", "cabinet"),
        ("Qwerty", "Lights", "lamp"),
        ("Qwerty", "Sonstiges", "other"),
        ("\u6d17\u9762\u53f0", "", "other"),
    ],
)
def test_categories(name, catalogue, category):
    assert category_of(name, catalogue) == category


def test_rotation_and_size(tmp_path):
    """90 degrees about y take x to -z; the size is that after the rotation."""
    text = entry(modelRotation="0 0 1 0 1 0 -1 0 0", width=30, height=50, depth=200)
    run(tmp_path, write_library(tmp_path / "a.sh3f", text))
    mesh = load_mesh(tmp_path / "out/chair/test_piece1.glb")
    assert np.allclose(mesh.vertices.min(0), [-0.15, 0, -1], atol=1e-6)
    assert np.allclose(mesh.vertices.max(0), [0.15, 0.5, 1], atol=1e-6)
    tip = mesh.vertices[mesh.vertices[:, 1].argmax()]  # the wedge's edge along y at x = 0, z = 0
    assert np.allclose(tip, [-0.15, 0.5, 1], atol=1e-6)
    assert np.allclose(mesh.materials[0].factor[:3], [0.8, 0.1, 0.05], atol=0.02)
    assert manifest(tmp_path)["models"][0]["size"] == [0.3, 0.5, 2]


def test_place_mirrors_and_flat_models():
    rng = np.random.default_rng(0)
    corners, faces = rng.random((4, 3)), np.array([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]])
    mesh = coloured_mesh(corners, faces, np.ones((4, 3)))

    def volume(placed):
        a, b, c = (placed.vertices[placed.faces[:, k]] for k in range(3))
        return (a * np.cross(b, c)).sum() / 6

    mirrored = place(mesh, np.diag([-1.0, 1, 1]), np.array([1.0, 2, 3]))
    assert np.sign(volume(mirrored)) == np.sign(volume(mesh)) != 0
    normals = coloured_mesh(mirrored.vertices, mirrored.faces, np.ones((4, 3))).normals
    assert (np.einsum("vc,vc->v", normals, mirrored.normals) > 0).all()
    flat = coloured_mesh(corners * [1, 0, 1], faces[:1], np.ones((4, 3)))
    extent = np.ptp(place(flat, np.eye(3), np.array([2.0, 5, 2])).vertices[flat.faces[0]], axis=0)
    assert np.allclose(extent, [2, 0, 2])


def test_unusable_pieces_are_left_out(tmp_path, capsys):
    text = (
        entry(1)
        + SIZES
        + entry(2, "Table", "/m/none.obj")
        + entry(3, "Bed", modelRotation="1 0 0")
        + entry(4, "Lamp", "/m/broken.obj")
        + entry(5, "Sofa", ignored="true")
    )
    files = {"m/wedge.obj": WEDGE, "m/m.mtl": RED, "m/broken.obj": "v 0 0 0\nf 1 1 1\n"}
    with pytest.raises(PartialFailure, match="3 models and 1 libraries"):
        (tmp_path / "no.sh3f").write_text("no zip")
        run(tmp_path, write_library(tmp_path / "a.sh3f", text, files), tmp_path / "no.sh3f")
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("left out")]
    for words in ("none.obj", "modelRotation", "broken.obj", "no.sh3f"):
        assert sum(words in line for line in lines) == 1, lines
    assert len(manifest(tmp_path)["models"]) == 1
    assert len(manifest(tmp_path)["left_out"]) == 3
    assert [path.name for path in (tmp_path / "out").glob("*/*")] == ["test_piece1.glb"]


def test_names_that_lead_out_and_bombs_are_not_unpacked(tmp_path, monkeypatch):
    bad = {"../out.obj": WEDGE, "/abs.obj": WEDGE, "C:/disk.obj": WEDGE, "m/a/../../../b.obj": WEDGE}
    path = write_library(tmp_path / "a.sh3f", entry(), {"m/wedge.obj": WEDGE, "bomb.png": bytes(1 << 25)} | bad)
    assert len(Archive(path).rejected) == len(bad)
    folder = tmp_path / "inner/folder"
    folder.mkdir(parents=True)
    monkeypatch.setattr("preprocessing.library.archive.SMALL", 1 << 20)
    archive = Archive(path)
    assert len(archive.rejected) == len(bad) + 1
    assert archive.unpack(folder) == []
    unpacked = {file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*.*") if file.is_file()} - {"a.sh3f"}
    assert unpacked == {"inner/folder/PluginFurnitureCatalog.properties", "inner/folder/m/wedge.obj"}
    monkeypatch.setattr("preprocessing.library.archive.MOST_BYTES", 1 << 20)
    with pytest.raises(UserError, match="not opened"):
        Archive(path)


def test_damaged_files_are_reported(tmp_path):
    path = write_library(tmp_path / "a.sh3f", entry(), {"m/wedge.obj": WEDGE * 50, "m/m.mtl": RED})
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("m/wedge.obj").header_offset
    raw = bytearray(path.read_bytes())
    name, extra = struct.unpack("<HH", raw[start + 26 : start + 30])
    raw[start + 30 + name + extra] ^= 0xFF
    path.write_bytes(raw)
    (damaged,) = Archive(path).unpack(tmp_path / "folder")
    assert "m/wedge.obj" in damaged
    assert (tmp_path / "folder/m/m.mtl").read_text() == RED


@pytest.mark.parametrize("packing", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_is_reported_whatever_the_packing(packing, tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", packing) as archive:
        archive.writestr("m/wedge.obj", WEDGE * 50)
    whole, size = path.read_bytes(), zipfile.ZipFile(path).getinfo("m/wedge.obj").compress_size
    start, reported = zipfile.sizeFileHeader + len("m/wedge.obj"), 0
    for number, at in enumerate(range(start, start + size, 7)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        damaged = Archive(path).unpack(tmp_path / str(number))
        if not damaged:  # a byte that does not matter, as the version of LZMA
            assert (tmp_path / str(number) / "m/wedge.obj").read_text() == WEDGE * 50
            continue
        assert "m/wedge.obj" in damaged[0]
        with pytest.raises(UserError, match=r"m/wedge\.obj cannot be unpacked"):
            Archive(path).read("m/wedge.obj")
        reported += 1
    assert reported > 10


def test_resume_keeps_what_is_done_and_renews_what_changed(tmp_path, capsys):
    path = write_library(tmp_path / "a.sh3f", entry() + SIZES + entry(2, "Table"))
    run(tmp_path, path)
    first, second = tmp_path / "out/chair/test_piece1.glb", tmp_path / "out/table/test_piece2.glb"
    before = first.stat().st_mtime_ns, second.stat().st_mtime_ns
    run(tmp_path, path)
    assert "2 models are done already, 0 to write" in capsys.readouterr().out
    assert before == (first.stat().st_mtime_ns, second.stat().st_mtime_ns)
    write_library(path, entry() + SIZES.replace("400", "300") + entry(2, "Sofa"))
    run(tmp_path, path)
    assert np.isclose(np.ptp(load_mesh(first).vertices[:, 0]), 3)
    assert not second.exists()
    assert (tmp_path / "out/sofa/test_piece2.glb").exists()


def test_what_a_model_takes_from_the_folder_around_its_own_renews_it(tmp_path):
    files = {"m/wedge.obj": WEDGE.replace("m.mtl", "../looks/m.mtl"), "looks/m.mtl": RED}
    path = tmp_path / "a.sh3f"
    for colour in ([0.8, 0.1, 0.05], [0, 0, 1]):
        files["looks/m.mtl"] = "newmtl red\nKd {} {} {}\n".format(*colour)
        run(tmp_path, write_library(path, entry() + SIZES, files))
        mesh = load_mesh(tmp_path / "out/chair/test_piece1.glb")
        assert np.allclose(mesh.materials[0].factor[:3], colour, atol=0.02)


@pytest.mark.parametrize("extras", [None, [], "x"])
def test_another_file_in_the_place_of_a_model_is_replaced(tmp_path, extras):
    (tmp_path / "out/chair").mkdir(parents=True)
    target = tmp_path / "out/chair/test_piece1.glb"
    write_glb(target, coloured_mesh(np.eye(3), np.array([[0, 1, 2]]), np.ones((3, 3))), {"extras": extras})
    run(tmp_path, write_library(tmp_path / "a.sh3f", entry() + SIZES))
    assert len(load_mesh(target).faces) == 4


def test_what_a_killed_run_unpacked_is_removed_by_the_next(tmp_path, monkeypatch):
    path = write_library(tmp_path / "a.sh3f", entry() + SIZES)
    unpacked = []

    def look(function, tasks, jobs, **_):
        unpacked.extend(tmp_path.rglob("wedge.obj"))
        return ((task, function(task)) for task in tasks)

    monkeypatch.setattr(import_library, "run_in_processes", look)
    run(tmp_path, path)
    (left,) = unpacked  # in the folder that the run holds, under a name that the next run knows
    assert not left.exists()
    left.parent.mkdir(parents=True)
    left.touch()
    run(tmp_path, path)
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["CREDITS.txt", "chair", "manifest.json"]


def test_names_and_credits_of_several_libraries(tmp_path):
    one = write_library(tmp_path / "a.sh3f", "id=A\nlicense=CC0\n" + entry(creator="Ann") + SIZES)
    two = write_library(tmp_path / "b.sh3f", "id=B\nlicense=CC-BY\n" + entry(creator="Bob") + SIZES)
    run(tmp_path, one)
    run(tmp_path, two)
    run(tmp_path, two, one)
    models = {model["library"]: model for model in manifest(tmp_path)["models"]}
    assert models["A"]["file"] == "chair/test_piece1.glb"
    assert models["B"]["file"].startswith("chair/test_piece1_")
    assert len(list((tmp_path / "out").glob("*/*.glb"))) == 2
    text = (tmp_path / "out/CREDITS.txt").read_text()
    for words in ("Ann", "Bob", "CC0", "CC-BY", models["A"]["file"], models["B"]["file"]):
        assert words in text


def test_hidden_files_of_a_folder_are_no_libraries(tmp_path):
    for name in ("a.sh3f", "._a.sh3f", ".deleted/b.sh3f", "more/C.SH3F"):
        (tmp_path / ".folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / ".folder" / name).touch()
    found = import_library.find_libraries([tmp_path / ".folder"])  # what is named itself may be hidden
    assert [path.name for path in found] == ["a.sh3f", "C.SH3F"]
