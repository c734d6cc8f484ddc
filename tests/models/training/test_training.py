"""Training: it learns, resumes as if it had never stopped, and stops with a reason."""

import dataclasses
import itertools
import json
import pathlib
import re
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf

from data.field_samples import FieldSamples
from data.pipeline import epoch_order
from data.raw_layout import render_settings
from data.shards import Database
from models.config import Config
from models.networks.texdisn import build_field_network
from models.presets import preset
from models.settings import handed_on
from models.training.field_trainer import FieldTrainer
from models.training.flags import FirstWeights, plan
from models.training.loop import Loop
from models.training.validation_scores import Scores
from models.weights.run import Run, save_checkpoint
from tests.helpers import tiny
from tests.helpers.point_network import take_the_place
from tests.helpers.tiny import stored
from train import train_sdf
from utils import signals
from utils.errors import UserError
from utils.files import write_json

ROOT = pathlib.Path(__file__).parents[3]


def loop(config, database, folder):
    """A loop as train_sdf makes it, deterministic: sums are taken in one order.

    It validates on one object.
    """
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(config.seed)
    trainer = FieldTrainer(config, tf.distribute.get_strategy())
    folder = Run(folder)
    config.save(folder.config)
    data = Database(database)
    return Loop(
        trainer,
        folder,
        FieldSamples(data, config),
        data.objects("train"),
        data.objects("val")[:1],
        checkpoint_minutes=1e9,
    )


@pytest.mark.slow
def test_killed_and_resumed_equals_uninterrupted(tiny_database, tmp_path, monkeypatch, eagerly):
    take_the_place(monkeypatch.setattr)
    config = tiny.config(augcolorfore=True, normalisation=True, cat_limit=6)
    loop(config, tiny_database, tmp_path / "whole").run()

    class Killed(Exception):
        pass

    def dying_after(calls, function):
        left = [calls]

        def dying(*args):
            if not left[0]:
                raise Killed
            left[0] -= 1
            return function(*args)

        return dying

    # killed in the midst of the first epoch, and at its end before the validation is done
    for number, expected in (2, 0), (0, 2):
        training = loop(config, tiny_database, tmp_path / "parts")
        training.checkpoint_minutes = 0  # a checkpoint after every step
        if number != 2:
            training.resume()
        assert training.progress["step"] == expected
        if number:
            training.trainer.train_step = dying_after(number, training.trainer.train_step)
        else:
            training.validate = dying_after(0, training.validate)
        with pytest.raises(Killed):
            training.run()
    last = loop(config, tiny_database, tmp_path / "parts")
    last.resume()
    assert last.progress["step"] == 2  # the third step is saved with the end of its epoch
    last.run()
    for name in ("last.h5", "best.h5"):
        (whole, progress), (parts, resumed) = (stored(tmp_path / run / name) for run in ("whole", "parts"))
        assert whole.keys() == parts.keys() and any("optimizer" in key for key in whole) == (name == "last.h5")
        for key, value in whole.items():
            np.testing.assert_allclose(parts[key], value, rtol=1e-5, atol=1e-7, err_msg=key)
        assert progress["step"] == resumed["step"] == 6 or name == "best.h5"
    histories = [json.loads((tmp_path / run / "history.json").read_text()) for run in ("whole", "parts")]
    for a, b in zip(*histories, strict=True):
        assert np.isclose(a["train"]["loss"], b["train"]["loss"], rtol=1e-5) and np.isclose(
            a["val"]["loss"], b["val"]["loss"], rtol=1e-5
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("function", "before", "after"), [("train_step", 1, 2), ("train_step", 2, 3), ("validation_step", 3, 3)]
)
def test_a_stop_loses_no_step(function, before, after, tiny_database, tmp_path, monkeypatch, eagerly):
    """In the midst of an epoch of three steps, in its last one, in the validation after it."""
    take_the_place(monkeypatch.setattr)
    training = loop(tiny.config(cat_limit=6), tiny_database, tmp_path / "run")
    step, signals_left = getattr(training.trainer, function), [signal.SIGTERM]

    def stopped(*args):
        if signals_left and training.progress["step"] == before:
            signal.raise_signal(signals_left.pop())
        return step(*args)

    setattr(training.trainer, function, stopped)
    previous = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        with pytest.raises(signals.Stopped), signals.stopped_by_signals():
            training.run()
    finally:
        signal.signal(signal.SIGTERM, previous)
    again = loop(tiny.config(cat_limit=6), tiny_database, tmp_path / "run")
    again.resume()
    assert again.progress["step"] == training.progress["step"] == after
    assert len(again.history) == after // 3


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    """They and the scores of objects take most of the time of a short run."""
    monkeypatch.setattr("models.training.field_trainer.validation_preview", lambda *_: np.zeros((4, 4, 3), np.float32))
    monkeypatch.setattr("models.training.field_trainer.validation_scores", lambda *_: Scores(0.0, {}))


