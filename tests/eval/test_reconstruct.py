"""Photographs to meshes through the command: files, formats, cameras, masks, pictures of all kinds,
mistakes.
"""

import json
import pathlib
import shutil
import unicodedata

import h5py
import numpy as np
import open3d
import pytest
import trimesh
from PIL import Image

from data.network_input import network_image
from eval import reconstruct
from models.inference import reconstruct as reconstruction
from models.inference.field_query import FieldQuery
from models.inference.novelty import OVERLAP
from tests.helpers import tiny
from utils.errors import PartialFailure, UserError
from utils.geometry import frames
from utils.geometry.cameras import azimuth_elevation_distance, compose, intrinsics, look_at, project
from utils.rendering import turntable
from utils.reports import mesh_format

BOXES = np.array(
    [  # corners of an upright letter F with a foot: no turn and no mirror image of it is the same
        [[-0.3, -0.5, -0.1], [-0.1, 0.5, 0.1]],
        [[-0.3, 0.3, -0.1], [0.35, 0.5, 0.1]],
        [[-0.3, -0.05, -0.1], [0.15, 0.15, 0.1]],
        [[-0.3, -0.5, -0.1], [-0.1, -0.3, 0.45]],
    ]
)


def letter(points):
    """(N, 3) -> distance-like values, > 0 inside the letter."""
    low, high = BOXES[:, 0], BOXES[:, 1]
    return np.minimum(points[:, None] - low, high - points[:, None]).min(2).max(1)


def paint(points):
    """(N, 3) -> colours that tell where a point is."""
    return np.clip(points + 0.5, 0, 1).astype(np.float32)


