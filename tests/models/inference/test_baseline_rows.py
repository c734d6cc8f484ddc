"""The baselines' scores are kept, continued where they were cut, and begun anew for other data."""

import json

import pytest

from data.shards import Database
from models.inference import baseline_rows
from models.inference.baseline_rows import Baselines
from tests.helpers import tiny
from utils.errors import UserError

NAMES = ["iou", "psnr"]


@pytest.fixture
def baselines(tiny_database, tmp_path):
    database, path = Database(tiny_database), tmp_path / "baselines.jsonl"
    return Baselines(database, database.objects("train"), database.objects("val"), tiny.config(), path)


def test_what_was_cut_is_measured_again_and_the_rest_is_not(baselines, monkeypatch):
    pairs = [(entry, view) for entry in baselines.database.objects("test") for view in (0, 2)]
    first = baselines.rows(pairs, NAMES)
    path = baselines.file
    lines = path.read_text().splitlines(keepends=True)
    assert len(lines) == 1 + 2 * len(pairs)
    path.write_text("".join(lines[:6]) + lines[6][:20])  # killed while it wrote
    measured = []
    score = baseline_rows._scores
    monkeypatch.setattr(baseline_rows, "_scores", lambda *args: measured.append(args) or score(*args))
    assert baselines.rows(pairs, NAMES) == first
    assert 0 < len(measured) < 2 * len(pairs)
    measured.clear()
    assert baselines.rows(pairs, NAMES) == first and not measured
    more = baselines.rows(pairs, [*NAMES, "psnr_ycbcr"])
    for method, rows in first.items():
        for row, other in zip(rows, more[method], strict=True):
            assert {**other, **row} == other and other["psnr_ycbcr"] > 0
    assert all(names == ["psnr_ycbcr"] for _, _, names in measured) and measured


def test_a_training_object_is_compared_with_others_only(baselines):
    entry = baselines.train[0]
    rows = baselines.rows([(entry, 0)], NAMES)
    assert rows["retrieval"][0]["nearest"] != f"{entry.category}/{entry.object_id}"
    others = [other for other in baselines.train if other != entry]
    path = baselines.file.with_name("others.jsonl")
    without = Baselines(baselines.database, others, baselines.val, baselines.config, path)
    apart = without.rows([(entry, 0)], NAMES)["retrieval"]
    assert apart == rows["retrieval"]


@pytest.mark.parametrize("count", [0, 1])
def test_without_another_training_object_the_baselines_fail_and_do_not_end_it(count, baselines):
    """Of a database of one object, and of a category that is there for tests alone."""
    train = baselines.train[:count]
    alone = Baselines(baselines.database, train, [], baselines.config, baselines.file)
    entries = [*train, *([] if count else baselines.database.objects("test")[:1])]
    rows = alone.rows([(entry, view) for entry in entries for view in (0, 1)], NAMES)
    for method in ("mean shape", "retrieval"):
        assert len(rows[method]) == 2
        assert all(row["failed"].startswith("no other training object") and row["iou"] == 0 for row in rows[method])


def test_other_training_objects_begin_anew(baselines):
    pairs = [(baselines.database.objects("test")[0], 0)]
    first = baselines.rows(pairs, NAMES)["retrieval"][0]
    kept = [e for e in baselines.train if f"{e.category}/{e.object_id}" != first["nearest"]]
    fewer = Baselines(baselines.database, kept, baselines.val, baselines.config, baselines.file)
    assert fewer.rows(pairs, NAMES)["retrieval"][0]["nearest"] != first["nearest"]
    assert baselines.rows(pairs, NAMES)["retrieval"][0] == first


def test_a_damaged_file_is_named(baselines):
    pairs = [(baselines.database.objects("test")[0], 0)]
    baselines.rows(pairs, NAMES)
    path = baselines.file
    heading = path.read_text().splitlines()[0]
    for line in ("{}", "[1]", "{", json.dumps({"method": "retrieval"})):
        path.write_text(f"{heading}\n{line}\n")
        with pytest.raises(UserError, match="baselines.jsonl is damaged"):
            baselines.rows(pairs, NAMES)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"iou": ', b'"iou": "x", "i": '),
        (b'"iou": ', b'"iou": NaN, "i": '),
        (b'"psnr": ', b'"psnr": 1e999, "p": '),
        (b'"nearest"', b'"nearost"'),
        (b'"nearest": "', b'"nearest": "no/'),
        (b"box", b"b\xffx"),
    ],
)
def test_damaged_values_are_named(baselines, old, new):
    pairs = [(baselines.database.objects("test")[0], 0)]
    baselines.rows(pairs, NAMES)
    path = baselines.file
    path.write_bytes(path.read_bytes().replace(old, new))
    with pytest.raises(UserError, match="baselines.jsonl is damaged"):
        baselines.rows(pairs, NAMES)


def test_a_view_that_cannot_be_read_fails_until_it_can(baselines, monkeypatch):
    entry, image = baselines.database.objects("test")[0], Database.image
    pairs = [(entry, 0), (entry, 1)]

    def unreadable(database, entry, view):
        if (entry, view) == pairs[0]:
            raise UserError("damaged")
        return image(database, entry, view)

    with monkeypatch.context() as patch:
        patch.setattr(Database, "image", unreadable)
        rows = baselines.rows(pairs, NAMES)
        assert baselines.rows(pairs[:1], NAMES)["retrieval"] == rows["retrieval"][:1]
    assert [(row["failed"], row["psnr"] > 0) for row in rows["retrieval"]] == [("damaged", False), (None, True)]
    assert all(row["failed"] is None for row in rows["mean shape"])  # it sees no view
    again = baselines.rows(pairs, NAMES)
    assert all(row["failed"] is None and row["psnr"] > 0 for row in again["retrieval"])
    assert again["retrieval"][1] == rows["retrieval"][1]
