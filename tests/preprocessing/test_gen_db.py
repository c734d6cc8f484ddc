"""From a raw folder to the database: right inputs, wrong inputs, and a run that was killed."""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time

import cv2
import h5py
import numpy as np
import pytest

from data.raw_layout import RawObject
from data.shard_format import UNFINISHED, ObjectRecord, find_shards
from data.shards import Database
from preprocessing import gen_db
from preprocessing.database import build as builder
from preprocessing.readers.reader import Options
from preprocessing.readers.registry import try_object
from preprocessing.recovery import dlt
from preprocessing.rendering.volumes import write_volume
from tests.helpers import raw_folder
from tests.helpers.flipped import flip
from utils.errors import PartialFailure, UserError

SMALL = ["--jobs", "1", "--sdf_points", "500", "--surface_points", "300", "--image_size", "32"]


def build(root, *flags):
    """The database of root/raw in root/db (or where the flags say)."""
    gen_db.main(["--raw", str(root / "raw"), "--out", str(root / "db"), *SMALL, *flags])
    return Database(root / "db")


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    """A raw folder of seven chairs, ragged in their views, without cameras; copied by the tests."""
    root = tmp_path_factory.mktemp("pristine")
    for seed in range(7):
        raw_folder.write_object(RawObject(root, "chair", f"c{seed}"), seed, views=1 + seed % 3)
    return root


@pytest.fixture
def root(tmp_path, pristine):
    shutil.copytree(pristine, tmp_path / "raw")
    return tmp_path


@pytest.fixture
def few(tmp_path, pristine):
    """The same with two of the chairs, which have two views each and are for training."""
    for object_id in ("c1", "c4"):
        shutil.copytree(pristine / "chair" / object_id, tmp_path / "raw" / "chair" / object_id)
    return tmp_path


def all_objects(database):
    records = [database.record(entry) for split in ("train", "val", "test") for entry in database.objects(split)]
    return {record.object_id: record for record in records}


def assert_same_databases(one, other):
    names = [path.name for path, _, _ in find_shards(one)]
    assert names == [path.name for path, _, _ in find_shards(other)]
    for name in names:
        with h5py.File(one / name) as a, h5py.File(other / name) as b:
            assert dict(a.attrs) == dict(b.attrs)
            assert set(a) == set(b)
            for key in a:
                np.testing.assert_array_equal(a[key][()], b[key][()], err_msg=key)


def test_database_holds_the_raw_data(root, capsys):
    records = all_objects(build(root))
    out = capsys.readouterr().out
    assert sorted(records) == [f"c{seed}" for seed in range(7)]
    for seed in range(7):
        record, (index, colours) = records[f"c{seed}"], raw_folder.solid(seed)
        np.testing.assert_array_equal(record.voxels, index)
        np.testing.assert_array_equal(record.voxel_colours, np.rint(255 * colours))
        for view, matrix in enumerate(record.trans_mats):
            np.testing.assert_allclose(matrix, raw_folder.camera(90 + 30 * view, 32), atol=1e-3)
            expected = cv2.imread(str(RawObject(root / "raw", "chair", f"c{seed}").view(f"{view:02d}")))[..., ::-1]
            np.testing.assert_array_equal(record.images[view, ..., :3], expected)
            assert (record.images[view, ..., 3] == 255).all()
        assert 0 <= record.reprojection_error < 1e-3
        assert f"chair/c{seed}: cameras from the flow volumes, 0.000 px\n" in out
        assert (record.sdf_source, len(record.sdf), len(record.surface_points)) == ("volume", 500, 300)
        # colours are positions here: of the nearest voxel, or of the voxel that holds the point
        near = np.abs(record.sdf) < 1 / 64
        assert np.abs(record.sdf_colours[near] / 255 - 0.5 - record.sdf_points[near]).max() < 0.04
        assert np.abs(record.surface_colours / 255 - 0.5 - record.surface_points).max() < 0.011
    assert "chair: 5 train, 1 val, 1 test objects by hash of the ids" in out
    assert "axes as they are (7 of 7 objects agree)" in out
    assert re.search(rf"database of 7 objects, .* MB: {root}/db", out)


