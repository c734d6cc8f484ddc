"""The optimiser's settings: schedule, decay, the encoder's rate, averages, the gradient's norm."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from data.field_samples import FieldSamples
from data.shards import Database
from models.training.field_trainer import FieldTrainer
from models.training.trainer import Cosine
from tests.helpers import tiny
from tests.helpers.point_network import take_the_place


@pytest.fixture
def batch(tiny_database):
    """One batch of the tiny database."""

    def read(config):
        database = Database(tiny_database)
        samples = FieldSamples(database, config)
        read = [samples.read(entry, 0, np.random.default_rng(i)) for i, entry in enumerate(database.objects("train"))]
        return {name: tf.stack([sample[name] for sample in read[:2]]) for name in samples.shapes}

    return read


@pytest.fixture
def few_layers(monkeypatch):
    """What the optimiser does has nothing to do with the network."""
    take_the_place(monkeypatch.setattr)


def trainer_of(**given):
    keras.utils.set_random_seed(0)
    return FieldTrainer(dataclasses.replace(tiny.config(), **given), tf.distribute.get_strategy())


def values(trainer):
    return {v.path: v.numpy() for v in trainer.network.trainable_variables}


def test_cosine_rises_and_falls_to_zero():
    schedule = Cosine(tiny.config(schedule="cosine", warm_up=4, learning_rate=0.5))
    rates = []
    for step in range(21):
        schedule.elapsed.assign(step / 20)
        rates.append(float(schedule(tf.constant(step))))
    assert rates[0] == pytest.approx(0.1) and rates[-1] == pytest.approx(0, abs=1e-7)
    assert rates[10] == pytest.approx(0.25)
    assert np.argmax(rates) in (3, 4) and (np.diff(rates[5:]) < 0).all()


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_the_encoder_stands_still_at_rate_0(optimizer, batch, eagerly, few_layers):
    trainer = trainer_of(encoder_rate=0.0, optimizer=optimizer, weight_decay=0.5, learning_rate=0.01)
    before = values(trainer)
    trainer.train_step(batch(trainer.config))
    moved = {path for path, value in values(trainer).items() if not np.array_equal(value, before[path])}
    encoder = {v.path for v in trainer.network.encoder.trainable_variables}
    assert moved and not moved & encoder and encoder


def test_adamw_is_adam_with_weights_that_shrink(batch, eagerly, few_layers):
    """A step of AdamW is a step of Adam minus rate x decay x weight (Loshchilov & Hutter 2019).

    The rate of the encoder is its own.
    """
    decay, rate, share = 0.5, 0.01, 0.25
    plain = trainer_of(learning_rate=rate, weight_decay=0.0, encoder_rate=share)
    decayed = trainer_of(learning_rate=rate, weight_decay=decay, encoder_rate=share, optimizer="adamw")
    before, encoder = values(plain), {v.path for v in plain.network.encoder.trainable_variables}
    for trainer in (plain, decayed):
        trainer.train_step(batch(trainer.config))
    for path, value in values(decayed).items():
        shrunk = rate * (share if path in encoder else 1) * decay * before[path]
        np.testing.assert_allclose(value, values(plain)[path] - shrunk, atol=1e-6)


def test_averaged_weights_by_their_definition(batch, eagerly, few_layers):
    factor = 0.25
    trainer = trainer_of(averaging=factor, learning_rate=0.01)
    data, average = batch(trainer.config), {}
    for step in range(4):
        trainer.train_step(data)
        for path, value in values(trainer).items():
            share = min(factor, (step + 1) / (step + 10))
            average[path] = value if step == 0 else share * average[path] + (1 - share) * value
    own = values(trainer)
    with trainer.averaged_weights():
        for path, value in values(trainer).items():
            np.testing.assert_allclose(value, average[path], atol=1e-5)
    for path, value in values(trainer).items():
        np.testing.assert_array_equal(value, own[path])


def test_a_clipped_gradient_moves_weights_as_far_as_its_norm_allows(batch, eagerly, few_layers):
    steps = {}
    for limit in (0.0, 1e-3):
        trainer = trainer_of(clip_gradient=limit, optimizer="momentum", learning_rate=1.0, weight_decay=0.0)
        before = values(trainer)
        trainer.train_step(batch(trainer.config))
        steps[limit] = np.sqrt(sum(((v - before[path]) ** 2).sum() for path, v in values(trainer).items()))
    assert steps[1e-3] == pytest.approx(1e-3, rel=0.02) and steps[0.0] > 2e-3


def test_16_bits_take_nearly_the_step_of_float32(batch, eagerly):
    """Weights stay float32; the scale of the loss is not in the step."""
    steps = {}
    for precision in ("float32", "bfloat16", "float16"):
        trainer = trainer_of(precision=precision, optimizer="momentum", decoder="onestream")
        if trainer.scaling:
            trainer.scaling.dynamic_scale.assign(8)  # at first it is one at which these gradients overflow
        before = values(trainer)
        gradient = float(trainer.train_step(batch(trainer.config))["gradient"])
        moved = {path: value - before[path] for path, value in values(trainer).items()}
        assert all(value.dtype == np.float32 for value in moved.values())
        steps[precision] = [gradient, float(np.sqrt(sum((value**2).sum() for value in moved.values())))]
    assert min(steps["float32"]) > 0 and len(set(map(tuple, steps.values()))) == 3
    for precision in ("bfloat16", "float16"):
        np.testing.assert_allclose(steps[precision], steps["float32"], rtol=0.1)
    # the last one was in float16: a step whose gradients overflow is left out, and the scale halved
    trainer.scaling.dynamic_scale.assign(2.0**40)
    before = values(trainer)
    assert trainer.train_step(batch(trainer.config))["gradient"] == 0
    assert all(np.array_equal(value, before[path]) for path, value in values(trainer).items())
    assert float(trainer.scaling.dynamic_scale) == 2.0**39
