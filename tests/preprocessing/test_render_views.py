"""The raw folder that render_views writes: cameras, its contents, killed and repeated runs."""

import dataclasses
import json
import re
import shutil
import subprocess
import sys

import cv2
import h5py
import numpy as np
import pytest
import trimesh
from PIL import Image
from scipy.ndimage import distance_transform_edt

from data.raw_layout import RawObject, find_objects
from preprocessing import render_views
from preprocessing.random_streams import object_rng
from preprocessing.rendering import raw_writer
from tests.preprocessing.meshes.gltf.build import File
from utils.errors import PartialFailure, UserError
from utils.files import write_json
from utils.geometry.cameras import (
    azimuth_elevation_distance,
    compose,
    fitting_distance,
    intrinsics,
    look_at,
    pixel_to_image,
    project,
)
from utils.mesh import voxels
from utils.mesh.mesh import coloured_mesh, stretched

SMALL = ["--views", "3", "--image_size", "48", "--sdf_points", "500", "--surface_points", "4000"]


def camera(size, azimuth, elevation, distance):
    return compose(intrinsics(size), look_at(azimuth, elevation, distance))


def settings(**changes):
    base = {
        "views": 12,
        "image_size": 138,
        "elevation": [25.0],
        "azimuth": "even",
        "distance": ["auto"],
        "sdf_points": 10,
        "surface_points": 10,
        "seed": 0,
    }
    return raw_writer.Settings(**{**base, **changes})


def test_default_cameras_are_the_documented_ones():
    K, RT = raw_writer.view_cameras(settings(), 0.7, np.random.default_rng(0))
    distance = 0.7 / np.sin(np.arctan(16 / 35)) * 1.03
    assert np.allclose(RT, [look_at(90 + 30 * i, 25, distance) for i in range(12)])
    assert np.allclose(K, intrinsics(138))


@pytest.mark.parametrize("radius", [0.5, 0.6, 0.866])
def test_auto_distance_just_fits_the_bounding_sphere(radius):
    size = 138
    directions = np.random.default_rng(0).normal(size=(20000, 3))
    points = radius * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    pixels, _ = project(points, camera(size, 70, 25, fitting_distance(radius)))
    assert pixels.min() > -0.5 and pixels.max() < size - 0.5
    assert pixels.max() > 0.95 * size  # and no further away than that


def test_drawn_cameras_keep_to_their_ranges_and_to_their_seed():
    ranges = settings(views=200, elevation=[-10.0, 40.0], azimuth="random", distance=[1.5, 2.5])

    def draw(seed, category, name):
        rng = object_rng(category, name, seed)
        K, RT = raw_writer.view_cameras(ranges, 0.6, rng)
        return np.array([azimuth_elevation_distance(compose(k, rt)) for k, rt in zip(K, RT, strict=True)])

    views = draw(0, "chair", "a")
    for column, (low, high) in enumerate(((0, 360), (-10, 40), (1.5, 2.5))):
        assert views[:, column].min() >= low and views[:, column].max() <= high
        assert np.ptp(views[:, column]) > 0.9 * (high - low)
    assert np.array_equal(views, draw(0, "chair", "a")) and np.array_equal(views, draw(0, "03001627", "a"))
    for other in ((1, "chair", "a"), (0, "car", "a"), (0, "chair", "b")):
        assert not np.allclose(views, draw(*other))
    factors = settings(views=200, distance=["auto", 1.0, 1.6])
    _, RT = raw_writer.view_cameras(factors, 0.6, np.random.default_rng(0))
    distances = np.linalg.norm(RT[:, :, 3], axis=1) / fitting_distance(0.6)
    assert 1 <= distances.min() < 1.05 and 1.55 < distances.max() <= 1.6
    with pytest.raises(UserError, match="within the object"):
        raw_writer.view_cameras(settings(distance=[0.5]), 0.6, np.random.default_rng(0))