@pytest.mark.slow
def test_two_processes_and_small_shards_change_nothing(root, tmp_path):
    whole = all_objects(build(root))
    build(root, "--out", str(tmp_path / "db2"), "--jobs", "2", "--objects_per_shard", "2")
    parts = all_objects(Database(tmp_path / "db2"))
    assert len(find_shards(tmp_path / "db2")) == 5
    for object_id, record in whole.items():
        np.testing.assert_array_equal(record.sdf, parts[object_id].sdf)
        np.testing.assert_array_equal(record.images, parts[object_id].images)
        np.testing.assert_array_equal(record.trans_mats, parts[object_id].trans_mats)


MIRRORED, LYING, SWAPPED = (
    ((-1, 0, 0), (0, 1, 0), (0, 0, 1)),
    ((1, 0, 0), (0, 0, 1), (0, -1, 0)),
    ((0, 1, 0), (1, 0, 0), (0, 0, 1)),
)


@pytest.mark.parametrize("axes", [MIRRORED, LYING, SWAPPED], ids=dlt.describe)
def test_axes_of_the_volumes_are_undone(tmp_path, capsys, axes):
    for seed in range(3):
        raw_folder.write_object(RawObject(tmp_path / "raw", "chair", f"c{seed}"), seed, axes=axes)
    database = build(tmp_path)
    assert database.settings["axes"] == dlt.describe(axes)
    assert f"({dlt.describe(axes)})" in capsys.readouterr().out
    records = all_objects(database)
    for seed in range(3):
        record, (index, _) = records[f"c{seed}"], raw_folder.solid(seed)
        assert set(map(tuple, record.voxels.tolist())) == set(map(tuple, index.tolist()))
        np.testing.assert_allclose(record.trans_mats[1], raw_folder.camera(120, 32), atol=1e-3)


def spoil(path, name="data", value=None, shape=None):
    """Rewrite a dataset of an HDF5 file with another shape or one value changed, or remove it."""
    with h5py.File(path, "r") as file:
        data = file[name][()]
    with h5py.File(path, "w") as file:
        if shape:
            file[name] = np.resize(data, shape)
        elif value is not None:
            data.flat[0] = value
            file[name] = data
        else:
            file["other"] = data


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def garble(path):
    with h5py.File(path, "a") as file:
        seen = file["data"][()] >= 0
        file["data"][...] = np.where(seen, np.random.default_rng(0).random(seen.shape), -1)


FAULTS = {
    "truncated image": ("view", truncate, "01.png is broken or cut off"),
    "truncated volume": ("colour_volume", truncate, "model_normalized_64.h5: cannot be read"),
    "no data": ("colour_volume", spoil, "model_normalized_64.h5: has no dataset 'data', only other"),
    "small volume": (
        "colour_volume",
        lambda path: spoil(path, shape=(32, 32, 32, 3)),
        "data is 32 x .* should be 64 x 64 x 64 x 3",
    ),
    "bright volume": ("colour_volume", lambda path: spoil(path, value=255), "colours reach 255"),
    "no volume": ("colour_volume", lambda path: path.unlink(), "model_normalized_64.h5: is missing"),
    "no flow": ("flow_volume", lambda path: path.unlink(), "64_01_coor.h5: is missing"),
    "truncated flow": ("flow_volume", truncate, "64_01_coor.h5: cannot be read"),
    "NaN in a flow": (
        "flow_volume",
        lambda path: spoil(path, value=np.nan),
        "64_01_coor.h5: data has values that are not finite",
    ),
    "wrong flow": ("flow_volume", garble, "64_01_coor.h5: no camera fits"),
    "NaN camera": ("cameras", lambda path: spoil(path, "trans_mat", value=np.nan), "cameras.h5: view 0: .* not finite"),
    "3x3 camera": ("cameras", lambda path: spoil(path, "trans_mat", shape=(2, 3, 3)), "cameras.h5: view 0: .* is 3x3"),
    "too few cameras": (
        "cameras",
        lambda path: spoil(path, "trans_mat", shape=(1, 4, 3)),
        "cameras.h5: .* should be 2 x 4 x 3",
    ),
}


def damaged(folder, pristine, fault):
    """Copy the object c4 with a fault."""
    kind, damage, _ = FAULTS[fault]
    shutil.copytree(pristine / "chair" / "c4", folder / "chair" / "c4")
    raw = RawObject(folder, "chair", "c4")
    if kind == "cameras":
        with h5py.File(raw.cameras, "w") as file:
            file["trans_mat"] = np.stack([raw_folder.camera(90, 32), raw_folder.camera(120, 32)])
    damage(getattr(raw, kind)("01") if kind in ("view", "flow_volume") else getattr(raw, kind))
    return raw


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_with_an_object_is_named(tmp_path, pristine, fault):
    reason = try_object(damaged(tmp_path, pristine, fault), "im2avatar", Options(32, 10, 10))
    assert isinstance(reason, str) and re.search(FAULTS[fault][2], reason)


