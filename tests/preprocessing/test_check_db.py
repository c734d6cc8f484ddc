"""check_db.py: a good database has no defects, and every kind of damage is found and named."""

import json
import shutil

import cv2
import h5py
import numpy as np
import pytest

from data.shard_format import ATTRIBUTES_DIGEST, UNFINISHED, attributes_digest, write_shard
from preprocessing import check_db, gen_db
from preprocessing.database.checks import cameras
from preprocessing.database.contact_sheet import CELL, IN, OUT, TITLE, sheet
from tests.helpers import external_folder as external
from tests.helpers import tiny
from tests.helpers.flipped import flip
from utils.errors import UserError

SHARD = "box_train_000.h5"


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    return tiny.write_database(tmp_path_factory.mktemp("pristine"), counts=(2, 1, 1), categories=("box",))


@pytest.fixture
def db(pristine, tmp_path):
    shutil.copytree(pristine, tmp_path / "db")
    return tmp_path / "db"


def run(folder, *flags):
    check_db.main([str(folder), "--objects", "0", *flags])


def defects(folder, capsys):
    """The lines of the defects; none if the command ends well."""
    try:
        run(folder)
        expected = 0
    except UserError as error:
        expected = int(str(error).split()[0])
    lines = [
        line.removeprefix("defect: ") for line in capsys.readouterr().out.splitlines() if line.startswith("defect: ")
    ]
    assert len(lines) == expected
    return lines


def test_a_good_database(tiny_database, tmp_path, capsys):
    db = tiny_database
    check_db.main([str(db), "--out", str(tmp_path / "sheet.png")])
    out = capsys.readouterr().out
    assert f"no defects: {db}" in out
    rows = {tuple(line.split()[:2]): line.split()[2:] for line in out.splitlines() if line.startswith(("box", "crate"))}
    assert list(rows) == [(category, split) for category in ("box", "crate") for split in ("train", "val", "test")]
    assert rows["box", "train"][:2] == ["4", "12"] and rows["crate", "test"][:2] == ["2", "6"]
    assert rows["box", "train"][3] == "512"  # distances an object
    assert "16 objects, 48 views, 0 of them without transparency" in out
    image = cv2.imread(str(tmp_path / "sheet.png"))
    assert image.shape == (6 * (CELL + TITLE), 8 * CELL, 3)


def test_every_flipped_bit_is_found(db, capsys):
    path = db / SHARD
    for position in np.random.default_rng(0).choice(8 * path.stat().st_size, 8, replace=False).tolist():
        flip(path, position)
        with pytest.raises(UserError, match="defects in"):
            run(db)
        assert f"defect: {path.name}" in (out := capsys.readouterr().out) or f"defect: {path}" in out
        flip(path, position)
    run(db)


def test_attributes_that_were_changed_are_found(db, capsys):
    with h5py.File(db / SHARD, "a") as file:
        file.attrs["left_out"] = '{"box_train9": "never"}'
    (line,) = defects(db, capsys)
    assert "its attributes do not have their checksum" in line


def spoil(name, change):
    """Damage to a dataset of the first box shard: change(its values), or None to remove it."""

    def damage(folder):
        with h5py.File(folder / SHARD, "a") as file:
            value, description = change(file[name][()]), file[name].attrs["description"]
            del file[name]
            if value is not None:
                file.create_dataset(name, data=value).attrs["description"] = description

    return damage


def first(name, value, at=0):
    """Damage to one value of a dataset."""

    def change(values):
        values[at] = value
        return values

    return spoil(name, change)


def attribute(name, value):
    def damage(folder):
        with h5py.File(folder / SHARD, "a") as file:
            file.attrs[name] = value
            file.attrs[ATTRIBUTES_DIGEST] = attributes_digest(file.attrs)

    return damage


def truncate(folder):
    path = folder / SHARD
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def undescribed(folder):
    with h5py.File(folder / SHARD, "a") as file:
        del file["voxels"].attrs["description"]


def gap(folder):
    (folder / SHARD).rename(folder / "box_train_001.h5")


def unfinished(folder):
    (folder / UNFINISHED).write_text(json.dumps({"categories": ["box"]}))


def shifted(values):
    values[1, :, 0] += 8 * values[1, :, 2]  # 8 pixels to the right
    return values


def zoomed(values):
    values[2, :, :2] = 0.5 * values[2, :, :2] + 0.5 * 19.5 * values[2, :, 2:]  # half as large, about the middle
    return values


def mirrored(values):
    values[0, :, 0] = 39 * values[0, :, 2] - values[0, :, 0]
    return values


def twice(values):
    values[1] = values[0]
    return values


