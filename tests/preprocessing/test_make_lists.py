"""Splits in which variants of one model stay on one side."""

import json
import shutil

import h5py
import numpy as np
import pytest

from data.lists import split_objects
from data.raw_layout import RawObject
from data.shard_format import SPLITS
from preprocessing import make_lists
from preprocessing.splitting.group_split import split_groups
from preprocessing.splitting.near_duplicates import near_duplicates, stem
from utils.errors import UserError

SHARES = {"train": 0.7, "val": 0.1, "test": 0.2}


def sphere(rng, count=16384, radii=(0.5, 0.5, 0.5)):
    directions = rng.standard_normal((count, 3))
    return directions / np.linalg.norm(directions, axis=1, keepdims=True) * radii


def box(rng, count=16384, half=(0.5, 0.5, 0.5)):
    points = rng.uniform(-1, 1, (count, 3))
    axis = rng.integers(3, size=count)
    points[np.arange(count), axis] = np.sign(points[np.arange(count), axis])
    return points * half


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("chair/chair_02", "chair/chair_10", True),
        ("chair/chair2a", "chair/chair2b", True),
        ("chair/chair_02", "table/chair_02", False),
        ("chair/armchair", "chair/chair", False),
        ("car/Sedan-1", "car/sedan-2", True),
        ("other/plantSmall1", "other/plantSmall2", True),
        ("chair/stool", "chair/stool_stretched2", True),
        ("chair/stool_stretched1", "chair/chair_stretched1", False),
    ],
)
def test_names_that_differ_in_numbers_alone_have_one_stem(a, b, same):
    assert (stem(a) == stem(b)) == same


def test_shapes_that_nearly_agree_are_in_one_group_and_chains_join(rng):
    names = ["a/ball", "a/globe", "b/cube", "a/rod", "c/stick", "c/pole"]
    shapes = [sphere(rng), sphere(rng, radii=(0.5, 0.495, 0.5)), box(rng)]
    shapes += [box(rng, half=(0.5, 0.05 + 0.012 * i, 0.05)) for i in range(3)]
    groups = near_duplicates(names, shapes)
    assert groups[0] == groups[1] and groups[2] not in groups[:2]  # a cube has the extent of a ball, not its shape
    assert len(set(groups[3:])) == 1 and groups[3] not in groups[:3]
    assert groups[3] != near_duplicates([names[3], names[5]], [shapes[3], box(rng, half=(0.5, 0.1, 0.05))])[1]
    order = rng.permutation(6)
    again = near_duplicates([names[i] for i in order], [shapes[i] for i in order])
    for i in range(6):
        for j in range(6):
            assert (groups[order[i]] == groups[order[j]]) == (again[i] == again[j])
    assert len(near_duplicates([], [])) == 0


@pytest.mark.parametrize("count", [300, 4096, 16384])
def test_copies_are_in_one_group_however_few_points_their_surfaces_have(rng, count):
    planks = [(0, y) for y in np.linspace(-0.49, 0.49, 12)]  # of a shelf, whose surface is large

    def shelf():
        rows = np.array(planks)[rng.integers(len(planks), size=count)]
        return box(rng, count, (0.35, 0.01, 0.25)) + np.stack([rows[:, 0], rows[:, 1], rows[:, 0]], 1)

    shapes = [shelf(), shelf(), box(rng, count), box(rng, count), sphere(rng, count)]
    assert near_duplicates([f"a/{word}" for word in "pqrst"], shapes).tolist() == [0, 0, 1, 1, 2]


def test_numbers_that_count_a_collection_group_nothing(rng):
    """Else a folder 0001, 0002, ... would be for training alone."""
    ids = [f"chair/{i:04d}" for i in range(40)] + ["chair/desk_1", "chair/desk_2", "chair/0007_stretched1"]
    radii = [*rng.uniform(0.1, 0.5, (42, 3)), (0.5, 0.5, 0.5)]
    shapes = [sphere(rng, 500, r / np.max(r)) for r in radii]
    groups = near_duplicates(ids, shapes)
    assert groups[40] == groups[41] and groups[42] == groups[7]  # two of 42 are variants, 40 are not
    assert len(set(groups)) > 30
    assert {"train", "val", "test"} == set(split_groups(ids, groups, SHARES))


