"""The database: every process and thread reads what was written, and damage is named."""

import concurrent.futures
import dataclasses
import os
import pickle

import h5py
import numpy as np
import pytest

from data.shard_format import ATTRIBUTES_DIGEST, UNFINISHED, ObjectRecord, find_shards, shard_name, write_shard
from data.shards import Database
from tests.helpers.flipped import flip
from utils.errors import UserError


def record(seed, object_id, category="chair", views=2, size=(10, 12)):
    """An ObjectRecord of random values; objects differ in their numbers of voxels and points."""
    rng = np.random.default_rng(seed)
    voxels, points, surface = rng.integers(1, 9), rng.integers(5, 9), rng.integers(1, 9)
    return ObjectRecord(
        category,
        object_id,
        [f"{object_id}_{view}" for view in range(views)],
        rng.integers(0, 256, (views, *size, 4), np.uint8),
        rng.normal(size=(views, 4, 3)),
        rng.integers(0, 64, (voxels, 3), np.uint8),
        rng.integers(0, 256, (voxels, 3), np.uint8),
        rng.normal(size=(points, 3)).astype(np.float32),
        rng.normal(size=points).astype(np.float32),
        rng.integers(0, 256, (points, 3), np.uint8),
        rng.normal(size=(surface, 3)).astype(np.float32),
        rng.integers(0, 256, (surface, 3), np.uint8),
        rng.normal(size=3),
        float(rng.random()),
        float(rng.choice([np.nan, 0.25])),
        "volume" if seed % 2 else "file",
    )


@pytest.fixture
def records():
    return [record(i, object_id, views=1 + i) for i, object_id in enumerate(["b", "a", "ü 1", "d"])]


@pytest.fixture
def database(tmp_path, records):
    write_shard(tmp_path / shard_name("chair", "train", 0), records[:3], {"axes": "+x +y +z"})
    write_shard(tmp_path / shard_name("chair", "train", 1), records[3:], {"axes": "+x +y +z"})
    write_shard(tmp_path / shard_name("my_car", "train", 0), [record(9, "c", "my_car")], {"axes": "+x +y +z"})
    write_shard(tmp_path / shard_name("my_car", "val", 0), [record(8, "e", "my_car")], {"axes": "+x +y +z"})
    return Database(tmp_path)


def assert_same(one, other):
    for field in dataclasses.fields(ObjectRecord):
        a, b = getattr(one, field.name), getattr(other, field.name)
        np.testing.assert_array_equal(a, b, err_msg=field.name)
        assert np.asarray(a).dtype == np.asarray(b).dtype, field.name


def test_every_field_comes_back(database, records):
    entries = {entry.object_id: entry for entry in database.objects("train", "chair")}
    for expected in records:
        entry = entries[expected.object_id]
        assert list(entry.view_names) == expected.view_names
        assert entry.sdf_count == len(expected.sdf)
        assert_same(database.record(entry), expected)
        for view in range(len(expected.view_names)):
            np.testing.assert_array_equal(database.image(entry, view), expected.images[view])
            np.testing.assert_array_equal(database.trans_mat(entry, view), expected.trans_mats[view])
        for actual, wanted in zip(database.voxels(entry), (expected.voxels, expected.voxel_colours), strict=True):
            np.testing.assert_array_equal(actual, wanted)
        for actual, wanted in zip(
            database.surface(entry), (expected.surface_points, expected.surface_colours), strict=True
        ):
            np.testing.assert_array_equal(actual, wanted)


def test_objects_are_sorted_and_chosen(database):
    assert [(entry.category, entry.object_id) for entry in database.objects("train")] == [
        ("chair", "a"), ("chair", "b"), ("chair", "d"), ("chair", "ü 1"), ("my_car", "c"),
    ]  # fmt: skip
    assert database.objects("train", "03001627") == database.objects("train", "chair")
    assert database.categories == ["chair", "my_car"]
    assert database.image_size == (10, 12)
    assert database.settings == {"axes": "+x +y +z"}
    with pytest.raises(UserError, match="known: all, chair, my_car"):
        database.objects("train", "sofa")
    with pytest.raises(UserError, match="no val objects of category 'chair'"):
        database.objects("val", "chair")
    with pytest.raises(UserError, match="unknown split"):
        database.objects("training")


def test_views_are_those_of_the_object(database):
    entry = database.objects("train", "chair")[1]  # 'b', one view, followed by another object in its shard
    with pytest.raises(IndexError):
        database.image(entry, 1)
    with pytest.raises(IndexError):
        database.image(entry, -1)