@pytest.mark.slow
@pytest.mark.parametrize("binary", [True, False])
def test_it_learns(binary, tiny_database, tmp_path):
    config = tiny.config(binary, max_epoch=25, learning_rate=3e-3, decoder="onestream")
    training = loop(config, tiny_database, tmp_path / "run")
    training.save = lambda: None  # half of the time
    training.run()
    rows = training.history
    # without learning: accuracy 0.5 and a cross-entropy of 100 x ln 2
    assert rows[-1]["train"]["geometry"] < (60 if binary else 0.6 * rows[0]["train"]["geometry"])
    assert rows[-1]["train"]["accuracy"] > 0.65
    assert list((tmp_path / "run" / "tensorboard").glob("val/events*"))
    best = min(row["val"]["loss"] for row in rows)
    assert np.isclose(stored(tmp_path / "run" / "best.h5")[1]["best"], best)


def test_nan_stops_with_the_objects_of_the_batch_and_leaves_the_checkpoint(tiny_database, tmp_path):
    training = loop(tiny.config(max_epoch=1), tiny_database, tmp_path / "run")
    training.save()
    before = (tmp_path / "run" / "last.h5").read_bytes()
    kernel = training.trainer.network.streams[1].geometry_out.kernel
    kernel.assign(np.full(kernel.shape, np.nan))
    with pytest.raises(
        UserError, match=r"not finite at step 1 \(loss, geometry.*\); the batch was: .*(box|crate)/\w+train\d view \d"
    ):
        training.run()
    assert (tmp_path / "run" / "last.h5").read_bytes() == before


def test_a_shard_that_breaks_during_training_stops_it_in_one_line(tiny_database, tmp_path, monkeypatch):
    training = loop(tiny.config(max_epoch=1), tiny_database, tmp_path / "run")

    def broken(entry, view):
        raise UserError("some_shard.h5 cannot be read")

    monkeypatch.setattr(training.samples.database, "image", broken)
    with pytest.raises(UserError, match="a training sample cannot be read: .*some_shard.h5 cannot be read") as error:
        training.run()
    assert "\n" not in str(error.value)


def planned(*extra):
    return train_sdf.plan(flags(*extra))


def flags(*extra):
    return train_sdf.build_parser().parse_args(["--log_dir", *map(str, extra)])


def test_flags_become_the_configuration(tmp_path):
    plan = planned(tmp_path, "--preset", "small", "--no-binary", "--batch_size", 3, "--alpha")
    config, resumed = plan.config, plan.resumed
    assert config.preset == "small"
    assert not resumed and not config.binary and config.batch_size == 3 and config.alpha and config.normalisation
    config = planned(tmp_path).config
    assert (
        config.binary and config.batch_size == 20 and config.encoder_widths[-1] == 512 and config.learning_rate == 1e-4
    )


def test_resume_keeps_the_settings_and_refuses_others(tmp_path):
    config = planned(tmp_path, "--preset", "small", "--batch_size", 3).config
    run = Run(tmp_path)
    config.save(run.config)
    run.last.write_bytes(b"")
    again = planned(tmp_path, "--preset", "small", "--batch_size", 3, "--max_epoch", 7)
    assert again.resumed and again.config == dataclasses.replace(config, max_epoch=7)
    assert planned(tmp_path).resumed and planned(tmp_path).config == config
    with pytest.raises(UserError, match="preset small -> faithful"):
        planned(tmp_path, "--preset", "full")
    with pytest.raises(UserError, match="batch_size 3 -> 4"):
        planned(tmp_path, "--preset", "small", "--batch_size", 4)
    with pytest.raises(UserError, match="the run would resume from it"):
        planned(tmp_path, "--preset", "small", "--batch_size", 3, "--restore_model", tmp_path)
    dataclasses.replace(config, restore_model=str(tmp_path)).save(run.config)  # the command that began it resumes it
    assert planned(tmp_path, "--preset", "small", "--batch_size", 3, "--restore_model", tmp_path).resumed
    with pytest.raises(UserError, match="normalisation would do nothing"):
        planned(tmp_path / "new", "--preset", "plus", "--normalisation")


