"""Databases from other projects' data sets: all their contents against a box from formulas."""

import re
import shutil

import h5py
import numpy as np
import pytest
import scipy.spatial
import trimesh
from PIL import Image

from data.shards import Database
from preprocessing import gen_db
from preprocessing.readers.r2n2 import camera as r2n2_camera
from preprocessing.readers.reader import DataFolders, Options
from preprocessing.readers.registry import find_objects, try_object
from preprocessing.recovery import dlt
from tests.helpers import external_folder as external
from utils.errors import PartialFailure, UserError
from utils.geometry.cameras import project

SMALL = ["--jobs", "1", "--sdf_points", "4000", "--surface_points", "3000", "--image_size", str(external.SIZE)]
VOXEL = 1 / 64


def build(tmp_path, *flags):
    """The database of tmp_path/raw."""
    gen_db.main(["--raw", str(tmp_path / "raw"), "--out", str(tmp_path / "db"), *SMALL, *flags])
    return Database(tmp_path / "db")


def records(database):
    return [database.record(entry) for split in ("train", "val", "test") for entry in database.objects(split)]


def write_three(write, *folders, **more):
    """Objects a, b, c, of which one goes to each split."""
    for object_id in "abc":
        write(*folders, "chair", object_id, **more)


def assert_pixels(record, expected, scale=external.SCALE, centre=external.CENTRE, atol=1e-3):
    """Its cameras project points x of the mesh to expected(x, row of VIEWS)."""
    assert len(record.trans_mats) == len(external.VIEWS)
    x = np.random.default_rng(1).uniform(-0.3, 0.3, (100, 3)) + external.CENTRE
    for matrix, row in zip(record.trans_mats, external.VIEWS, strict=True):
        np.testing.assert_allclose(project((x - centre) * scale, matrix)[0], expected(x, row), atol=atol)


def edge_pixels(x, row):
    return project(x, external.camera(*row))[0]


def centre_pixels(x, row):
    return edge_pixels(x, row) - 0.5


def wrongly_coloured(points, colours, margin):
    """Share of surface points (N, 3) that lack the colour of their face.

    With a margin, only points so far from the edges of the box count, and none of the face -y,
    which no view sees.
    """
    points = points.astype(float)
    away = np.sort(external.HALF * external.SCALE - np.abs(points), axis=1)[:, 1] >= margin
    face = external.face_at(points)
    counted = away & (face != 2) if margin else np.ones(len(points), bool)
    return (np.abs(colours.astype(int) - external.COLOURS[face]).max(1) > 8)[counted].mean()


def assert_box(record, distance_error, surface_error, margin):
    """Distances, surface points, voxels and colours are those of the box, in the object frame."""
    assert np.abs(record.sdf - external.box_distance(record.sdf_points.astype(float))).max() < distance_error
    assert np.abs(external.box_distance(record.surface_points.astype(float))).max() < surface_error
    centres = (record.voxels + 0.5) / 64 - 0.5
    assert np.abs(external.box_distance(centres)).max() < np.sqrt(3) / 2 * VOXEL + surface_error
    missing = scipy.spatial.cKDTree(record.voxels).query(external.voxels()[0])[0]
    assert missing.max() < 2  # the voxels cover the whole surface
    assert wrongly_coloured(record.surface_points, record.surface_colours, margin) < 0.02
    assert wrongly_coloured(centres, record.voxel_colours, margin + 2 * VOXEL) < 0.02  # mixed in the voxels of edges
    near = np.abs(record.sdf) < 0.5 * VOXEL
    assert wrongly_coloured(record.sdf_points[near], record.sdf_colours[near], margin + 2 * VOXEL) < 0.02


def assert_views(record):
    for image, row in zip(record.images, external.VIEWS, strict=True):
        truth = external.render(external.camera(*row))
        seen = truth[..., 3] == 255
        np.testing.assert_array_equal(image[seen], truth[seen])