def test_pairs_of_a_small_set_are_variants_and_every_split_has_objects(rng):
    ids = [f"chair/{chr(97 + i // 2)}_{i % 2}" for i in range(20)]
    groups = near_duplicates(ids, [sphere(rng, 500, r / np.max(r)) for r in rng.uniform(0.1, 0.5, (20, 3))])
    splits = split_groups(ids, groups, SHARES)
    assert (groups[::2] == groups[1::2]).all() and len(set(groups)) > 5
    assert splits[::2] == splits[1::2] and {"train", "val", "test"} == set(splits)


def test_groups_stay_together_and_the_shares_are_kept(rng):
    ids = [f"chair/{word}" for word in rng.permutation(300)]
    groups = rng.integers(0, 120, 300)
    splits = split_groups(ids, groups, SHARES)
    for group in range(120):
        assert len({split for split, own in zip(splits, groups, strict=True) if own == group}) <= 1
    for split in SPLITS:
        assert abs(splits.count(split) / 300 - SHARES[split]) < 0.03
    order = rng.permutation(300)
    again = split_groups([ids[i] for i in order], groups[order], SHARES)
    assert [again[list(order).index(i)] for i in range(300)] == splits


def test_a_group_that_is_most_of_a_split_is_for_training(rng):
    ids, groups = [f"a/{i}" for i in range(50)], np.r_[np.zeros(20, int), np.arange(1, 31)]
    splits = split_groups(ids, groups, SHARES)
    assert set(splits[:20]) == {"train"} and splits.count("test") == 10


def test_few_objects_have_all_splits_too():
    """Else a training on the lists of three or four objects would find none to validate on."""
    for count in range(3, 12):
        splits = split_groups([f"chair/{'abcdefghijkl'[i]}" for i in range(count)], np.arange(count), SHARES)
        assert set(splits) == set(SPLITS) and splits.count("train") >= splits.count("test") >= splits.count("val")
    ids = ["chair/a", "chair/b", "chair/c"]
    assert set(split_groups(ids[:2], np.arange(2), SHARES)) == {"train"}
    assert set(split_groups(ids, np.arange(3), {"val": 0, "test": 0})) == {"train"}
    assert set(split_groups(ids, np.zeros(3, int), SHARES)) == {"train"}  # one group, whose room is one object


def test_stretched_copies_change_no_split():
    ids = [f"chair/{letter}" for letter in "abcdefghij"]
    splits = split_groups(ids, np.arange(10), SHARES)
    assert (splits.count("val"), splits.count("test")) == (1, 2)
    copies = [f"{object_id}_stretched{i}" for object_id in ids for i in range(1, 5)]
    again = split_groups([*ids, *copies], np.r_[np.arange(10), np.repeat(np.arange(10), 4)], SHARES)
    assert again == [*splits, *np.repeat(splits, 4)]


def write_raw(root, category, object_id, points):
    raw = RawObject(root, category, object_id)
    raw.views_folder.mkdir(parents=True)
    raw.surface.parent.mkdir()
    with h5py.File(raw.surface, "w") as file:
        file["points"] = points


@pytest.mark.parametrize("categories", [["chair"], ["03001627"], ["chair", "03001627"]])
def test_every_object_is_listed_once_whatever_its_name_and_the_spelling_of_its_category(rng, tmp_path, categories):
    words = ["oak #1", "#elm", " fir", "yew ", "box\u2028", "ash", "fig", "date", "kiwi", "lime"]
    for i, word in enumerate(words):
        write_raw(tmp_path, categories[i % len(categories)], word, box(rng, 500, (0.5, 0.5 - 0.04 * i, 0.3)))
    for split in SPLITS:  # of an earlier version
        (tmp_path / f"{split}_list_03001627.txt").touch()
    make_lists.main(["--raw", str(tmp_path)])
    lists = split_objects("chair", words, tmp_path, None, SHARES)
    assert sorted(sum(lists.ids.values(), [])) == sorted(words) and not lists.absent and all(lists.ids.values())
    assert len(list(tmp_path.glob("*.txt"))) == 3