@pytest.mark.parametrize("fault", ["truncated image", "small volume", "wrong flow", "NaN camera"])
def test_a_bad_object_is_left_out_and_named(tmp_path, pristine, fault, capsys):
    raw = damaged(tmp_path / "raw", pristine, fault)
    shutil.copytree(pristine / "chair" / "c1", tmp_path / "raw" / "chair" / "c1")
    with pytest.raises(PartialFailure, match="1 objects could not be read"):
        build(tmp_path)
    assert [entry.object_id for entry in Database(tmp_path / "db").objects("train")] == ["c1"]
    out = capsys.readouterr().out
    assert re.findall(r"^(\w+/\w+): cameras from the flow volumes, ", out, re.MULTILINE) == [
        "chair/c1"
    ]  # not c4, with cameras.h5 or bad
    lines = [line for line in out.splitlines() if line.startswith("left out: ")]
    assert len(lines) == 1
    assert re.search(FAULTS[fault][2], lines[0])

    shutil.rmtree(raw.folder)  # repaired and started again: it comes in, nothing else changes
    shutil.copytree(pristine / "chair" / "c4", raw.folder)
    assert [entry.object_id for entry in build(tmp_path).objects("train")] == ["c1", "c4"]


def test_nothing_readable_writes_nothing(root):
    for path in (root / "raw").glob("*/*/models/model_normalized_64.h5"):
        truncate(path)
    with pytest.raises(UserError, match="none of the 7 objects could be read") as caught:
        build(root)
    assert not isinstance(caught.value, PartialFailure)
    assert not (root / "db").exists()


def test_wrong_flags_and_settings(few, tmp_path):
    root = few
    with pytest.raises(UserError, match="no category 'sofa'; known: all, chair"):
        build(root, "--category", "sofa")
    with pytest.raises(UserError, match="train_list_chair.txt"):
        build(root, "--lst_dir", str(tmp_path))
    with pytest.raises(UserError, match="--objects_per_shard: '0' is not a whole number"):
        build(root, "--objects_per_shard", "0")
    info = tmp_path / "info.json"
    for content, message in (
        ({"imagesize": 3}, "unknown settings: imagesize"),
        ({"image_size": "big"}, "image_size is 'big'"),
        ({"split": {"train": 0.5, "val": 0.1, "test": 0.1}}, "add up to 1"),
        ([], "unknown settings"),
    ):
        info.write_text(json.dumps(content))
        with pytest.raises(UserError, match=message):
            build(root, "--info", str(info))
    info.write_text(json.dumps({"raw": str(root / "raw"), "split": {"train": 0, "val": 0, "test": 1}}))
    gen_db.main(["--info", str(info), "--out", str(root / "db"), "--category", "03001627", *SMALL])
    assert len(Database(root / "db").objects("test")) == 2


def test_listed_objects_that_are_absent(root, capsys):
    for split, ids in (("train", "c0\ngone1\ngone2"), ("val", "c1"), ("test", "c2")):
        (root / "raw" / f"{split}_list_03001627.txt").write_text(ids)
    with pytest.raises(PartialFailure, match="2 listed ones are not there"):
        build(root)
    out = capsys.readouterr().out
    assert "2 listed objects are not in" in out
    assert "the first is gone1" in out
    assert "4 in no list" in out
    assert [entry.object_id for entry in Database(root / "db").objects("val")] == ["c1"]


def test_another_database_is_not_overwritten(few, capsys):
    root = few
    build(root)
    build(root)
    assert "1 of 1 shards are there already" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"another database: made with sdf_points 500 \(now 600\)"):
        build(root, "--sdf_points", "600")
    with pytest.raises(UserError, match=r"objects_per_shard 64 \(now 2\)"):
        build(root, "--objects_per_shard", "2")
    shutil.copytree(root / "raw" / "chair" / "c1", root / "raw" / "chair" / "c9")
    with pytest.raises(UserError, match="holds other objects"):
        build(root)
    shutil.rmtree(root / "raw" / "chair" / "c9")
    shutil.copy(root / "db" / "chair_train_000.h5", root / "db" / "chair_train_001.h5")
    with pytest.raises(UserError, match="chair_train_001.h5 is not part of the database planned here"):
        build(root)