LYING = ((1, 0, 0), (0, 0, 1), (0, -1, 0))
MIRRORED = ((-1, 0, 0), (0, 1, 0), (0, 0, 1))


@pytest.mark.parametrize(
    ("axes", "channels"),
    [(dlt.IDENTITY, "rgb"), (LYING, "bgr"), (MIRRORED, "rgb")],
    ids=["as they are", "lying", "mirrored"],
)
def test_the_original(tmp_path, capsys, axes, channels):
    """Axes and channels are told from different data: voxels and cameras, views and colours."""
    rng = np.random.default_rng(0)
    write_three(
        external.write_original, tmp_path / "raw", rng=rng, axes=axes, channels=channels, alpha=channels == "bgr"
    )
    database = build(tmp_path, "--format", "original")
    out = capsys.readouterr().out
    assert f"channels are {channels.upper()} (3 of 3 objects agree)" in out
    assert database.settings["channels"] == channels and database.settings["format"] == "original"
    for record in records(database):
        assert database.settings["axes"] == dlt.describe(axes)
        assert_pixels(record, centre_pixels)
        assert_views(record)
        index, colours = external.voxels()
        stored = dict(zip(map(tuple, record.voxels.tolist()), record.voxel_colours.tolist(), strict=True))
        assert stored == dict(zip(map(tuple, index.tolist()), colours.tolist(), strict=True))
        assert record.sdf_source == "volume"
        assert np.abs(record.sdf - external.box_distance(record.sdf_points.astype(float))).max() < 1.5 * VOXEL


def test_the_original_with_its_points_and_views_apart(tmp_path):
    write_three(external.write_original, tmp_path / "raw", rng=np.random.default_rng(0))
    for object_id in "abc":
        target = tmp_path / "images" / "03001627" / object_id
        target.mkdir(parents=True)
        shutil.move(tmp_path / "raw" / "chair" / object_id / "h5", target / "h5")
    with pytest.raises(UserError, match="none of the 3 objects"):
        build(tmp_path, "--format", "original")
    assert len(records(build(tmp_path, "--images", str(tmp_path / "images")))) == 3  # auto recognises voxel.h5


@pytest.fixture(scope="module")
def disn(tmp_path_factory):
    """Two objects, points and views in two folders, and a mesh of one of them.

    The second has few points, which are read in much less time.
    """
    root = tmp_path_factory.mktemp("disn")
    for object_id, count in (("a", 16384), ("b", 4000)):
        external.write_disn(root / "raw", root / "images", "chair", object_id, np.random.default_rng(0), count)
    external.write_mesh(root / "meshes" / "03001627" / "a.ply")
    return root


def copy(folder, tmp_path):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_disn(disn, tmp_path):
    shutil.rmtree(copy(disn, tmp_path) / "raw" / "chair" / "b")  # the same box
    database = build(tmp_path, "--format", "disn", "--images", str(tmp_path / "images"))
    (entry,) = database.objects("train")
    for record in [database.record(entry)]:
        assert abs(record.scale / external.SCALE - 1) < 0.005
        assert np.abs(record.centre - external.CENTRE).max() < 0.005
        # pixels, and distances in the units of the mesh, are exact whatever centre and scale are
        assert_pixels(record, edge_pixels, record.scale, record.centre)
        x = record.sdf_points.astype(float) / record.scale + record.centre
        exact = external.box_distance(external.object_points(x)) / external.SCALE
        np.testing.assert_allclose(record.sdf / record.scale, exact, atol=1e-6)
        assert_box(record, 0.005, VOXEL, 0.08)
        assert_views(record)
        assert np.abs(record.sdf).max() <= 0.1 * external.NORM[3] * record.scale + 1e-6
        assert np.abs(np.corrcoef(np.arange(4000), record.sdf)[0, 1]) < 0.1  # in random order, unlike in the file