@pytest.mark.parametrize(
    "wrong",
    [
        ["--elevation", "95"],
        ["--elevation", "30", "20"],
        ["--elevation", "1", "2", "3"],
        ["--elevation", "high"],
        ["--distance", "0"],
        ["--distance", "auto", "0"],
        ["--distance", "2", "auto"],
        ["--distance", "auto", "2", "1"],
        ["--distance", "3", "2"],
        ["--views", "0"],
        ["--jobs", "0"],
        ["--image_size", "-4"],
        ["--seed", "-1"],
        ["--sign", "both"],
    ],
)
def test_wrong_flags_are_named(wrong):
    with pytest.raises(UserError, match=wrong[0]):
        render_views.parse(["--meshes", "m", "--out", "o", *wrong])


def test_views_like_those_of_a_folder_but_for_the_flags_that_are_given(tmp_path):
    words = ["--meshes", "m", "--out", "o", "--elevation", "-10", "60", "--distance", "auto", "1", "1.3"]
    _, settings = render_views.parse([*words, "--light", "random", "--image_size", "64", "--views", "3"])
    write_json(tmp_path / "render.json", dataclasses.asdict(settings))
    like = ["--meshes", "m", "--out", "o", "--like", str(tmp_path)]
    assert render_views.parse(like)[1] == dataclasses.replace(settings, views=raw_writer.Settings().views)
    _, other = render_views.parse(["--elevation", "5", *like, "--views", "3", "--distance", "2"])
    assert other == dataclasses.replace(settings, elevation=[5], distance=[2])
    for name, bad in (
        ("light", "neon"),
        ("light", [1]),
        ("elevation", [100.0, 500.0]),
        ("elevation", [60.0, -10.0]),
        ("focal", [0.0]),
        ("distance", 3),
        ("distance", ["auto", -1.0]),
        ("distance", ["auto", "auto"]),
        ("distance", []),
    ):
        write_json(tmp_path / "render.json", {name: bad})
        with pytest.raises(UserError, match=f"render.json is damaged: {name} is {re.escape(repr(str(bad)))}"):
            render_views.parse(like)
    with pytest.raises(UserError, match="none has no render.json"):
        render_views.parse(["--meshes", "m", "--out", "o", "--like", str(tmp_path / "none")])


def test_out_that_cannot_be_a_folder_is_noticed_before_the_work(tmp_path):
    (tmp_path / "file").touch()
    for out in (tmp_path / "file", tmp_path / "file" / "raw"):
        with pytest.raises(UserError, match=f"output folder {out}: {tmp_path}/file is a file, not a folder"):
            render_views.main(["--meshes", "none", "--out", str(out)])


def check_raw_object(raw, image_size):
    """Surface points and masks of an object cover each other, its volumes and cameras agree."""
    with h5py.File(raw.surface) as file:
        points, sdf_points, sdf = (file[name][:].astype(float) for name in ("points", "sdf_points", "sdf"))
        assert file["colours"].dtype == np.uint8 and file.attrs["scale"] > 0 and file.attrs["centre"].shape == (3,)
    assert np.abs(points).max() <= 0.5 + 1e-6 and np.ptp(points, axis=0).max() > 0.9
    assert np.abs(sdf_points).max() <= 0.5 and len(sdf) == len(sdf_points) and np.isfinite(sdf).all()
    with h5py.File(raw.cameras) as file:
        matrices, K, RT = (file[name][:] for name in ("trans_mat", "K", "RT"))
    with h5py.File(raw.colour_volume) as file:
        volume = file["data"][:]
    occupied = (volume >= 0).all(-1)
    index = np.argwhere(occupied)
    assert occupied[tuple(voxels.voxelise(points, np.zeros((len(points), 3), np.uint8))[0].T)].all()
    assert len(matrices) == len(raw.view_names())
    for view, matrix, k, rt in zip(raw.view_names(), matrices, K, RT, strict=True):
        assert np.allclose(matrix, compose(k, rt))
        mask = cv2.imread(str(raw.view(view)), cv2.IMREAD_UNCHANGED)[..., 3] > 0
        assert mask.shape == (image_size,) * 2
        pixels = project(points, matrix)[0]
        assert pixels.min() > -0.5 and pixels.max() < image_size - 0.5  # nothing is cut
        column, row = np.rint(pixels).astype(int).T
        assert (distance_transform_edt(~mask)[row, column] <= 1).mean() >= 0.99
        hit = np.zeros_like(mask)
        hit[row, column] = True
        assert (distance_transform_edt(~hit)[mask] <= 2).mean() >= 0.97
        with h5py.File(raw.flow_volume(view)) as file:
            flow = file["data"][:]
        assert np.array_equal((flow >= 0).all(-1), occupied)
        expected = pixel_to_image(project((index + 0.5) / 64 - 0.5, matrix)[0], image_size)
        assert np.allclose(flow[occupied], expected, atol=1e-5)


