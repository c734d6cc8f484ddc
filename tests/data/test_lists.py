"""Splits: from lists in a folder of their own, from lists beside the data, and by hash."""

import pytest

from data.lists import hash_split, read_list, split_objects
from utils.errors import UserError

SHARES = {"train": 0.7, "val": 0.1, "test": 0.2}
IDS = [f"object {number}" for number in range(20)]


def write_lists(folder, category="chair", **ids):
    folder.mkdir(exist_ok=True)
    for split, object_ids in ids.items():
        (folder / f"{split}_list_{category}.txt").write_text("\n".join(object_ids) + "\n")


@pytest.mark.parametrize("count", range(40))
def test_hash_split_is_a_partition_of_the_right_sizes(count):
    ids = [f"o{number}" for number in range(count)]
    split = hash_split(ids, SHARES)
    assert sorted(sum(split.values(), [])) == sorted(ids)
    assert hash_split(ids[::-1], SHARES) == split
    if count >= 3:
        assert all(split.values())
    assert abs(len(split["test"]) - 0.2 * count) <= 1
    assert abs(len(split["val"]) - 0.1 * count) <= 1
    assert len(split["train"]) >= 0.7 * count - 1.5


def test_hash_split_is_known():
    """Sorted by sha256 the ids are d (18ac...), b (3e23...), c (2e7d...), a (ca97...)."""
    assert hash_split(["a", "b", "c", "d"], SHARES) == {"train": ["d", "c"], "val": ["b"], "test": ["a"]}


def test_hash_split_without_validation():
    split = hash_split(IDS, {"train": 0.5, "val": 0, "test": 0.5})
    assert [len(split[name]) for name in ("train", "val", "test")] == [10, 0, 10]


@pytest.mark.parametrize("listed", [False, True])
def test_stretched_copies_are_for_training_with_their_object(listed, tmp_path):
    """Else a network would be evaluated on objects that it has seen in other proportions."""
    copies = [f"{object_id}_stretched{number}" for object_id in IDS for number in (1, 2)]
    if listed:  # DISN's lists, which have no validation
        (tmp_path / "chair_train.lst").write_text("\n".join([*IDS, *copies]))
        (tmp_path / "chair_test.lst").write_text("")
    plain = split_objects("chair", IDS, tmp_path, None, SHARES)
    lists = split_objects("chair", [*IDS, *copies], tmp_path, None, SHARES)
    assert [object_id for object_id in lists.ids["train"] if object_id in IDS] == plain.ids["train"]
    assert all(lists.ids[split] == plain.ids[split] for split in ("val", "test"))
    assert len(lists.ids["train"]) == 3 * len(plain.ids["train"]) < 3 * len(IDS)
    for object_id in plain.ids["train"]:
        assert {f"{object_id}_stretched1", f"{object_id}_stretched2"} <= set(lists.ids["train"])
    assert lists.unlisted == (0 if listed else 2 * (len(IDS) - len(plain.ids["train"])))


def test_lists_are_read_tolerantly(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes("\ufeffb\r\n\r\n# comment\r\n  a  \r\nc # why\r\nb\r\n".encode())
    assert read_list(path) == ["b", "a", "c"]
    assert read_list(path, {"c # why", "a", "c"}) == ["b", "a", "c # why"]
    for encoding in ("utf-16", "utf-32"):  # PowerShell's > writes the former
        path.write_bytes("b\r\n\r\n# comment\r\n  a  \r\né # why\r\n".encode(encoding))
        assert read_list(path) == ["b", "a", "é"]
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="list.txt"):
        read_list(path)


@pytest.mark.parametrize(
    ("category", "name"), [("chair", "03001627"), ("03001627", "chair"), ("chair", "chair"), ("sofa", "sofa")]
)
def test_names_and_synsets_are_the_same_lists(tmp_path, category, name):
    write_lists(tmp_path, name, train=IDS[:3], val=IDS[3:4], test=IDS[4:6])
    lists = split_objects(category, IDS, tmp_path, None, SHARES)
    assert lists.ids == {"train": IDS[:3], "val": IDS[3:4], "test": IDS[4:6]}
    assert (lists.absent, lists.unlisted) == ([], 14)


def test_lists_of_a_folder_take_precedence_over_those_beside_the_data(tmp_path):
    write_lists(tmp_path / "raw", train=IDS[:3], val=IDS[3:4], test=IDS[4:6])
    write_lists(tmp_path / "lists", train=[*IDS[6:8], "gone"], val=[], test=["lost"])
    lists = split_objects("chair", IDS, tmp_path / "raw", tmp_path / "lists", SHARES)
    assert lists.ids == {"train": IDS[6:8], "val": [], "test": []}
    assert lists.absent == ["gone", "lost"]


def test_without_lists_the_split_is_by_hash(tmp_path):
    lists = split_objects("chair", IDS, tmp_path, None, SHARES)
    assert lists.ids == {split: sorted(ids) for split, ids in hash_split(IDS, SHARES).items()}


def test_missing_lists_are_named(tmp_path):
    with pytest.raises(UserError, match=r"train_list_chair.txt or train_list_03001627.txt is missing"):
        split_objects("chair", IDS, tmp_path, tmp_path, SHARES)
    write_lists(tmp_path, train=IDS[:3], test=IDS[4:6])  # one of three beside the data: all must be there
    with pytest.raises(UserError, match="val_list_chair.txt"):
        split_objects("chair", IDS, tmp_path, None, SHARES)


def test_contradicting_lists(tmp_path):
    write_lists(tmp_path, train=IDS[:3], val=IDS[2:4], test=IDS[4:6])
    with pytest.raises(UserError, match="object 2 is in two lists, .*train_list_chair.txt and .*val_list_chair.txt"):
        split_objects("chair", IDS, tmp_path, None, SHARES)
    write_lists(tmp_path, "03001627", val=IDS[3:4])
    with pytest.raises(UserError, match="same category"):
        split_objects("chair", IDS, tmp_path, None, SHARES)


def test_disn_lists(tmp_path):
    """They are called <category>_<split>.lst; a share of the training ids is for validation."""
    (tmp_path / "03001627_train.lst").write_text("\n".join(IDS[:16]) + "\n")
    (tmp_path / "03001627_test.lst").write_text("\r\n".join(IDS[16:]) + "\r\n")
    lists = split_objects("chair", IDS, "nowhere", tmp_path, SHARES)
    assert lists.ids["test"] == sorted(IDS[16:])
    assert sorted(lists.ids["train"] + lists.ids["val"]) == sorted(IDS[:16])
    assert len(lists.ids["val"]) == 2 and "by hash" in lists.source  # a share of 0.1 / 0.8
    (tmp_path / "03001627_val.lst").write_text(IDS[0])
    with pytest.raises(UserError, match=f"{IDS[0]} is in two lists"):
        split_objects("chair", IDS, "nowhere", tmp_path, SHARES)
    (tmp_path / "03001627_train.lst").unlink()
    with pytest.raises(UserError, match="is missing"):
        split_objects("chair", IDS, "nowhere", tmp_path, SHARES)
