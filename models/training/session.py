"""A training session: from a plan to a trained run."""

import collections.abc
import dataclasses
import pathlib
import time
import typing

import keras

from data.network_input import check_masks
from data.raw_layout import VIEW_SETTINGS, hand_on_render_settings, render_settings
from data.shards import Database
from models.config import CameraConfig, Config
from models.networks.precision import described
from models.settings import handed_on, needing_masks
from models.training.devices import choose_strategy, end_together, no_worker_lost
from models.training.flags import ENCODER_ONLY, FirstWeights, Plan
from models.training.loop import Loop
from models.training.trainer import Trainer
from models.weights.encoder_sources import open_encoder
from models.weights.sources import RunModel, open_model
from utils.files import differing_settings


def open_weights(source: str, whole: bool, cls: type[Config | CameraConfig]) -> FirstWeights:
    """The weights that a new run starts from: all of a model of these settings, or the encoder."""
    if whole:
        model = open_model(source) if cls is Config else RunModel(source, cls)
        views = render_settings(pathlib.Path(source))
        return FirstWeights(source, True, handed_on(model.config), model.config.preset, model.load, views)
    encoder = open_encoder(source)
    settings = {"encoder_input": encoder.input_kind}
    return FirstWeights(source, False, settings, None, lambda network: encoder.load(network.encoder))


def train(plan: Plan, trainer_class: type[Trainer], clock: collections.abc.Callable[[], float] = time.time) -> None:
    """Train the run of a plan until its epochs or minutes, of the clock, are used up.

    Raises:
        UserError: also where another worker of the cluster was lost.
    """
    with no_worker_lost():
        _train(plan, trainer_class, clock)


def _train(plan: Plan, trainer_class: type[Trainer], clock: collections.abc.Callable[[], float]) -> None:
    config, run = plan.config, plan.run
    database = Database(config.db)
    training, validation = (database.objects(split, config.category) for split in ("train", "val"))
    check_masks(database, training, needing_masks(config))
    compare_views(config, plan.first_weights)
    strategy = choose_strategy()
    state = "resuming" if plan.resumed else "training"
    counts = f"{len(training)} training and {len(validation)} validation objects"
    print(f"{state} {run.folder}: {config.KIND}, {counts}")
    print(f"precision {described(config.precision)}")
    print(", ".join(f"{name}={value}" for name, value in dataclasses.asdict(config).items()))
    source = trainer_class.source_database(config, [*training, *validation], database)
    keras.utils.set_random_seed(config.seed)
    trainer = trainer_class(config, strategy)
    print(f"{trainer.network.count_params():,} weights on {strategy.num_replicas_in_sync} device(s)")
    samples = trainer_class.samples(source, config)
    loop = Loop(trainer, run, samples, training, validation, plan.checkpoint_minutes, clock)
    if plan.resumed:
        loop.resume()
    elif plan.first_weights:
        plan.first_weights.load(trainer.network)
    if loop.chief:
        config.save(run.config)
        hand_on_render_settings(database.path, run.folder)
    if not plan.resumed:
        loop.save()  # best weights without it are an exported run, which nothing resumes
    whole = config.restore_model and not config.restore_model.endswith(ENCODER_ONLY)
    if whole and loop.progress["best"] == float("inf"):
        loop.begin()
    loop.run()
    end_together(strategy)


def compare_views(config: typing.Any, first: FirstWeights | None) -> None:
    """Print how views of the database differ from those that the first weights were trained on."""
    views = render_settings(pathlib.Path(config.db))
    if not (first and first.views and views):
        return
    theirs, ours = ({name: settings.get(name) for name in VIEW_SETTINGS} for settings in (first.views, views))
    if different := differing_settings(theirs, ours):
        print(f"the weights of {first.source} were trained on other views: {', '.join(different)}")