@pytest.fixture(scope="module")
def meshes(tmp_path_factory):
    """Solids in both layouts, and one mesh that cannot go through."""
    root = tmp_path_factory.mktemp("meshes")
    shapenet = root / "03001627" / "1a2b"
    (root / "car").mkdir()
    (shapenet / "models").mkdir(parents=True)
    (shapenet / "images").mkdir()
    trimesh.creation.torus(0.35, 0.1).export(root / "car" / "torus.ply")
    trimesh.creation.box().export(root / "car" / "cube.glb")
    (root / "car" / "broken.obj").write_text("v 0 0 nan\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    Image.new("RGB", (4, 4), (200, 40, 20)).save(shapenet / "images" / "texture0.jpg")
    cone = trimesh.creation.cone(0.3, 1)
    rows = [
        "mtllib model_normalized.mtl",
        "vt 0.5 0.5",
        "usemtl m",
        *("v {} {} {}".format(*v) for v in cone.vertices),
        *("f {}/1 {}/1 {}/1".format(*(face + 1)) for face in cone.faces),
    ]
    (shapenet / "models" / "model_normalized.obj").write_text("\n".join(rows))
    (shapenet / "models" / "model_normalized.mtl").write_text("newmtl m\nKd 1 1 1\nmap_Kd ../images/texture0.jpg\n")
    return root


@pytest.mark.slow
def test_a_run_leaves_out_what_is_broken_and_resumes_where_it_stopped(meshes, tmp_path, capsys, rendered_here):
    raw = tmp_path / "raw"
    stale = raw / ".unfinished" / "car" / "torus"  # left by a run that was killed
    (stale / "views").mkdir(parents=True)
    (stale / "views" / "99.png").touch()
    command = [sys.executable, render_views.__file__, "--meshes", str(meshes), "--out", str(raw), *SMALL, "--jobs", "1"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 3, result.stderr
    assert (
        "1 of 4 meshes were left out" in result.stderr
        and "broken.obj has vertices that are not finite" in result.stdout + result.stderr
    )
    assert "Traceback" not in result.stderr
    objects = find_objects(raw)
    assert [(raw_object.category, raw_object.object_id) for raw_object in objects] == [
        ("03001627", "1a2b"),
        ("car", "cube"),
        ("car", "torus"),
    ]
    for raw_object in objects:
        check_raw_object(raw_object, 48)
        assert raw_object.view_names() == ["00", "01", "02"]
    with h5py.File(RawObject(raw, "03001627", "1a2b").surface) as file:
        assert np.abs(file["colours"][:].astype(int) - [200, 40, 20]).max() <= 3  # the texture beside models/ was found
    assert not (raw / ".unfinished").exists()

    def stamps():
        return {path: path.stat().st_mtime_ns for path in raw.rglob("*") if path.is_file()}

    before = stamps()
    torus = RawObject(raw, "car", "torus").folder
    kept = {path.relative_to(torus): path.read_bytes() for path in torus.rglob("*.png")}
    shutil.rmtree(torus)
    with pytest.raises(PartialFailure, match="1 of 4"):
        render_views.main(["--meshes", str(meshes), "--out", str(raw), *SMALL])
    assert "2 are done already, 2 to render" in capsys.readouterr().out
    after = stamps()
    assert before.keys() == after.keys() and all(
        after[path] == time for path, time in before.items() if torus not in path.parents
    )
    assert kept == {path.relative_to(torus): path.read_bytes() for path in torus.rglob("*.png")}  # the same again
    with pytest.raises(UserError, match="seed 0 .now 5"):
        render_views.main(["--meshes", str(meshes), "--out", str(raw), *SMALL, "--seed", "5"])
    with pytest.raises(UserError, match="category lamp: .* has 03001627 car"):
        render_views.main(["--meshes", str(meshes), "--out", str(raw), *SMALL, "--categories", "lamp"])
    (raw / "render.json").unlink()
    with pytest.raises(UserError, match="no render.json"):
        render_views.main(["--meshes", str(meshes), "--out", str(raw), *SMALL])


def test_a_folder_without_a_recorded_sign_goes_on_with_the_sign_it_was_made_with(tmp_path, capsys, rendered_here):
    """A box in a box, turned inside out: it is a cavity by winding alone."""
    (tmp_path / "meshes" / "box").mkdir(parents=True)
    box, inner = trimesh.creation.box([1, 1, 1]), trimesh.creation.box([0.8, 0.8, 0.8])
    inner.invert()
    for name in "ab":
        trimesh.util.concatenate([box, inner]).export(tmp_path / "meshes" / "box" / f"{name}.ply")
    raw = tmp_path / "raw"
    command = ["--meshes", str(tmp_path / "meshes"), "--out", str(raw), *SMALL, "--views", "1"]
    render_views.main([*command, "--sign", "winding"])
    stored = json.loads((raw / "render.json").read_text())
    assert stored.pop("sign") == "winding"
    with pytest.raises(UserError, match=r"sign winding .now auto.: use the same settings or another .*folder$"):
        render_views.main(command)
    (raw / "render.json").write_text(json.dumps(stored))  # as older versions wrote it
    shutil.rmtree(raw / "box" / "b")
    with pytest.raises(UserError, match=r"made with sign winding .now auto.: .* another output folder.*'winding'$"):
        render_views.main(command)
    capsys.readouterr()
    render_views.main([*command, "--sign", "winding"])
    assert "1 are done already, 1 to render" in capsys.readouterr().out
    shares = []
    for name in "ab":
        with h5py.File(RawObject(raw, "box", name).surface) as file:
            shares.append(file.attrs["inside"])
    assert shares[0] == shares[1] == pytest.approx(1 - 0.8**3, abs=0.01)
    render_views.main([*command, "--out", str(tmp_path / "other")])
    with h5py.File(RawObject(tmp_path / "other", "box", "a").surface) as file:
        assert file.attrs["inside"] == 1


def test_a_process_that_dies_costs_one_mesh():
    """tests/utils/test_processes.py lets processes die."""
    log, reason = raw_writer.process_died(raw_writer.Task("a.obj", None, None))
    assert log == [] and reason.startswith("a.obj: the process died")


def test_a_sheet_seen_edge_on_leaves_a_line(tmp_path):
    """Views 0 and 2 look along the sheet, where it has no area; views 1 and 3 see it in full."""
    (tmp_path / "box").mkdir()
    sheet = trimesh.Trimesh([[-0.5, -0.2, 0], [0.5, -0.2, 0], [0.5, 0.2, 0], [-0.5, 0.2, 0]], [[0, 1, 2], [0, 2, 3]])
    sheet.export(tmp_path / "box" / "sheet.ply")
    raw = RawObject(tmp_path / "raw", "box", "sheet")
    task = raw_writer.Task(tmp_path / "box" / "sheet.ply", raw, settings(views=4, sdf_points=100, surface_points=4096))
    (warning,), reason = raw_writer.write_object(task)
    assert "sheet.ply has no inside" in warning and reason is None
    with h5py.File(raw.surface) as file:
        assert file.attrs["inside"] == 0
    check_raw_object(raw, 138)
    edge, full = (cv2.imread(str(raw.view(name)), cv2.IMREAD_UNCHANGED)[..., 3] for name in ("00", "01"))
    assert 0 < (edge > 0).sum() < 0.05 * (full > 0).sum() and edge.max() < 32 < full.max()


def test_an_object_is_done_while_it_is_whole_and_its_mesh_the_same(meshes, tmp_path):
    """The mesh and its textures count by content, wherever they are."""
    folder = shutil.copytree(meshes / "03001627" / "1a2b", tmp_path / "mesh")
    raw = RawObject(tmp_path / "raw", "chair", "a")
    few = settings(views=2, image_size=24, surface_points=4000)

    def task(place):
        return raw_writer.Task(place / "models" / "model_normalized.obj", raw, few)

    def write():
        assert not raw_writer.is_done(task(folder))
        assert raw_writer.write_object(task(folder)) == ([], None)
        assert raw_writer.is_done(task(folder))

    write()
    moved = shutil.copytree(folder, tmp_path / "moved")
    assert raw_writer.is_done(task(moved))
    before = {path.relative_to(raw.folder): path.read_bytes() for path in raw.folder.rglob("*") if path.is_file()}
    for damage in (raw.flow_volume("01").unlink, raw.view("00").unlink, lambda: raw.surface.write_bytes(b"")):
        damage()
        write()
        again = {path.relative_to(raw.folder): path.read_bytes() for path in raw.folder.rglob("*") if path.is_file()}
        assert again == before
    Image.new("RGB", (4, 4), (20, 200, 40)).save(folder / "images" / "texture0.jpg")
    assert raw_writer.is_done(task(moved))
    write()
    assert not raw_writer.is_done(task(moved))
    with h5py.File(raw.surface) as file:
        assert np.abs(file["colours"][:].astype(int) - [20, 200, 40]).max() <= 3
    assert not list((tmp_path / "raw" / ".unfinished").glob("*/*"))


OBJ = """mtllib m.mtl
usemtl m
v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1
vt 0 0\nvt 1 0\nvt 0 1
f 1/1 3/2 2/3\nf 1/1 2/2 4/3\nf 2/1 3/2 4/3\nf 1/1 4/2 3/3
"""


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_an_object_is_rendered_again_when_a_missing_file_of_its_mesh_is_there(tmp_path):
    folder, few = tmp_path / "chair" / "a" / "models", settings(views=1, image_size=24, surface_points=4000)
    folder.mkdir(parents=True)
    (folder / "a.obj").write_text(OBJ)
    file = File()
    file.square(material={"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}})
    file.add("textures", source=file.add("images", uri="a%20b.png"))
    (folder / "b.gltf").write_bytes(file.gltf())

    def colour(task):
        assert not raw_writer.is_done(task)
        assert raw_writer.write_object(task)[1] is None and raw_writer.is_done(task)
        with h5py.File(task.target.surface) as file:
            return file["colours"][:].mean(0).round().tolist()

    obj, gltf = (
        raw_writer.Task(folder / name, RawObject(tmp_path / "raw", "chair", name), few) for name in ("a.obj", "b.gltf")
    )
    plain = colour(obj)
    (folder / "m.mtl").write_text("newmtl m\nKd 1 1 1\nmap_Kd dir\\t.png # wood\n")
    assert colour(obj) != plain
    (folder.parent / "images").mkdir()
    (folder.parent / "images" / "T.png").symlink_to(folder / "a b.png")
    assert raw_writer.is_done(obj)  # the file is not there yet
    assert colour(gltf) != [20, 200, 40]
    Image.new("RGB", (4, 4), (20, 200, 40)).save(folder / "a b.png")
    assert colour(obj) == colour(gltf) == [20, 200, 40]


def test_a_mesh_of_another_name_is_rendered_in_place_of_the_recorded_one(tmp_path, rendered_here):
    folder, few = tmp_path / "meshes" / "box", settings(views=1, image_size=24, surface_points=4000)
    folder.mkdir(parents=True)
    raw = RawObject(tmp_path / "raw", "box", "a")
    for name in ("a.ply", "a.glb"):  # the second goes first
        trimesh.creation.box().export(folder / name)
        task = raw_writer.Task(folder / name, raw, few)
        assert not raw_writer.is_done(task)
        assert raw_writer.write_object(task) == ([], None) and raw_writer.is_done(task)


def test_objects_whose_mesh_is_gone_are_told_and_long_names_are_rendered_again(tmp_path, capsys, rendered_here):
    meshes, raw, long = tmp_path / "meshes", tmp_path / "raw", "x" * 251
    command = ["--meshes", str(meshes), "--out", str(raw), *SMALL, "--views", "1"]
    for category, name in (("box", long), ("box", "b"), ("chair", "c")):
        (meshes / category).mkdir(parents=True, exist_ok=True)
        trimesh.creation.box().export(meshes / category / f"{name}.ply")
    render_views.main([*command, "--stretched", "0"])
    assert "of other meshes" not in capsys.readouterr().out
    (meshes / "box" / "b.ply").rename(meshes / "box" / "d.ply")
    trimesh.creation.box([1, 0.5, 0.5]).export(meshes / "box" / f"{long}.ply")
    (meshes / "chair" / "c.ply").unlink()
    render_views.main([*command, "--categories", "box"])
    said = capsys.readouterr().out
    assert f"1 objects in {raw} are of other meshes, such as {raw}/box/b;" in said and "2 objects written" in said
    render_views.main(command)
    assert f"2 objects in {raw} are of other meshes, such as {raw}/box/b;" in capsys.readouterr().out
    shutil.rmtree(raw / "box" / "b")
    shutil.rmtree(raw / "chair")
    render_views.main(command)
    assert "of other meshes" not in capsys.readouterr().out


def test_an_object_with_the_name_of_a_stretched_copy_is_refused_before_the_work(tmp_path):
    (tmp_path / "meshes" / "box").mkdir(parents=True)
    for name in ("sofa", "sofa_stretched2"):
        trimesh.creation.box().export(tmp_path / "meshes" / "box" / f"{name}.ply")
    command = ["--meshes", str(tmp_path / "meshes"), "--out", str(tmp_path / "raw"), *SMALL, "--stretched"]
    with pytest.raises(UserError, match="box/sofa_stretched2 would be .*: rename .*sofa.ply or .*sofa_stretched2.ply"):
        render_views.main([*command, "2"])
    assert not (tmp_path / "raw" / "render.json").exists()


def test_stretched_copies_are_the_mesh_with_other_proportions(tmp_path):
    mesh = trimesh.creation.icosphere(subdivisions=3)
    (tmp_path / "meshes" / "ball").mkdir(parents=True)
    mesh.export(tmp_path / "meshes" / "ball" / "a.ply")
    few = settings(views=2, image_size=24, surface_points=4000)
    shapes = []
    for name, copy in (("a", False), ("a_stretched1", True), ("a_stretched2", True)):
        raw = RawObject(tmp_path / "raw", "ball", name)
        assert raw_writer.write_object(raw_writer.Task(tmp_path / "meshes" / "ball" / "a.ply", raw, few, copy)) == (
            [],
            None,
        )
        with h5py.File(raw.surface) as file:
            factors = file.attrs.get("stretch", np.ones(3))
            assert ("stretch" in file.attrs) == copy
            radii = factors / factors.max() / 2
            np.testing.assert_allclose(np.linalg.norm(file["points"][:] / radii, axis=1), 1, atol=0.03)
            assert np.ptp(file["points"][:], axis=0).max() == pytest.approx(1, abs=0.01)
        assert np.all((factors >= 0.7) & (factors <= 1.4))
        shapes.append(radii)
    assert min(np.abs(shapes[i] - shapes[j]).max() for i in range(3) for j in range(i)) > 0.02


def test_normals_of_a_stretched_ball_are_those_of_an_ellipsoid():
    ball, factors = trimesh.creation.icosphere(subdivisions=4), np.array([0.7, 1.0, 1.4])
    mesh = stretched(coloured_mesh(ball.vertices, ball.faces, np.ones((len(ball.vertices), 3))), factors)
    expected = mesh.vertices / factors**2  # the gradient of x^2 / a^2 + y^2 / b^2 + z^2 / c^2
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert (mesh.normals * expected).sum(1).min() > 0.999