@pytest.fixture(scope="module")
def runs(tiny_database, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return tiny.field_run(folder / "field", tiny_database, True), tiny.camera_run(folder / "camera", crop=0.85)


@pytest.fixture
def letters(monkeypatch, eagerly):
    """The field of every image is the letter, and its pictures are small."""
    monkeypatch.setattr(turntable, "SIZE", 48)
    monkeypatch.setattr(FieldQuery, "geometry", lambda self, encoded, points: letter(np.asarray(points)))
    monkeypatch.setattr(FieldQuery, "geometry_of_grid", lambda self, encoded, n: letter(frames.voxel_centres(n)))
    monkeypatch.setattr(FieldQuery, "colour", lambda self, encoded, points: paint(points))
    monkeypatch.setattr(
        FieldQuery, "geometry_and_colour", lambda self, encoded, points: (letter(np.asarray(points)), paint(points))
    )


def picture(path, size=(60, 80), mode="RGBA", **options):
    """A picture of a red box, on nothing or on grey."""
    rgba = np.zeros((*size, 4), np.uint8)
    rgba[20:45, 30:60] = [200, 30, 30, 255]
    image = Image.fromarray(rgba)
    if mode != "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, (120, 130, 120, 255)), image).convert(mode)
    image.save(path, **options)
    return path


def command(runs, tmp_path, *words):
    fixed = ["--restore_model", runs[0], "--out", tmp_path / "out", "--resolution", "32"]
    if "--camera" not in words or words[-1] in ("est", "200,15"):
        fixed += ["--cam_est", runs[1]]
    if not {"--texture", "--format"} & set(words):  # a texture takes longer
        fixed += ["--texture", "vertex"]
    reconstruct.main([str(word) for word in (*words, *fixed)])


def inside(mesh, point):
    scene = open3d.t.geometry.RaycastingScene()
    scene.add_triangles(
        open3d.core.Tensor(mesh.vertices.astype(np.float32)), open3d.core.Tensor(mesh.faces.astype(np.uint32))
    )
    return bool(scene.compute_occupancy(open3d.core.Tensor(np.float32([point])))[0].item())


def mesh_of(folder, name="mesh.glb"):
    return trimesh.load(folder / name, force="mesh", process=False)


@pytest.mark.slow
def test_a_picture_becomes_a_folder(runs, letters, tmp_path, capsys):
    given = picture(tmp_path / "a chair.png")
    command(runs, tmp_path, given)
    folder = tmp_path / "out" / "a chair"
    assert {path.name for path in folder.iterdir()} == {
        "mesh.glb",
        "input.png",
        "camera.txt",
        "overlay.png",
        "turntable.png",
        "turntable.gif",
        "results.json",
    }
    result = json.loads((folder / "results.json").read_text())
    assert (
        result["camera"]["source"] == "estimated"
        and result["foreground"]["source"] == "alpha"
        and result["resolution"] == 32
    )
    stages = {"read", "mask", "camera", "image", "iso", "mesh", "check", "colours", "texture", "views"}
    assert set(result["seconds"]) == stages
    overlap = result["novelty"]["overlap"]
    assert result["novelty"]["distance"] is None and 0 <= overlap <= 1
    assert ["outlines" in warning for warning in result["warnings"]] == [True] * (overlap < OVERLAP)
    assert str(runs[0]) in result["model"]["field"] and str(runs[1]) in result["model"]["camera"]
    mesh = mesh_of(folder)
    # trimesh splits nothing here: as many vertices as the surface has
    assert mesh.is_watertight and mesh.is_winding_consistent and mesh.volume > 0 and mesh.body_count == 1
    with Image.open(folder / "turntable.gif") as turning:
        assert turning.n_frames == 8
    config = reconstruction.Reconstructor(*runs).config
    rgba = np.array(Image.open(given))
    expected = network_image(reconstruction.object_square(rgba[..., 3], reconstruction.SHARE).cut(rgba), config)
    np.testing.assert_allclose(np.array(Image.open(folder / "input.png")) / 255, expected, atol=1 / 255)
    np.testing.assert_allclose(np.loadtxt(folder / "camera.txt"), result["camera"]["trans_mat"], rtol=1e-6)
    # again: nothing is done twice, unless something changed
    capsys.readouterr()
    command(runs, tmp_path, given)
    assert "done already" in capsys.readouterr().out
    command(runs, tmp_path, given, "--format", "ply")
    assert "done already" not in capsys.readouterr().out
    assert (folder / "mesh.ply").exists() and not (folder / "mesh.glb").exists()
    # files count by their content, wherever they are and whenever they were written
    moved = tuple(shutil.copytree(run, tmp_path / "moved" / run.name) for run in runs)
    (tmp_path / "moved" / given.name).write_bytes(given.read_bytes())
    command(moved, tmp_path, tmp_path / "moved" / given.name, "--format", "ply")
    assert "done already" in capsys.readouterr().out
    # what lacks a file is not done
    files = json.loads((folder / "results.json").read_text())["files"]
    assert {folder / name for name in files} == set(folder.iterdir()) - {folder / "results.json"}
    (folder / "overlay.png").unlink()
    command(moved, tmp_path, given, "--format", "ply")
    assert "done already" not in capsys.readouterr().out and (folder / "overlay.png").exists()
    config = json.loads((moved[0] / "config.json").read_text())
    tiny.field_run(moved[0], config["db"], True, radius=0.9)  # other weights in the same place
    command(moved, tmp_path, given, "--format", "ply")
    assert "done already" not in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize(
    "words, name",
    [
        ([], "mesh.glb"),
        (["--format", "ply"], "mesh.ply"),
        (["--format", "obj", "--texture", "vertex"], "mesh.obj"),
        (["--texture", "atlas", "--texture_size", "256"], "mesh.glb"),
        (["--simplify", "600", "--texture", "vertex"], "mesh.glb"),
    ],
)
def test_meshes_are_upright_unmirrored_and_closed_in_every_format(words, name, runs, letters, tmp_path):
    command(runs, tmp_path, picture(tmp_path / "x.png"), *words)
    mesh = mesh_of(tmp_path / "out" / "x", name)
    if "atlas" in words:  # a vertex stands once for every chart
        assert np.asarray(mesh.visual.material.baseColorTexture).shape[:2] == (256, 256)
        mesh = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
        mesh.merge_vertices(merge_tex=True, merge_norm=True)
    assert mesh.is_watertight and mesh.volume == pytest.approx(
        0.2**2 * 1 + 0.45 * 0.2**2 + 0.25 * 0.2**2 + 0.35 * 0.2**2, rel=0.1
    )
    for middle in BOXES.mean(1):
        assert inside(mesh, middle)
        for mirrored in ([-1, 1, 1], [1, -1, 1], [1, 1, -1]):
            other = middle * mirrored
            depth = letter(other[None])[0]
            assert abs(depth) < 0.03 or inside(mesh, other) == (depth > 0)  # 0.03: a cell of this resolution
    surface = json.loads((tmp_path / "out" / "x" / "results.json").read_text())["surface"]
    assert surface["faces"] == len(mesh.faces)
    if "--simplify" in words:
        assert len(mesh.faces) <= 660 < surface["extracted_faces"]
    else:
        assert surface["faces"] == surface["extracted_faces"]  # fewer than what is asked for


@pytest.mark.slow
def test_the_level_moves_the_surface(runs, letters, tmp_path):
    given = picture(tmp_path / "x.png")
    volumes = []
    for iso in ("0", "0.03"):
        command(runs, tmp_path, given, "--iso", iso)
        volumes.append(mesh_of(tmp_path / "out" / "x").volume)
    assert 0 < volumes[1] < 0.8 * volumes[0]


def test_every_flag_of_reconstruct_has_a_test():
    source = pathlib.Path(__file__).read_text()
    flags = {
        word
        for action in reconstruct.build_parser()._actions
        for word in action.option_strings
        if word.startswith("--")
    }
    assert not [flag for flag in flags - {"--help", "--debug"} if f'"{flag}"' not in source]


def test_colours_are_the_fields(runs, letters, tmp_path):
    command(runs, tmp_path, picture(tmp_path / "x.png"), "--format", "ply", "--colours", "field")
    mesh = mesh_of(tmp_path / "out" / "x", "mesh.ply")
    np.testing.assert_allclose(mesh.visual.vertex_colors[:, :3] / 255, paint(mesh.vertices), atol=0.03)
    result = json.loads((tmp_path / "out" / "x" / "results.json").read_text())
    assert result["colours"]["source"] == "field" and "colours" not in result["seconds"]


@pytest.mark.parametrize("words", [["--format", "ply"], ["--texture", "atlas", "--texture_size", "128"]])
def test_colours_are_the_images_where_it_shows_the_object(words, runs, letters, tmp_path):
    """A red picture from the front: the front is red, and the back has the field's hues."""
    rgba = np.full((60, 60, 4), 255, np.uint8)
    rgba[..., :3] = [200, 30, 30]
    Image.fromarray(rgba).save(tmp_path / "x.png")
    command(runs, tmp_path, tmp_path / "x.png", "--camera", "5,5,2.0", "--mask", "none", *words)
    folder = tmp_path / "out" / "x"
    mesh = mesh_of(folder, "mesh.ply" if "ply" in words else "mesh.glb")
    colours = (mesh.visual if "ply" in words else mesh.visual.to_color()).vertex_colors[:, :3] / 255.0
    flat = (np.abs(mesh.vertices[:, 1] - 0.22) < 0.05) & (np.abs(mesh.vertices[:, 0] + 0.2) < 0.07)  # of the stem
    front, back = flat & (mesh.vertices[:, 2] > 0.09), flat & (mesh.vertices[:, 2] < -0.09)
    assert front.any() and back.any()
    np.testing.assert_allclose(
        colours[front], np.broadcast_to([200 / 255, 30 / 255, 30 / 255], (front.sum(), 3)), atol=0.02
    )
    colours_entry = json.loads((folder / "results.json").read_text())["colours"]
    assert colours_entry["source"] == "photo" and colours_entry["psnr"]["photo"] > colours_entry["psnr"]["field"] + 6
    field = np.minimum(paint(mesh.vertices[back]) * colours_entry["gain"], 1)
    np.testing.assert_allclose(colours[back], field, atol=0.03)


def test_a_texture_size_is_honoured_whatever_the_number_of_faces(runs, letters, tmp_path, monkeypatch):
    monkeypatch.setattr(mesh_format, "UNWRAPPED", 100)
    command(runs, tmp_path, picture(tmp_path / "x.png"), "--simplify", "0", "--format", "glb")
    assert mesh_of(tmp_path / "out" / "x").visual.material.baseColorTexture is None
    words = "--simplify", "0", "--format", "glb", "--texture_size", "64"
    command(runs, tmp_path, tmp_path / "x.png", *words)
    assert mesh_of(tmp_path / "out" / "x").visual.material.baseColorTexture.size == (64, 64)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_precision_is_what_is_asked_for(precision, runs, letters, tmp_path, capsys):
    command(runs, tmp_path, picture(tmp_path / "x.png"), "--precision", precision)
    model = json.loads((tmp_path / "out" / "x" / "results.json").read_text())["model"]
    assert model["precision"] == precision
    assert f"precision {precision} (as asked" in capsys.readouterr().out


@pytest.mark.slow
def test_cameras_that_are_given(runs, letters, tmp_path):
    given = picture(tmp_path / "x.png")
    camera = compose(intrinsics(80), look_at(20, 10, 2.0))
    np.savetxt(tmp_path / "camera.txt", camera)

    def camera_of(text):
        command(runs, tmp_path, given, "--camera", text)
        return np.array(json.loads((tmp_path / "out" / "x" / "results.json").read_text())["camera"]["trans_mat"])

    np.testing.assert_allclose(camera_of(tmp_path / "camera.txt"), camera, rtol=1e-6)
    looking = camera_of("20,10,2.0")  # at the middle of a picture that is 80 wide and 60 high
    np.testing.assert_allclose(azimuth_elevation_distance(looking), (20, 10, 2), atol=1e-6)
    np.testing.assert_allclose(project(np.zeros((1, 3)), looking)[0], [[39.5, 29.5]])
    estimated, turned = camera_of("est"), camera_of("200,15")
    assert azimuth_elevation_distance(turned)[:2] == pytest.approx((200, 15))
    assert azimuth_elevation_distance(turned)[2] == pytest.approx(azimuth_elevation_distance(estimated)[2], rel=1e-5)


@pytest.mark.slow
def test_masks(runs, letters, tmp_path):
    plain = picture(tmp_path / "x.png", size=(120, 160), mode="RGB")
    white = np.zeros((120, 160), np.uint8)
    white[20:45, 30:60] = 255
    Image.fromarray(white).save(tmp_path / "mask.png")
    for how, source, share in (
        ("auto", "grabcut", 750 / 19200),
        (tmp_path / "mask.png", "file", 750 / 19200),
        ("none", "none", 1),
    ):
        command(runs, tmp_path, plain, "--mask", how)
        found = json.loads((tmp_path / "out" / "x" / "results.json").read_text())["foreground"]
        assert found["source"] == source and found["share"] == pytest.approx(share, rel=0.15)


@pytest.mark.slow
def test_pictures_of_all_kinds_and_one_failure_does_not_stop_the_others(runs, letters, tmp_path, capsys):
    good = [
        picture(tmp_path / "grey.png", mode="L"),
        picture(tmp_path / "cmyk.jpg", mode="CMYK"),
        picture(tmp_path / "palette.gif", mode="P"),
        picture(tmp_path / "moving.gif", mode="P", save_all=True, append_images=[Image.new("P", (80, 60))] * 2),
    ]
    deep = np.full((60, 80), 30000, np.uint16)
    deep[20:45, 30:60] = 60000
    Image.fromarray(deep).save(tmp_path / "deep.png")
    (tmp_path / "broken.png").write_bytes(good[0].read_bytes()[:-40])
    (tmp_path / "empty.png").touch()
    (tmp_path / "words.jpg").write_text("not a picture")
    bad = [tmp_path / name for name in ("broken.png", "empty.png", "words.jpg", "none.png")]
    with pytest.raises(PartialFailure, match="4 of 9"):
        command(runs, tmp_path, bad[0], *good, tmp_path / "deep.png", *bad[1:])
    said = capsys.readouterr().out
    for path in bad:
        assert sum(line.startswith("failed: ") and str(path) in line for line in said.splitlines()) == 1
        assert not (tmp_path / "out" / path.stem).exists()
    for path in [*good, tmp_path / "deep.png"]:
        assert mesh_of(tmp_path / "out" / path.stem).is_watertight


@pytest.mark.slow
def test_a_picture_on_which_something_breaks_does_not_stop_the_others(runs, letters, tmp_path, capsys, monkeypatch):
    plain = reconstruction.extract_mesh
    calls = []

    def breaks_once(*args, **options):
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("a bug")
        return plain(*args, **options)

    monkeypatch.setattr(reconstruction, "extract_mesh", breaks_once)
    with pytest.raises(PartialFailure, match="1 of 2"):
        command(runs, tmp_path, picture(tmp_path / "x.png"), picture(tmp_path / "y.png"))
    assert f"failed: {tmp_path / 'x.png'}: RuntimeError: a bug" in capsys.readouterr().out
    assert mesh_of(tmp_path / "out" / "y").is_watertight


def test_a_folder_stands_for_the_images_in_it(tmp_path):
    for name in ("b.PNG", "a.jpg", "notes.txt", "c.webp"):
        (tmp_path / name).touch()
    (tmp_path / "more.png").mkdir()
    (tmp_path / "empty").mkdir()
    given = [str(tmp_path / "x.tif"), str(tmp_path)]
    inside = [str(tmp_path / name) for name in ("a.jpg", "b.PNG", "c.webp")]
    assert reconstruct.expanded(given) == [str(tmp_path / "x.tif"), *inside]
    with pytest.raises(UserError, match="empty holds no image"):
        reconstruct.expanded([str(tmp_path / "empty")])


def test_pictures_of_one_name_do_not_share_a_folder(tmp_path):
    names = reconstruct.folders(["a/x.png", "b/x.jpg", "y.png"], tmp_path)
    assert names == [tmp_path / "x", tmp_path / "x_2", tmp_path / "y"]


def test_no_two_pictures_share_a_folder_even_on_file_systems_that_ignore_case(tmp_path):
    names = ["a", "A", "a_2", "A_2", "a_3", "b", "stra\u00dfe", "STRASSE", "e\u0301", "\u00e9", "a. ", "..", "."]
    files = [name + suffix for name in names for suffix in (".png", ".JPG")]
    rng = np.random.default_rng(0)
    for _ in range(20):
        images = list(rng.permutation(files))
        folders = reconstruct.folders(images, tmp_path)
        assert {folder.parent for folder in folders} == {tmp_path}
        assert not {folder.name for folder in folders} & {"", ".", ".."}
        plain = [unicodedata.normalize("NFC", folder.name).casefold().rstrip(" .") for folder in folders]
        assert len(set(plain)) == len(images)
    assert [folder.name for folder in reconstruct.folders(["a.png", "a.jpg", "a_2.png"], tmp_path)] == [
        "a",
        "a_3",
        "a_2",
    ]


@pytest.mark.slow
def test_original_units_are_those_of_the_mesh_a_view_shows(runs, letters, tmp_path):
    folder = tmp_path / "raw" / "chair" / "one"
    (folder / "views").mkdir(parents=True)
    (folder / "models").mkdir()
    view = picture(folder / "views" / "00.png")
    with h5py.File(folder / "models" / "surface.h5", "w") as file:
        file.attrs.update({"centre": [1.0, 2.0, 3.0], "scale": 0.5})
    command(runs, tmp_path, view)
    there = mesh_of(tmp_path / "out" / "00").vertices
    command(runs, tmp_path, view, "--units", "original")
    np.testing.assert_allclose(mesh_of(tmp_path / "out" / "00").vertices, there / 0.5 + [1, 2, 3], atol=1e-5)
    with pytest.raises(PartialFailure):
        command(runs, tmp_path, picture(tmp_path / "x.png"), "--units", "original")


@pytest.mark.parametrize(
    "words, message",
    [
        (["--texture", "atlas", "--format", "ply"], "PLY has no"),
        (["--texture_size", "512", "--texture", "vertex"], "--texture_size 512 would do nothing"),
        (["--simplify", "3"], "--simplify 3: give 0"),
        (["--simplify", "-1"], "argument --simplify: .-1. is not a whole number"),
        (["--camera", "nowhere.txt"], "camera nowhere.txt: give est"),
        (["--camera", "10,95"], "elevation"),
        (["--camera", "10,20,0.1"], "distance"),
        (["--resolution", "1000"], "--resolution 1000"),
        (["--camera", "{tmp}/x.png"], "is not a camera"),
        (["--restore_model", "{tmp}"], "neither a run folder"),
        (["--cam_est", "{tmp}/none"], "there is no such folder"),
    ],
)
def test_mistakes_are_named_before_anything_is_done(words, message, runs, tmp_path):
    words = [word.format(tmp=tmp_path) for word in words]
    picture(tmp_path / "x.png")
    with pytest.raises(UserError, match=message) as error:
        fixed = ["--out", str(tmp_path / "out"), "--restore_model", str(runs[0])]
        reconstruct.main([str(tmp_path / "x.png"), *fixed, *words])
    assert "\n" not in str(error.value) and not (tmp_path / "out").exists()


def test_a_file_counts_as_a_file_and_a_word_as_a_word(tmp_path, monkeypatch):
    """Whatever files are called: cameras with a comma in their name, files named like a mask."""
    monkeypatch.chdir(tmp_path)
    picture(tmp_path / "x.png")
    np.savetxt("20,10", compose(intrinsics(80), look_at(20, 10, 2.0)))
    parser = reconstruct.build_parser()
    args = parser.parse_args(["x.png", "--out", "out", "--camera", "20,10", "--cam_est", str(tmp_path)])
    with pytest.raises(UserError, match="--cam_est would do nothing"):
        reconstruct.check(args)
    before = reconstruct.settings_of(parser.parse_args(["x.png", "--out", "out"]), "x.png")
    for name in ("est", *reconstruct.MASKS):
        pathlib.Path(name).touch()
    assert reconstruct.settings_of(parser.parse_args(["x.png", "--out", "out"]), "x.png") == before
    assert (before["camera"], before["mask"]) == ("est", "auto")


@pytest.mark.slow
def test_crumbs_go_and_shells_are_filled(runs, eagerly, monkeypatch, tmp_path):
    def hollow(points):  # a shell, and a crumb beside it
        radius = np.linalg.norm(points, axis=1)
        return np.maximum(0.05 - abs(radius - 0.3), 0.03 - np.linalg.norm(points - [0.45, 0.45, 0.45], axis=1))

    monkeypatch.setattr(turntable, "SIZE", 48)
    monkeypatch.setattr(FieldQuery, "geometry", lambda self, encoded, points: hollow(np.asarray(points)))
    monkeypatch.setattr(FieldQuery, "geometry_of_grid", lambda self, encoded, n: hollow(frames.voxel_centres(n)))
    monkeypatch.setattr(
        FieldQuery, "geometry_and_colour", lambda self, encoded, points: (hollow(np.asarray(points)), paint(points))
    )
    command(runs, tmp_path, picture(tmp_path / "x.png"), "--format", "ply")
    mesh = mesh_of(tmp_path / "out" / "x", "mesh.ply")
    assert (
        mesh.body_count == 1 and mesh.is_watertight and mesh.volume == pytest.approx(4 / 3 * np.pi * 0.35**3, rel=0.02)
    )


def test_the_weights_that_come_with_the_project_are_there():
    for folder in (reconstruction.PRETRAINED_FIELD, reconstruction.PRETRAINED_CAMERA):
        size = sum(path.stat().st_size for path in pathlib.Path(folder).iterdir())
        assert {"config.json", "best.h5"} <= {path.name for path in folder.iterdir()} and size < 20e6