DAMAGE = {
    "truncated": (truncate, "box_train_000.h5: cannot be read"),
    "version": (
        attribute("version", 7),
        "box_train_000.h5: format texdisn-shard, version 7; wanted texdisn-shard, version 1",
    ),
    "split": (attribute("split", "val"), "its attribute split is 'val', its name says 'train'"),
    "no dataset": (spoil("sdf", lambda v: None), "box_train_000.h5: has no dataset sdf"),
    "type": (spoil("voxels", lambda v: v.astype(np.int32)), "voxels is of type int32, it should be uint8"),
    "shape": (spoil("trans_mats", lambda v: v[:, :3]), "trans_mats is 6 x 3 x 3, it should be N x 4 x 3"),
    "no alpha": (spoil("images", lambda v: v[..., :3]), "images is 6 x 40 x 40 x 3, it should be N x H x W x 4"),
    "rows": (spoil("sdf_colours", lambda v: v[:-5]), "sdf_colours has 1019 rows, there should be 1024"),
    "offsets": (first("voxel_offset", 0, 1), "voxel_offset does not count the rows of 2 objects upwards from 0"),
    "description": (undescribed, "voxels has no description"),
    "gap": (gap, "box_train_000.h5: the shard is missing"),
    "unfinished": (unfinished, "unfinished.json: the database is not finished"),
    "settings": (attribute("settings", '{"made": "otherwise"}'), "other settings than box_"),
    "NaN": (first("sdf", np.nan), "box_train0: sdf has 1 values that are not finite"),
    "infinite camera": (first("trans_mats", np.inf), "box_train0: trans_mats has 12 values that are not finite"),
    "voxel range": (first("voxels", 64), "box_train0: voxels reach 64"),
    "voxel twice": (spoil("voxels", twice), "box_train0: 1 voxels are there twice"),
    "far points": (first("surface_points", 3), "box_train0: surface_points reach 3"),
    "large distance": (first("sdf", -9), "box_train0: sdf reaches 9"),
    "scale": (first("scale", 0), "box_train0: scale is 0"),
    "recovered cameras": (first("reprojection_error", 3), "box_train0: its recovered cameras are off by 3.00 px"),
    "distances": (spoil("sdf", lambda v: v * 2), "of the distances contradict the surface points"),
    "surface": (
        spoil("surface_points", lambda v: v / 2),
        "of the surface points are more than 2 voxels from the surface voxels",
    ),
    "shifted camera": (spoil("trans_mats", shifted), "box_train0: view 01: "),
    "zoomed camera": (spoil("trans_mats", zoomed), "of the mask has no surface point near it"),
    "mirrored camera": (spoil("trans_mats", mirrored), "box_train0: view 00: the camera is mirrored"),
    "camera behind": (first("trans_mats", np.diag([1, 1, -1.0, 0])[:, :3]), "view 00: the object is behind the camera"),
    "empty view": (first("images", 0), "box_train0: view 00: the image is empty"),
    "view names": (spoil("view_names", twice), "box_train0: two views have the same name"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_found_and_named(db, damage, capsys):
    change, message = DAMAGE[damage]
    change(db)
    lines = defects(db, capsys)
    assert any(message in line for line in lines), lines
    if damage not in ("settings", "distances", "surface", "gap"):  # which concern several objects
        assert len(lines) == 1, lines


def test_duplicates_are_found(db, capsys):
    rng = np.random.default_rng(99)
    original, other = tiny.box("chair", "a", rng), tiny.box("chair", "b", rng)
    settings = {"made": "by a test"}
    write_shard(db / "chair_train_000.h5", [original, other], settings)
    assert defects(db, capsys) == []
    original.object_id = "c"
    write_shard(db / "chair_test_000.h5", [original], settings)
    lines = defects(db, capsys)
    assert sorted(line.split(": ")[1] for line in lines) == [
        f"have identical {what} in different splits" for what in ("views", "voxels")
    ]
    assert all("chair/a (train)" in line and "chair/c (test)" in line for line in lines)
    write_shard(db / "chair_test_000.h5", [other], settings)
    assert "chair/b: is there 2 times, in test, train" in defects(db, capsys)


def test_opaque_views_are_checked_against_their_edges():
    record = tiny.box("chair", "a", np.random.default_rng(0))
    record.images[..., 3] = 255
    assert cameras(record) == []
    record.trans_mats[1, :, 0] += 30 * record.trans_mats[1, :, 2]
    (line,) = cameras(record)
    assert "view 01" in line and "outside of the image" in line


def test_sheet_draws_points_where_they_project():
    record = tiny.box("chair", "a", np.random.default_rng(0))
    good = sheet([record], views=1)[TITLE:, CELL : 2 * CELL]
    assert (good == IN).all(-1).sum() > 100 and not (good == OUT).all(-1).any()
    alpha = cv2.resize(record.images[0, ..., 3], (CELL, CELL), interpolation=cv2.INTER_NEAREST)
    reach = cv2.dilate(alpha, np.ones((19, 19)))  # a voxel and a pixel, enlarged
    assert reach[(good == IN).all(-1)].all()
    record.trans_mats[0, :, 0] += 15 * record.trans_mats[0, :, 2]
    assert (sheet([record], views=1)[TITLE:, CELL : 2 * CELL] == OUT).all(-1).sum() > 100


def test_wrong_flags(db, tmp_path):
    with pytest.raises(UserError, match="none is not a folder"):
        run(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no shard"):
        run(tmp_path / "empty")
    with pytest.raises(UserError, match="--objects: '-1' is not a whole number"):
        run(db, "--objects", "-1")
    with pytest.raises(UserError, match="the contact sheet is a PNG"):
        check_db.main([str(db), "--out", "sheet.gif"])
    with pytest.raises(UserError, match="--out sheet.png would do nothing"):
        run(db, "--out", "sheet.png")  # without objects


def test_a_wrong_data_set_is_noticed(tmp_path, capsys):
    """3D-R2N2's views of which one was rendered with another camera than its metadata say."""
    for object_id in "abc":
        external.write_r2n2(tmp_path / "raw", tmp_path / "meshes", "chair", object_id)
    metadata = tmp_path / "raw" / "chair" / "b" / "rendering" / "rendering_metadata.txt"
    metadata.write_text(metadata.read_text().replace("110 25 ", "170 25 "))
    flags = [
        "--meshes",
        str(tmp_path / "meshes"),
        "--jobs",
        "1",
        "--sdf_points",
        "500",
        "--surface_points",
        "2000",
        "--image_size",
        "64",
    ]
    gen_db.main(["--raw", str(tmp_path / "raw"), "--out", str(tmp_path / "db"), *flags])
    lines = defects(tmp_path / "db", capsys)
    assert [line for line in lines if "identical" not in line and "b: view 01: " not in line] == []
    assert any("b: view 01: " in line for line in lines)
