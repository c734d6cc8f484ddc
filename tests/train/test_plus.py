"""The preset plus through its commands: first weights, training, resuming, evaluation, export."""

import importlib
import json

import h5py
import numpy as np
import pytest

from models.config import Config
from models.weights.efficientnet_weights import FILE
from models.weights.run import Run
from train import export_run, train_sdf

evaluation = importlib.import_module("eval.eval")
SIZES = "--img_h 32 --img_w 32 --num_classes 8 --residual_width 16 --residual_layers 2 --fourier 2 --batch_size 4"
SIZES += " --num_sample_points 64 --warm_up 0 --scored_objects 0 --cat_limit 2"  # a step an epoch
STEM = "texdisn/efficientnet_lite0/stem/kernel"


@pytest.fixture
def train(tiny_database, tmp_path, monkeypatch, eagerly):
    """A function: flags -> the run that training with them leaves."""
    monkeypatch.setattr("models.training.field_trainer.validation_preview", lambda *_: np.zeros((4, 4, 3), np.float32))

    def call(name, *flags):
        arguments = ["--log_dir", str(tmp_path / name), "--db", str(tiny_database), "--preset", "plus", *SIZES.split()]
        train_sdf.main([*arguments, *flags])
        return Run(tmp_path / name)

    return call


def weights(path, group="network"):
    with h5py.File(path) as file:
        found = {}
        file[group].visititems(lambda name, item: found.update({name: item[()]}) if hasattr(item, "dtype") else None)
        return found


@pytest.mark.slow
def test_plus_starts_from_imagenet_trains_resumes_and_is_evaluated(train, tmp_path, tiny_database, capsys):
    run = train("run", "--max_epoch", "1", "--learning_rate", "1e-6")
    assert run.load_config(Config).restore_model == "efficientnet_lite0 (encoder)"
    with np.load(FILE) as arrays:
        imagenet = arrays["stem/kernel"]
    np.testing.assert_allclose(weights(run.best)[STEM][:, :, :3], imagenet, atol=1e-3)

    again = train("run", "--max_epoch", "2")
    assert "resuming after step" in capsys.readouterr().out
    assert [row["epoch"] for row in json.loads(again.history.read_text())] == [1, 2]
    own, averaged = weights(run.last), weights(run.best)
    assert any(not np.array_equal(own[name], averaged[name]) for name in own)  # best.h5 has the averages

    export_run.main([str(run.folder), "--out", str(tmp_path / "small")])
    small = Run(tmp_path / "small")
    assert small.best.stat().st_size < 0.6 * run.best.stat().st_size
    evaluation.main(
        ["--restore_model", str(small.folder), "--db", str(tiny_database), "--views", "0", "--limit", "1"]
        + ["--sdf_res", "12", "--figure_objects", "0", "--log_dir", str(tmp_path / "eval")]
    )
    assert "prediction" in json.loads((tmp_path / "eval" / "results.json").read_text())["results"]


@pytest.mark.slow
def test_without_first_weights_the_encoder_starts_at_random(train, monkeypatch):
    monkeypatch.setattr("models.training.loop.Loop.validate", lambda _: {"loss": 1.0})
    run = train("run", "--max_epoch", "1", "--restore_modelcnn", "none")
    with np.load(FILE) as arrays:
        assert np.abs(weights(run.best)[STEM][:, :, :3] - arrays["stem/kernel"]).max() > 0.05


def test_the_preset_faithful_was_called_full_once(tmp_path):
    configs = [
        train_sdf.plan(train_sdf.build_parser().parse_args(["--log_dir", str(tmp_path), "--preset", name])).config
        for name in ("full", "faithful")
    ]
    assert configs[0] == configs[1] and configs[0].preset == "faithful"
    configs[0].save(tmp_path / "config.json")
    saved = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**saved, "preset": "full"}))
    assert Config.load(tmp_path / "config.json") == configs[0]