def test_disn_with_its_mesh_and_offset(disn, tmp_path):
    shutil.rmtree(copy(disn, tmp_path) / "raw" / "chair" / "b")
    flags = ["--images", str(tmp_path / "images"), "--meshes", str(tmp_path / "meshes"), "--sdf_offset", "0.003"]
    database = build(tmp_path, *flags)
    (record,) = (database.record(entry) for entry in database.objects("train"))
    np.testing.assert_allclose(record.centre, external.CENTRE, atol=1e-6)
    assert_pixels(record, edge_pixels)
    record.sdf = record.sdf + np.float32(0.003 * external.NORM[3] * external.SCALE)
    assert_box(record, 1e-5, 1e-5, 0)


@pytest.mark.parametrize("sides", [(1, 1, 1), (1, 0.8, 0.5)], ids=["a cube", "a box"])
def test_disn_full_grid(tmp_path, sides):
    raw = tmp_path / "raw"
    external.write_disn(raw, raw, "chair", "a", np.random.default_rng(0), full_grid=65, sides=sides)
    database = build(tmp_path)  # everything in one folder
    (record,) = (database.record(entry) for entry in database.objects("train"))
    assert_pixels(record, edge_pixels, record.scale, record.centre)
    assert_box(record, 0.005, VOXEL, 0.08)


def test_r2n2(tmp_path):
    write_three(external.write_r2n2, tmp_path / "raw", tmp_path / "meshes")
    for record in records(build(tmp_path, "--format", "r2n2", "--meshes", str(tmp_path / "meshes"))):
        np.testing.assert_allclose(record.centre, external.CENTRE, atol=1e-6)
        assert_pixels(record, centre_pixels)
        assert_box(record, 1e-5, 1e-5, 0)
        assert_views(record)


def flip_half(path):
    """Turn every second face of a mesh over: its winding number is then no guide."""
    mesh = trimesh.load(path, process=False)
    mesh.faces[::2] = mesh.faces[::2, ::-1].copy()
    mesh.export(path)


def test_the_sign_of_r2n2_is_recorded_and_older_databases_are_of_the_sign_winding(tmp_path):
    write_three(external.write_r2n2, tmp_path / "raw", tmp_path / "meshes")
    for path in tmp_path.rglob("*.ply"):
        flip_half(path)
    flags = ["--format", "r2n2", "--meshes", str(tmp_path / "meshes")]
    database = build(tmp_path, *flags)
    assert database.settings["sign"] == "auto"
    for record in records(database):
        assert_box(record, 1e-5, 1e-5, 0)
    with pytest.raises(UserError, match=r"another database: made with sign auto .now winding.; use the same settings"):
        build(tmp_path, *flags, "--sign", "winding")
    older = [*flags, "--out", str(tmp_path / "older")]
    build(tmp_path, *older, "--sign", "winding")
    assert "sign" not in Database(tmp_path / "older").settings  # as older versions wrote it
    for record, whole in zip(records(Database(tmp_path / "older")), records(database), strict=True):
        assert (record.sdf < 0).sum() < 0.9 * (whole.sdf < 0).sum()
    build(tmp_path, *older, "--sign", "winding")
    with pytest.raises(UserError, match=r"another database: made with sign winding .now auto.; use the same settings"):
        build(tmp_path, *older)


def test_an_object_of_r2n2_without_an_inside_is_named(tmp_path):
    write_three(external.write_r2n2, tmp_path / "raw", tmp_path / "meshes")
    sheet = tmp_path / "meshes" / "chair" / "b.ply"
    trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]]).export(sheet)
    with pytest.warns(UserWarning) as caught:
        database = build(tmp_path, "--format", "r2n2", "--meshes", str(tmp_path / "meshes"))
    (message,) = [str(warning.message) for warning in caught if "inside" in str(warning.message)]
    assert message.startswith(f"{sheet} has no inside")
    assert [(record.sdf < 0).any() for record in sorted(records(database), key=lambda r: r.object_id)] == [1, 0, 1]