@pytest.mark.parametrize("count", [1, 3, 40])
def test_sdf_blocks_run_on_at_the_end(database, records, count):
    entry = next(entry for entry in database.objects("train") if entry.object_id == "a")
    expected = records[1]
    for start in range(entry.sdf_count):
        points, sdf, colours = database.sdf_block(entry, start, count)
        rows = (start + np.arange(count)) % len(expected.sdf)
        np.testing.assert_array_equal(points, expected.sdf_points[rows])
        np.testing.assert_array_equal(sdf, expected.sdf[rows])
        np.testing.assert_array_equal(colours, expected.sdf_colours[rows])
    with pytest.raises(IndexError):
        database.sdf_block(entry, entry.sdf_count, count)


def test_one_view_is_one_chunk_and_all_is_described(database, tmp_path):
    with h5py.File(tmp_path / shard_name("chair", "train", 0)) as file:
        assert file["images"].chunks == (1, 10, 12, 4)
        assert all(dataset.attrs["description"] for dataset in file.values())
        assert (file.attrs["format"], file.attrs["version"], file.attrs["split"]) == ("texdisn-shard", 1, "train")


def test_threads_forks_and_pickles_read_the_same(database, records):
    entries = {entry.object_id: entry for entry in database.objects("train")}
    jobs = [(expected, view) for expected in records for view in range(len(expected.view_names))] * 20

    def same(job):
        return np.array_equal(database.image(entries[job[0].object_id], job[1]), job[0].images[job[1]])

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert all(pool.map(same, jobs))
    child = os.fork()
    if not child:
        os._exit(0 if all(map(same, jobs)) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert all(map(same, jobs))  # the child's closing did not close ours
    copy = pickle.loads(pickle.dumps(database))
    np.testing.assert_array_equal(copy.image(entries["b"], 0), records[0].images[0])


def test_damage_is_named(tmp_path, records):
    path = tmp_path / shard_name("chair", "train", 1)
    write_shard(tmp_path / shard_name("chair", "train", 0), records[3:], {"axes": "+x +y +z"})
    write_shard(path, records[:3], {"axes": "+x +y +z"})
    whole = path.read_bytes()

    def fails(match):
        with pytest.raises(UserError, match=match) as caught:
            Database(tmp_path).objects("train")
        assert path.name in str(caught.value)

    for length in (0, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        fails("truncated")
    path.write_bytes(whole)
    with h5py.File(path, "a") as file:
        file.attrs["version"] = 2
    fails("version 2")
    with h5py.File(path, "a") as file:
        file.attrs["format"] = "other"
    fails("texdisn-shard")
    write_shard(path, records[:3], {"axes": "-x +y +z"})
    fails("other settings")
    path.unlink()
    Database(tmp_path).objects("train")


def test_a_damaged_chunk_is_named(tmp_path, records):
    path = tmp_path / shard_name("chair", "train", 0)
    write_shard(path, records[:3], {})
    with h5py.File(path) as file:
        place = file["images"].id.get_chunk_info(1)  # the first view of the second object
    with path.open("r+b") as file:
        file.seek(place.byte_offset)
        file.write(b"\xff" * place.size)
    database = Database(tmp_path)
    entries = {entry.object_id: entry for entry in database.objects("train")}
    for read in (lambda: database.image(entries["a"], 0), lambda: database.record(entries["a"])):
        with pytest.raises(
            UserError, match=rf"{path}: images of a cannot be read: .*; delete it and rebuild the database"
        ):
            read()
    np.testing.assert_array_equal(database.image(entries["a"], 1), records[1].images[1])
    assert_same(database.record(entries["ü 1"]), records[2])


def everything(folder):
    """All that can be read of a database."""
    database = Database(folder)
    entries = database.objects("train")
    return database.settings, [(entry, database.record(entry)) for entry in entries]


def test_no_flipped_bit_changes_what_is_read(tmp_path):
    path = tmp_path / shard_name("chair", "train", 0)
    write_shard(path, [record(0, "a"), record(1, "b")], {"axes": "+x +y +z"}, {"c": "broken"})
    settings, records = everything(tmp_path)
    size = path.stat().st_size
    heap = path.read_bytes().find(b"GCOL")  # the texts of attributes: HDF5 has no checksums for them
    positions = np.random.default_rng(0).choice(8 * size, 80, replace=False).tolist()
    positions += range(8 * heap, 8 * heap + 8 * 600, 61)
    seen = 0
    for position in positions:
        flip(path, position)
        try:
            other_settings, others = everything(tmp_path)
        except UserError as error:
            assert path.name in str(error) or str(tmp_path) in str(error)
            seen += 1
        else:
            assert other_settings == settings
            for (entry, one), (other_entry, other) in zip(records, others, strict=True):
                assert entry == other_entry
                assert_same(one, other)
        flip(path, position)
    assert seen > len(positions) / 2


def test_every_dataset_has_checksums_and_equal_records_give_equal_bytes(tmp_path, records):
    one, other = (tmp_path / folder / shard_name("chair", "train", 0) for folder in "ab")
    for path in (one, other):
        write_shard(path, records, {"axes": "+x +y +z"})
    assert one.read_bytes() == other.read_bytes()
    with h5py.File(one) as file:
        assert all(dataset.fletcher32 for dataset in file.values())
    digests = {folder: Database(tmp_path / folder).digest for folder in "ab"}
    assert digests["a"] == digests["b"]
    write_shard(other, records[1:], {"axes": "+x +y +z"})
    assert Database(other.parent).digest != digests["a"]


def test_shards_without_checksums_are_read_and_reported(tmp_path, records, capsys):
    path = tmp_path / shard_name("chair", "train", 0)
    write_shard(path, records, {"axes": "+x +y +z"})
    everything(tmp_path)
    assert "checksum" not in capsys.readouterr().out
    with h5py.File(path) as source, h5py.File(tmp_path / "older", "w") as older:
        older.attrs.update({name: value for name, value in source.attrs.items() if name != ATTRIBUTES_DIGEST})
        for name, dataset in source.items():
            older.create_dataset(name, data=dataset[()], dtype=dataset.dtype)
    (tmp_path / "older").rename(path)
    _, read = everything(tmp_path)
    for expected, (_, found) in zip(sorted(records, key=lambda record: record.object_id), read, strict=True):
        assert_same(found, expected)
    assert "1 of 1 shards are older and have no checksums" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["images", "trans_mats", "voxels", "sdf", "surface_points", "scale"])
def test_an_error_of_the_disk_is_named(database, monkeypatch, name):
    class Failing:
        def __getitem__(self, rows):
            raise OSError("Can't read data")

    entry = database.objects("train")[0]
    monkeypatch.setitem(database._open(entry.shard).data, name, Failing())
    reads = {
        "images": lambda: database.image(entry, 0),
        "trans_mats": lambda: database.trans_mat(entry, 0),
        "voxels": lambda: database.voxels(entry),
        "sdf": lambda: database.sdf_block(entry, 0, 2),
        "surface_points": lambda: database.surface(entry),
        "scale": lambda: database.record(entry),
    }
    with pytest.raises(UserError, match=f"{entry.shard}: {name} of a cannot be read: Can't read data"):
        reads[name]()


def test_folders_that_are_not_databases(tmp_path):
    with pytest.raises(UserError, match="not a folder"):
        Database(tmp_path / "none")
    with pytest.raises(UserError, match="no shard"):
        Database(tmp_path)
    write_shard(tmp_path / shard_name("chair", "train", 0), [record(0, "a")], {})
    (tmp_path / UNFINISHED).write_text("{}")
    with pytest.raises(UserError, match="not finished"):
        Database(tmp_path)


@pytest.mark.parametrize("name", [("chair", "test"), ("chair", "val"), ("car", "train")])
def test_a_shard_under_the_name_of_another_is_refused(name, tmp_path):
    write_shard(tmp_path / shard_name("chair", "train", 0), [record(0, "a")], {})
    path = tmp_path / shard_name(*name, 0)
    path.write_bytes((tmp_path / shard_name("chair", "train", 0)).read_bytes())
    assert [entry.object_id for entry in Database(tmp_path).objects("train", "chair")] == ["a"]
    with pytest.raises(UserError, match=f"{path} holds other objects than its name says .chair, train.: give it back"):
        Database(tmp_path).objects(name[1], name[0])


def test_nothing_is_half_written(tmp_path):
    path = tmp_path / shard_name("chair", "train", 0)
    broken = record(0, "a", views=2)
    broken.trans_mats = broken.trans_mats[:1]
    with pytest.raises(ValueError, match="different lengths"):
        write_shard(path, [broken], {})
    with pytest.raises(ValueError, match="one size"):
        write_shard(path, [record(0, "a"), record(1, "b", size=(8, 8))], {})
    with pytest.raises(ValueError, match="shard name"):
        write_shard(path, [record(0, "a", "car")], {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("category", ["-dash", "with space", "ünï", "two\nlines", "a_train_000", "a.h5", "100% #1"])
def test_a_category_may_have_any_name(category, tmp_path):
    path = tmp_path / shard_name(category, "val", 0)
    write_shard(path, [record(0, "a", category)], {})
    assert find_shards(tmp_path) == [(path, category, "val")]
    assert [entry.name for entry in Database(tmp_path).objects("val")] == [f"{category}/a"]


def test_shards_are_found_in_the_order_of_their_numbers(tmp_path):
    names = [shard_name("a_val", "train", number) for number in (2, 10, 1000)]
    for name in [*names, "notes.h5", ".a_train_000.17.tmp.h5", f"._{names[0]}", "a_train_0.h5"]:
        (tmp_path / name).touch()
    assert [(path.name, category, split) for path, category, split in find_shards(tmp_path)] == [
        (name, "a_val", "train") for name in names
    ]