def test_files_count_by_their_content_wherever_they_are(few, capsys):
    root, single = few, ["--objects_per_shard", "1"]
    build(root, *single)
    before = {path.name: path.read_bytes() for path, _, _ in find_shards(root / "db")}
    (root / "raw").rename(root / "moved")
    build(root, *single, "--raw", str(root / "moved"))
    out = capsys.readouterr().out
    assert "2 of 2 shards are there already" in out and "read again" not in out
    assert before == {path.name: path.read_bytes() for path, _, _ in find_shards(root / "db")}
    view = RawObject(root / "moved", "chair", "c4").view("01")
    cv2.imwrite(str(view), 255 - cv2.imread(str(view)))
    build(root, *single, "--raw", str(root / "moved"))
    assert "1 objects are read again, since their files have changed" in capsys.readouterr().out
    after = {path.name: path.read_bytes() for path, _, _ in find_shards(root / "db")}
    assert before.keys() == after.keys() and sum(before[name] != after[name] for name in before) == 1
    build(root, *single, "--raw", str(root / "moved"), "--out", str(root / "fresh"))
    assert after == {path.name: path.read_bytes() for path, _, _ in find_shards(root / "fresh")}


def test_files_count_behind_links_too(few, capsys):
    root = few
    views = RawObject(root / "raw", "chair", "c4").views_folder
    shutil.copytree(views, root / "elsewhere")
    build(root)
    shutil.rmtree(views)
    views.symlink_to(root / "elsewhere")
    build(root)
    assert "read again" not in capsys.readouterr().out
    cv2.imwrite(str(views / "01.png"), 255 - cv2.imread(str(views / "01.png")))
    build(root)
    assert "1 objects are read again, since their files have changed" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["view", "colour_volume"])
@pytest.mark.parametrize("size", ["1", "2"])
def test_an_object_that_is_damaged_later_is_left_out_as_of_a_fresh_database(few, capsys, kind, size):
    single = ["--objects_per_shard", size]

    def shards(name="db"):
        return {path.name: path.read_bytes() for path, _, _ in find_shards(few / name)}

    build(few, *single)
    whole = shards()
    raw = RawObject(few / "raw", "chair", "c4")
    path = raw.view("01") if kind == "view" else raw.colour_volume
    content = path.read_bytes()
    path.write_bytes(bytes(600) + content[600:])  # not even its digest can be read
    for out in ("db", "db", "fresh"):
        with pytest.raises(PartialFailure, match="1 objects could not be read"):
            build(few, *single, "--out", str(few / out))
        assert f"left out: {path}" in capsys.readouterr().out
    assert shards() == shards("fresh")
    assert [entry.object_id for entry in Database(few / "db").objects("train")] == ["c1"]
    path.write_bytes(content)
    build(few, *single)
    assert shards() == whole


@pytest.mark.parametrize("kind", ["view", "colour_volume"])
def test_a_flipped_bit_of_the_raw_data_leaves_the_object_out(tmp_path, kind):
    """PNG files have checksums, and so have the HDF5 files that the renderer writes."""
    raw = RawObject(tmp_path / "raw", "chair", "c4")
    raw_folder.write_object(raw, 4)
    with h5py.File(raw.colour_volume) as file:
        volume = file["data"][:]
    write_volume(raw.colour_volume, volume)
    path = raw.view("01") if kind == "view" else raw.colour_volume
    options = Options(32, 10, 10)
    assert isinstance(try_object(raw, "im2avatar", options), ObjectRecord)
    for position in np.random.default_rng(0).choice(8 * path.stat().st_size, 20, replace=False).tolist():
        flip(path, position)
        assert str(path) in try_object(raw, "im2avatar", options)
        flip(path, position)


@pytest.mark.slow
def test_a_full_disk_ends_in_one_line_and_what_is_whole_stays(few, tmp_path):
    root = few
    flags = ["--raw", str(root / "raw"), *SMALL, "--objects_per_shard", "1"]
    gen_db.main([*flags, "--out", str(tmp_path / "whole")])
    shards = [path for path, _, _ in find_shards(tmp_path / "whole")]
    (root / "db").mkdir()
    shutil.copy(shards[0], root / "db")
    limit = min(path.stat().st_size for path in shards) // 2
    result = subprocess.run(
        [sys.executable, gen_db.__file__, *flags, "--out", str(root / "db")],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        capture_output=True,
        text=True,
        check=False,
    )
    (error,) = [line for line in result.stderr.splitlines() if line.strip() and "%|" not in line]  # no progress bar
    assert result.returncode == 1 and re.fullmatch(r"error: \S*\.h5 cannot be written: File too large", error)
    assert sorted(path.name for path in (root / "db").iterdir()) == [shards[0].name, UNFINISHED]
    gen_db.main([*flags, "--out", str(root / "db")])
    for path in shards:
        assert (root / "db" / path.name).read_bytes() == path.read_bytes()


