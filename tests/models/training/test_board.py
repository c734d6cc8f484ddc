"""What TensorBoard shows of a run, read from its own files."""

import collections

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.util import tensor_util

from models.training.board import Board
from models.training.trainer import Look
from tests.helpers import tiny
from tests.helpers.point_network import take_the_place
from train import train_sdf


def events(folder):
    """{tag: {step: value}} of all event files of a folder."""
    found = collections.defaultdict(dict)
    for path in sorted(folder.glob("events*")):
        for event in EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                found[value.tag][event.step] = tensor_util.make_ndarray(value.tensor)
    return found


def test_a_worker_that_is_not_the_chief_writes_nothing(tmp_path):
    board = Board(tmp_path / "board", active=False)
    board.scalars("train", {"loss": 1.0}, 1)
    board.picture("val", "picture", np.zeros((4, 4, 3)), 1)
    board.configuration(tiny.config(), 1)
    board.flush()
    assert not (tmp_path / "board").exists()


@pytest.mark.slow
def test_a_run_shows_its_settings_rates_and_objects_from_the_first_step(tiny_database, tmp_path, monkeypatch, eagerly):
    looks = []

    def look(trainer, database, entries):
        looks.append(int(trainer.optimizer.iterations))
        return Look(np.full((4, 6, 3), 0.5, np.float32), {"volume_iou": 0.25 + 0.01 * len(looks), "f_score_2": 0.5})

    take_the_place(monkeypatch.setattr)
    monkeypatch.setattr("models.training.field_trainer.FieldTrainer.look", look)
    flags = ["--log_dir", str(tmp_path / "run"), "--db", str(tiny_database)]
    train_sdf.main(
        [
            *flags,
            *tiny.flags(tiny.config(scored_objects=1)),
            "--learning_rate",
            "0.002",
            "--decay_step",
            "20",
            "--decay_rate",
            "0.5",
        ]
    )
    train, val = (events(tmp_path / "run" / "tensorboard" / name) for name in ("train", "val"))
    text = train["configuration"][0].item().decode()
    assert "| learning_rate | 0.002 |" in text and "| encoder_widths | 4,4,8,8,8 |" in text
    steps = 24 // 4  # eight objects, three views
    assert list(val["objects/volume_iou"]) == list(val["objects/f_score_2"]) == [0, steps, 2 * steps] == looks
    assert val["objects/volume_iou"][steps] == pytest.approx(0.27)
    assert list(val["input, prediction, truth"]) == [0, steps, 2 * steps]
    # the tenth step has seen 36 samples before: one halving
    assert train["learning_rate"] == {10: pytest.approx(0.001)}
    assert train["gradient_norm"][10] > 0 and np.isfinite(train["gradient_norm"][10])