def test_sizes_are_flags(tmp_path):
    given = {
        "encoder_widths": (4, 8, 8, 8, 8),
        "encoder_convs": (1, 1, 2, 1, 1),
        "point_widths": (8, 16, 8),
        "decoder_widths": (16, 8),
    }
    text = [word for name, value in given.items() for word in (f"--{name}", ",".join(map(str, value)))]
    config = planned(tmp_path, *text, "--encoder_size", 64, "--encoder_fc", 24, "--num_classes", 12).config
    assert {name: getattr(config, name) for name in given} == given
    network = build_field_network(config)
    global_feature, maps = network.encode(np.zeros((1, config.img_h, config.img_w, 3), np.float32))
    assert global_feature.shape == (1, 12) and [m.shape[1:] for m in maps] == [
        (64 >> i, 64 >> i, w) for i, w in enumerate((4, 8, 8, 8, 8))
    ]
    assert network.encoder.fc7.filters == 24 and len(network.streams[1].fold1) == 3


WRONG_SIZES = {"--encoder_widths": "4,8", "--decoder_widths": "16,0", "--encoder_size": 100}


@pytest.mark.parametrize("bad", WRONG_SIZES.items())
def test_sizes_that_make_no_network_are_refused(bad, tmp_path):
    with pytest.raises(UserError, match=bad[0].removeprefix("--")):
        planned(tmp_path, *bad)


WRONG = {
    "--batch_size": 0,
    "--learning_rate": "nan",
    "--max_minutes": -3,
    "--num_sample_points": 1,
    "--beta1": 1.5,
    "--decay_rate": -1,
}


@pytest.mark.parametrize("bad", WRONG.items())
def test_senseless_values_are_refused(bad, tmp_path):
    with pytest.raises(UserError, match=bad[0].removeprefix("--")):
        planned(tmp_path, *bad)


def test_unknown_flag_is_an_error(tmp_path):
    with pytest.raises(UserError, match="unrecognized arguments: --batchsize"):
        flags(tmp_path, "--batchsize", 3)


@pytest.mark.slow
def test_weights_of_another_run_start_a_new_one(tiny_database, tmp_path):
    source = loop(tiny.config(max_epoch=1), tiny_database, tmp_path / "a")
    source.save()
    for flag, all_of_them in (("--restore_model", True), ("--restore_modelcnn", False)):
        target = loop(tiny.config(max_epoch=1, seed=5), tiny_database, tmp_path / "b")
        train_sdf.open_weights(str(tmp_path / "a"), flag == "--restore_model").load(target.trainer.network)
        for a, b in zip(source.trainer.network.variables, target.trainer.network.variables, strict=True):
            if all_of_them or "vgg_16" in a.path:
                np.testing.assert_array_equal(a, b)
        decoders = [t.trainer.network.streams[1].geometry_out.kernel for t in (source, target)]
        assert np.array_equal(*decoders) == all_of_them
    with pytest.raises(UserError, match="does not fit this network"):
        other = loop(tiny.config(num_classes=9), tiny_database, tmp_path / "c")
        train_sdf.open_weights(str(tmp_path / "a"), True).load(other.trainer.network)


def killed(calls):
    """save_checkpoint in a process that is killed before so many calls of it end."""
    left = iter(range(calls))

    def save(*args):
        if next(left) == calls - 1:
            raise KeyboardInterrupt
        save_checkpoint(*args)

    return save