def test_a_changed_texture_of_a_mesh_of_r2n2_is_read_again(tmp_path, capsys):
    external.write_r2n2(tmp_path / "raw", tmp_path / "meshes", "chair", "a")
    folder, box = tmp_path / "meshes" / "chair", trimesh.creation.box()
    (folder / "a.ply").unlink()
    lines = ["mtllib a.mtl", "usemtl m", "vt 0.5 0.5", *("v {} {} {}".format(*v) for v in box.vertices)]
    lines += ["f {}/1 {}/1 {}/1".format(*(face + 1)) for face in box.faces]
    (folder / "a.obj").write_text("\n".join(lines))
    (folder / "a.mtl").write_text("newmtl m\nKd 1 1 1\nmap_Kd t.png\n")

    def colours():
        database = build(tmp_path, "--format", "r2n2", "--meshes", str(tmp_path / "meshes"))
        (entry,) = database.objects("train")
        return np.unique(database.record(entry).surface_colours, axis=0).tolist()

    with pytest.warns(UserWarning, match="t.png is missing"):
        colours()
    for colour in ([200, 40, 20], [20, 40, 200]):
        Image.new("RGB", (4, 4), tuple(colour)).save(folder / "t.png")
        assert colours() == [colour]
    capsys.readouterr()
    (tmp_path / "meshes").rename(tmp_path / "moved")
    (tmp_path / "meshes").symlink_to(tmp_path / "moved")
    assert colours() == [[20, 40, 200]] and "read again" not in capsys.readouterr().out


def test_r2n2_camera_is_disns():
    """Pixels that DISN's own projection gives; the edges of its pixels are at integers."""
    points = np.array([[0, 0, 0], [0.3, 0, 0], [0, 0.3, 0], [0, 0, 0.3]])
    expected = [[68.5, 68.5], [90.527334, 81.976931], [68.5, 38.239651], [40.880446, 78.449624]]
    np.testing.assert_allclose(
        project(points, r2n2_camera([37.5, 28, 0, 0.83, 25], (137, 137)))[0] + 0.5, expected, atol=1e-4
    )


@pytest.mark.slow
def test_meshes_in_one_command(tmp_path, rendered_here):
    for object_id in "abc":
        external.write_mesh(tmp_path / "meshes" / "chair" / f"{object_id}.ply")
    (tmp_path / "meshes" / "chair" / "broken.ply").write_text("no mesh")
    with pytest.raises(PartialFailure, match="1 of 4 meshes were left out"):
        build(tmp_path, "--format", "meshes", "--meshes", str(tmp_path / "meshes"))
    database = Database(tmp_path / "db")
    assert sorted(record.object_id for record in records(database)) == ["a", "b", "c"]
    assert database.settings["sign"] == "auto"
    for record in records(database):
        assert_box(record, 1e-5, 1e-5, 0)
        assert record.images.shape == (12, external.SIZE, external.SIZE, 4)


def rewrite(path, name, change):
    with h5py.File(path, "a") as file:
        value = change(file[name][()])
        del file[name]
        if value is not None:
            file[name] = value