@pytest.mark.parametrize("name", ["ball_train.lst", "ball_val.lst", "03001627_test.lst", "chair_test.lst"])
def test_lists_that_gen_db_would_refuse_are_not_written(rng, tmp_path, name):
    write_raw(tmp_path, "ball", "a", sphere(rng, 500))
    write_raw(tmp_path, "chair", "b", box(rng, 500))
    (tmp_path / name).write_text("a\n")
    with pytest.raises(UserError, match=f"{name} is a list of the same category: remove it, or give another --out"):
        make_lists.main(["--raw", str(tmp_path)])
    assert not list(tmp_path.glob("*.txt")) and (tmp_path / name).read_text() == "a\n"
    make_lists.main(["--raw", str(tmp_path), "--out", str(tmp_path / "l")])
    assert split_objects("ball", ["a"], tmp_path, tmp_path / "l", SHARES).unlisted == 0
    write_raw(tmp_path, "chair", "two\nlines", box(rng, 500))
    with pytest.raises(UserError, match=r"two\\nlines.*: lists cannot hold a name with a line break: rename it"):
        make_lists.main(["--raw", str(tmp_path), "--out", str(tmp_path / "l")])


def test_the_lists_are_those_that_gen_db_reads(rng, tmp_path):
    for category in ("ball", "box"):
        for i in range(8):
            raw = RawObject(tmp_path, category, f"{chr(97 + i)}{category}")
            raw.views_folder.mkdir(parents=True)
            raw.surface.parent.mkdir(parents=True, exist_ok=True)
            radii = (0.5, 0.5 - 0.05 * i, 0.5 - 0.02 * i)
            with h5py.File(raw.surface, "w") as file:
                file["points"] = sphere(rng, 500, radii) if category == "ball" else box(rng, 500, radii)
    make_lists.main(["--raw", str(tmp_path)])
    for category in ("ball", "box"):
        ids = [f"{chr(97 + i)}{category}" for i in range(8)]
        lists = split_objects(category, ids, tmp_path, None, SHARES)
        assert sorted(sum(lists.ids.values(), [])) == ids and not lists.absent and str(tmp_path) in lists.source
    for object_id in ("aball", "cball"):
        shutil.copytree(tmp_path / "ball" / object_id, tmp_path / "ball" / f"{object_id}_stretched1")
    with pytest.raises(UserError, match="leave nothing for training"):
        make_lists.main(["--raw", str(tmp_path), "--test", "0.7", "--val", "0.3"])
    with pytest.raises(UserError, match="--val 0.2 would do nothing: --given decides"):
        make_lists.main(["--raw", str(tmp_path), "--given", "split.json", "--val", "0.2"])
    given = {"train": ["ball/aball", "box/abox"], "val": ["box/bbox"], "test": ["ball/cball", "ball/elsewhere"]}
    (tmp_path / "split.json").write_text(json.dumps(given))
    make_lists.main(["--raw", str(tmp_path), "--out", str(tmp_path / "l"), "--given", str(tmp_path / "split.json")])
    ids = [*(f"{chr(97 + i)}ball" for i in range(8)), "aball_stretched1", "cball_stretched1"]
    lists = split_objects("ball", ids, tmp_path, tmp_path / "l", SHARES)
    assert lists.ids == {"train": ["aball", "aball_stretched1"], "val": [], "test": ["cball"]} and lists.unlisted == 7
    (tmp_path / "split.json").write_text(json.dumps({"train": ["ball/aball"]}))
    make_lists.main(["--raw", str(tmp_path), "--out", str(tmp_path / "l"), "--given", str(tmp_path / "split.json")])
    boxes = split_objects("box", [f"{chr(97 + i)}box" for i in range(8)], tmp_path, None, SHARES)
    assert sum(map(len, boxes.ids.values())) == 8  # by hash, where the category has no lists
    boxes = split_objects("box", [f"{chr(97 + i)}box" for i in range(8)], tmp_path / "l", None, SHARES)
    assert not any(boxes.ids.values()) and boxes.unlisted == 8
    for wrong in ("[]", '{"training": []}', '{"train": ["a/b"], "val": ["a/b"]}', '{"train": ["a/b"]}'):
        (tmp_path / "split.json").write_text(wrong)
        with pytest.raises(UserError, match="split.json"):
            make_lists.main(["--raw", str(tmp_path), "--given", str(tmp_path / "split.json")])
    (tmp_path / "ball" / "aball" / "models" / "surface.h5").write_bytes(b"")
    with pytest.raises(UserError, match="aball.*render the object again"):
        make_lists.main(["--raw", str(tmp_path)])
