"""The rows of the table of what each part of `plus` contributes."""

import dataclasses

import pytest

from benchmarks.ablation import PLUS, ROWS, WEIGHT_DECAY, plan_of
from models.presets import preset
from models.training.flags import FirstWeights
from train import train_sdf


@pytest.fixture
def config_of(tmp_path, monkeypatch):
    """A function: the flags of a row -> its configuration; no weights are opened."""
    weights = FirstWeights("none", False, {}, None, lambda network: None)
    monkeypatch.setattr(train_sdf, "open_weights", lambda source, whole: weights)
    return lambda flags: plan_of(flags, str(tmp_path), tmp_path / "run", 10.0).config


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_row_can_be_trained_and_differs_from_the_preset_in_what_it_names(row, config_of):
    ours, plus = config_of(row.flags), config_of(PLUS)
    is_plus = ours.preset == "plus"
    assert ours.weight_decay == (WEIGHT_DECAY if is_plus else preset("small").weight_decay)
    assert (ours.max_minutes, ours.img_h, ours.num_sample_points) == (10.0, 96, 256)
    assert (dataclasses.asdict(ours) == dataclasses.asdict(plus)) == (row.flags == PLUS)