@pytest.mark.slow
def test_a_run_from_other_weights_keeps_them_until_it_is_better(tiny_database, tmp_path, monkeypatch, eagerly, capsys):
    take_the_place(monkeypatch.setattr)
    source = loop(tiny.config(max_epoch=1, cat_limit=4), tiny_database, tmp_path / "a")
    source.val = source.samples.database.objects("val")  # all of them, as the command does
    source.run()
    flags = ["--log_dir", str(tmp_path / "b"), "--db", str(tiny_database), "--restore_model", str(tmp_path / "a")]
    write_json(tmp_path / "a" / "render.json", {"light": "random", "seed": 1})
    for module in ("models.training.session", "data.raw_layout"):
        monkeypatch.setattr(
            f"{module}.render_settings",
            lambda folder: {"light": "camera", "seed": 2} if folder == tiny_database else render_settings(folder),
        )
    train_sdf.main([*flags, "--max_epoch", "1", "--learning_rate", "1e4"])
    printed = capsys.readouterr().out
    assert "before the first step: validation loss" in printed
    assert f"the weights of {tmp_path / 'a'} were trained on other views: light random (now camera)\n" in printed
    assert render_settings(tmp_path / "b") == {"light": "camera", "seed": 2}
    kept, progress = stored(tmp_path / "b" / "best.h5")
    assert progress["step"] == 0 and progress["best"] == pytest.approx(source.history[0]["val"]["loss"], rel=1e-4)
    before, _ = stored(tmp_path / "a" / "best.h5")
    for name, value in kept.items():
        np.testing.assert_array_equal(value, before[name])
    for killed_before in (1, 2):  # the last or the best weights are written
        flags[1] = str(tmp_path / f"killed{killed_before}")
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr("models.training.loop.save_checkpoint", killed(killed_before))
            train_sdf.main([*flags, "--max_epoch", "1", "--learning_rate", "1e4"])
        train_sdf.main([*flags, "--max_epoch", "1", "--learning_rate", "1e4"])
        again, _ = stored(pathlib.Path(flags[1]) / "best.h5")
        for name, value in again.items():
            np.testing.assert_array_equal(value, before[name])
    capsys.readouterr()
    flags[1] = str(tmp_path / "better")
    words = [
        "--category",
        "crate",
        "--batch_size",
        "4",
        "--max_epoch",
        "5",
        "--learning_rate",
        "5e-3",
        "--warm_up",
        "2",
    ]
    train_sdf.main([*flags, *words])
    first = float(re.search(r"before the first step: validation loss ([\d.e+]+)", capsys.readouterr().out)[1])
    _, progress = stored(tmp_path / "better" / "best.h5")
    assert progress["step"] > 0 and progress["best"] < 0.95 * first  # on objects that it has not seen


def test_fine_tuning_starts_slowly_unless_a_schedule_is_given(tiny_database, tmp_path):
    config = tiny.config(learning_rate=2.0)
    config.save(tmp_path / "a" / "config.json")
    weights = FirstWeights("a", True, handed_on(config), "small", None)

    def planned_from(*words):
        args = flags(tmp_path / "b", "--db", tiny_database, "--restore_model", tmp_path / "a", *words)
        return plan(args, Config, preset, lambda *_: weights).config

    small = preset("small")
    for words, expected in (
        ((), ("cosine", 50, small.learning_rate / 5)),
        (("--warm_up", 7), ("cosine", 7, small.learning_rate / 5)),
        (("--learning_rate", 0.3), ("cosine", 50, 0.3)),
        (("--decay_step", 9), ("step", 0, small.learning_rate / 5)),
    ):
        config = planned_from(*words)
        assert (config.schedule, config.warm_up) == expected[:2] and np.isclose(config.learning_rate, expected[2])


def test_statistics_are_those_of_the_present_weights(tiny_database, tmp_path, eagerly):
    """After weights that change at once, validation is as good as in training mode."""
    training = loop(tiny.config(normalisation=True, cat_limit=8, decoder="onestream"), tiny_database, tmp_path / "run")
    for variable in training.trainer.network.trainable_variables:
        if variable.path.endswith("kernel"):
            variable.assign(5 * variable)
    order = epoch_order(training.train, 0, 0, 8)
    several = list(itertools.islice(training.input(training.train, order, 0, augment=False), 2))
    forward = [float(training.trainer.forward_step(batch)["loss"]) for batch in several]
    lagging = [float(training.trainer.validation_step(batch)["loss"]) for batch in several]
    training.trainer.settle_statistics(several)
    settled = [float(training.trainer.validation_step(batch)["loss"]) for batch in several]
    assert np.abs(np.subtract(settled, forward)).mean() < 0.2 * np.abs(np.subtract(lagging, forward)).mean()
    training.trainer.settle_statistics(several[:1])
    assert np.isclose(training.trainer.validation_step(several[0])["loss"], forward[0], rtol=1e-2)
