"""Objects belong to the first data set with a pattern of their name."""

import json
import pathlib

import pytest

from data import data_sets
from utils.errors import UserError

PRETRAINED = pathlib.Path(__file__).parents[2] / "models" / "pretrained"


def test_the_first_pattern_that_matches_counts(tmp_path):
    path = tmp_path / "names.json"
    path.write_text(json.dumps({"made": ["car/car_[0-9]*"], "cars": ["car/*"], "rest": ["*_x"]}))
    known = data_sets.find_data_sets(tmp_path, path)
    assert known.of("car", "car_12") == "made" and known.of("car", "fiat") == "cars"
    assert known.of("chair", "a_x") == "rest" and known.of("chair", "car_12") == data_sets.OTHER


def test_the_database_may_have_its_own(tmp_path):
    assert data_sets.find_data_sets(tmp_path) is None
    (tmp_path / data_sets.FILE).write_text('{"all": ["*"]}')
    assert data_sets.find_data_sets(tmp_path).of("a", "b") == "all"
    with pytest.raises(UserError, match="elsewhere.json is missing"):
        data_sets.find_data_sets(tmp_path, tmp_path / "elsewhere.json")


@pytest.mark.parametrize("content", ["[]", "{}", '{"a": "x"}', '{"a": [1]}'])
def test_other_files_are_refused(content, tmp_path):
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(UserError, match=r"x\.json names no data sets"):
        data_sets.read_data_sets(tmp_path / "x.json")


def test_those_of_the_pretrained_weights_are_the_card_s():
    known = data_sets.read_data_sets(PRETRAINED / "data_sets.json")
    split = json.loads((PRETRAINED / "split.json").read_text())
    counts = {}
    for name, objects in split.items():
        for each in objects:
            key = (known.of(*each.split("/")), name)
            counts[key] = counts.get(key, 0) + 1
    card = (PRETRAINED / "MODEL_CARD.md").read_text()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in card.splitlines() if line.startswith("| ")]
    for data_set in ("furniture", "Kenney", "synthetic"):
        row = next(row for row in rows if row[0].startswith(data_set) and row[-1].isdigit())
        assert row[1:] == [str(counts[data_set, name]) for name in ("train", "val", "test")]