def test_a_database_records_the_sign_of_its_raw_folder(few):
    """Raw folders of older versions, and those of other programs, record none: it is winding."""
    root = few
    assert "sign" not in build(root).settings
    (root / "raw" / "render.json").write_text('{"sign": "winding"}')
    build(root)
    (root / "raw" / "render.json").write_text('{"sign": "thick"}')
    with pytest.raises(UserError, match=r"another database: made with sign winding \(now thick\)"):
        build(root)
    assert build(root, "--out", str(root / "db2")) is not None
    assert Database(root / "db2").settings["sign"] == "thick"
    (root / "raw" / "render.json").write_text("[]")
    with pytest.raises(UserError, match="render.json is damaged: it holds no settings"):
        build(root)


def test_a_refused_build_leaves_the_record_of_the_views(few):
    """--like and training read it: it must tell how the views of this database were made."""
    settings = few / "raw" / "render.json"
    settings.write_text('{"image_size": 32}')
    build(few)
    settings.write_text('{"image_size": 64}')
    with pytest.raises(UserError, match="another database"):
        build(few, "--image_size", "30")
    assert json.loads((few / "db" / "render.json").read_text()) == {"image_size": 32}
    build(few)
    assert json.loads((few / "db" / "render.json").read_text()) == {"image_size": 64}


def test_a_database_is_finished_when_all_categories_begun_are(few, monkeypatch, capsys):
    root = few
    shutil.rmtree(root / "raw" / "chair" / "c4")
    for category in ("car", "table"):
        shutil.copytree(root / "raw" / "chair" / "c1", root / "raw" / category / "c1")
    write = builder.write_shard

    def stopped(path, *args):
        if path.name.startswith("chair"):
            raise KeyboardInterrupt
        write(path, *args)

    monkeypatch.setattr(builder, "write_shard", stopped)
    with pytest.raises(KeyboardInterrupt):
        build(root)
    monkeypatch.undo()
    with pytest.raises(UserError, match="not finished"):
        build(root, "--category", "chair")
    assert "began car, table as well" in capsys.readouterr().out
    with pytest.raises(UserError, match="not finished"):
        build(root, "--category", "car")
    assert build(root, "--category", "table").categories == ["car", "chair", "table"]
    (root / "db" / UNFINISHED).write_text(json.dumps({"categories": ["gone"]}))
    build(root)  # builds everything: nothing is missing afterwards


def test_out_that_cannot_be_a_folder_is_noticed_before_the_work(root, monkeypatch):
    monkeypatch.setattr(gen_db, "make_plan", None)
    (root / "file").touch()
    for out in (root / "file", root / "file" / "db"):
        with pytest.raises(UserError, match=rf"output folder {out}: {root}/file is a file, not a folder"):
            build(root, "--out", str(out))


@pytest.mark.slow
def test_a_killed_run_resumes(root, tmp_path):
    """It is killed after its first shard and ends like a run that was never killed."""
    for object_id in ("c2", "c5", "c6"):  # four are enough, two of which have two views
        shutil.rmtree(root / "raw" / "chair" / object_id)
    flags = ["--raw", str(root / "raw"), *SMALL, "--objects_per_shard", "1"]
    gen_db.main([*flags, "--out", str(tmp_path / "whole")])
    command = [sys.executable, gen_db.__file__, *flags, "--out", str(root / "db")]
    process = subprocess.Popen(
        command, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while not find_shards(root / "db") and process.poll() is None:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    done = {path: path.stat().st_mtime_ns for path, _, _ in find_shards(root / "db")}
    assert 0 < len(done) < 4
    with pytest.raises(UserError, match="not finished"):
        Database(root / "db")
    gen_db.main([*flags, "--out", str(root / "db")])
    assert all(path.stat().st_mtime_ns == changed for path, changed in done.items())
    assert_same_databases(root / "db", tmp_path / "whole")
    assert sorted(path.suffix for path in (root / "db").iterdir()) == [".h5"] * 4