FAULTS = {
    "no half": ("original", "models/voxel.h5", "voxel_val", lambda v: v[::-1], "first half of voxel_val"),
    "fractions": ("original", "models/voxel.h5", "voxel_pt", lambda v: v + 0.3, "whole numbers from -32 to 31"),
    "bright": ("original", "models/voxel.h5", "voxel_val", lambda v: np.where(v >= 0, 255 * v, v), "voxel_val reaches"),
    "no points": ("original", "models/voxel.h5", "voxel_pt", lambda v: None, "has no dataset 'voxel_pt'"),
    "bytes as floats": (
        "original",
        "h5/01.h5",
        "img_arr",
        lambda v: 255 * v,
        r"img_arr reaches .* as floats it should be in \[0, 1\]",
    ),
    "grey": ("original", "h5/01.h5", "img_arr", lambda v: v[..., 0], "img_arr is 64 x 64, it should be H x W x 3"),
    "no pixels": ("original", "h5/01.h5", "img_arr", lambda v: v[:0, :0], "img_arr is 0 x 0 x 3, it should be H x W"),
    "3x4 camera": ("original", "h5/01.h5", "trans_mat", lambda v: v.T, "trans_mat is 3 x 4, it should be 4 x 3"),
    "NaN camera": ("disn", "02.h5", "trans_mat", lambda v: v * np.nan, "trans_mat has values that are not finite"),
    "three columns": (
        "disn",
        "ori_sample.h5",
        "pc_sdf_sample",
        lambda v: v[:, :3],
        "pc_sdf_sample is 4000 x 3, it should be N x 4",
    ),
    "no surface": ("disn", "ori_sample.h5", "pc_sdf_sample", lambda v: np.abs(v) + 0.01, "holds no surface"),
    "no grid": ("disn", "ori_sample.h5", "pc_sdf_sample", lambda v: v[:, 3:], "not a cubic grid"),
    "no norm": ("disn", "ori_sample.h5", "norm_params", lambda v: None, "has no dataset 'norm_params'"),
    "zero norm": ("disn", "ori_sample.h5", "norm_params", lambda v: 0 * v, "norm_params has the scale 0"),
}


def write_faulty(disn, folder, fault):
    """Copy two objects of a layout, of which b has a fault, into one folder."""
    layout, file, name, change, _ = FAULTS[fault]
    for object_id in "ab":
        if layout == "disn":
            for source in (disn / "raw", disn / "images"):
                shutil.copytree(source / "chair" / object_id, folder / "chair" / object_id, dirs_exist_ok=True)
        else:
            external.write_original(folder, "chair", object_id, np.random.default_rng(0))
    rewrite(folder / "chair" / "b" / file, name, change)


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_named(disn, tmp_path, fault):
    layout, file, _, _, message = FAULTS[fault]
    write_faulty(disn, tmp_path, fault)
    source = find_objects(layout, DataFolders(tmp_path))[1]
    reason = try_object(source, layout, Options(external.SIZE, 400, 300))
    assert isinstance(reason, str) and file in reason and re.search(message, reason), reason


@pytest.mark.parametrize("fault", ["fractions", "3x4 camera", "no pixels"])
def test_an_object_with_a_fault_is_left_out(disn, tmp_path, fault, capsys):
    write_faulty(disn, tmp_path / "raw", fault)
    with pytest.raises(PartialFailure, match="1 objects could not be read"):
        build(tmp_path)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("left out: ")]
    assert len(lines) == 1 and re.search(FAULTS[fault][4], lines[0]), lines


def test_flags_that_do_nothing_are_errors(disn, tmp_path):
    with pytest.raises(UserError, match="--images is for --format original and disn, this is im2avatar"):
        build(tmp_path, "--format", "im2avatar", "--images", str(tmp_path))
    with pytest.raises(UserError, match="--sdf_offset is for --format disn, this is original"):
        build(tmp_path, "--format", "original", "--sdf_offset", "0.003")
    with pytest.raises(UserError, match="--sign is for --format meshes and r2n2, this is original"):
        build(tmp_path, "--format", "original", "--sign", "thick")
    with pytest.raises(UserError, match="--sign: .*'both'"):
        build(tmp_path, "--format", "r2n2", "--sign", "both")
    with pytest.raises(UserError, match="--format r2n2 needs --meshes"):
        build(tmp_path, "--format", "r2n2")
    with pytest.raises(UserError, match="holds no <category>/<object>/models/voxel.h5; it looks like format disn"):
        build(disn, "--format", "original")
    write_three(external.write_r2n2, tmp_path / "raw", tmp_path / "meshes")
    (tmp_path / "meshes" / "chair" / "b.ply").unlink()
    metadata = tmp_path / "raw" / "chair" / "c" / "rendering" / "rendering_metadata.txt"
    metadata.write_text(metadata.read_text().replace(" 0 0.8 ", " 10 0.8 "))
    with pytest.raises(PartialFailure, match="2 objects could not be read"):
        build(tmp_path, "--meshes", str(tmp_path / "meshes"))
