"""The training loop: epochs, validation, checkpoints, logs. It stops and resumes at any step."""

import collections.abc
import datetime
import itertools
import time
import typing

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from data.pipeline import batches, epoch_order
from data.shards import ObjectEntry
from models.training import cluster
from models.training.board import Board
from models.training.devices import LOST
from models.training.forecast import FIRST, STEPS, clock_time, forecast, remaining
from models.training.trainer import Trainer
from models.weights.run import Run, load_checkpoint, save_checkpoint
from utils.errors import UserError
from utils.files import read_json, write_json
from utils.signals import stops_held_back

ENDING = "the training ends after this step or validation, and is saved; once more: at once"
STATISTICS = 8  # batches that the statistics of batch normalisation are of, in validation


class Loop:
    """Trains until the epochs or the minutes of the configuration are used up.

    progress is what a checkpoint needs beside the variables: the global step, the steps of an
    epoch, the sums of the loss parts in the current epoch, the lowest validation loss, the minutes
    so far.
    """

    def __init__(
        self,
        trainer: Trainer,
        folder: Run,
        samples: typing.Any,
        train: list[ObjectEntry],
        val: list[ObjectEntry],
        checkpoint_minutes: float,
        clock: collections.abc.Callable[[], float] = time.time,
    ):
        """
        Args:
            trainer: network, optimiser and steps.
            folder: the run.
            samples: reads samples; data.pipeline.batches says what it needs.
            train, val: the objects of both splits.
            checkpoint_minutes: the run is also saved every so many minutes within an epoch.
            clock: seconds, whose minutes the training is limited to; time.process_time counts those
                of all cores.
        """
        self.trainer, self.folder, self.samples = trainer, folder, samples
        self.config, self.strategy = trainer.config, trainer.strategy
        self.train, self.val = train, val
        self.checkpoint_minutes, self.clock = checkpoint_minutes, clock
        self.history: list[dict[str, typing.Any]] = []
        count, size = len(epoch_order(train, self.config.seed, 0, self.config.cat_limit)), self.config.batch_size
        self.steps = count // size
        self.progress: dict[str, typing.Any] = {
            "step": 0,
            "steps": self.steps,
            "sums": {},
            "best": float("inf"),
            "minutes": 0.0,
        }
        if self.steps == 0:
            raise UserError(f"{count} training samples are fewer than one batch: lower batch_size {size}")
        if size % self.strategy.num_replicas_in_sync:
            raise UserError(f"batch_size {size} does not divide among {self.strategy.num_replicas_in_sync} devices")
        self.chief = cluster.writes()
        if cluster.is_named() and self.config.max_minutes:
            raise UserError("max_minutes needs one machine: several would stop at different steps; use max_epoch")
        self.board = Board(folder.tensorboard, self.chief)
        self.forecasts = True  # until one was made

    def resume(self) -> None:
        """Continue from the last checkpoint of the folder."""
        self.progress = load_checkpoint(self.folder.last, self.trainer.variables)
        counts = [self.progress.get(name) for name in ("steps", "minutes", "best")]
        if not all(type(count) in (int, float) for count in counts) or not isinstance(self.progress.get("sums"), dict):
            raise UserError(f"{self.folder.last} is damaged: its progress lacks steps, minutes, best or sums")
        before = self.progress["steps"]
        if before != self.steps:
            raise UserError(
                f"{self.folder.last} counts {before} steps an epoch, this database gives {self.steps}: "
                "it holds other objects"
            )
        if self.folder.history.exists():
            rows = read_json(self.folder.history, "; delete it")
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise UserError(f"{self.folder.history} is damaged: it holds no list of epochs; delete it")
            self.history = rows[: self.progress["step"] // self.steps]
        print(f"resuming after step {self.progress['step']} (epoch {self.progress['step'] // self.steps + 1})")

    def begin(self) -> None:
        """Validate the weights of another run before the first step: theirs is the loss to beat.

        Until an epoch beats it they are the best weights of this run.
        """
        val = self.validate()
        self.progress["best"] = val["loss"]
        if self.chief:
            save_checkpoint(self.folder.best, {"network": self.trainer.network.variables}, self.progress)
        print("before the first step: validation " + ", ".join(f"{name} {value:.3g}" for name, value in val.items()))

    def run(self) -> None:
        self.board.configuration(self.config, self.progress["step"])
        if self.progress["step"] == 0:
            self.look()
        while (epoch := self.progress["step"] // self.steps) < self.config.max_epoch and not self.time_is_up():
            with stops_held_back(ENDING) as stop_wanted:
                if self.train_epoch(epoch, stop_wanted):
                    self.end_epoch(epoch)
        reason = "the minutes are used up" if self.time_is_up() else "all epochs are done"
        step, minutes = self.progress["step"], self.progress["minutes"]
        print(f"{reason}: {step} steps of {self.config.batch_size} samples, {minutes:.1f} minutes")
        which = "best weights" if self.config.keep == "best" else "weights"
        best = f"{which}: {self.folder.best}  lowest validation loss {self.progress['best']:.3f}"
        print(f"run: {self.folder.folder}  {best}")

    def elapsed(self) -> float:
        """The share of the training that is over, in [0, 1], by epochs or minutes."""
        epochs = self.progress["step"] / (self.steps * self.config.max_epoch)
        minutes = self.progress["minutes"] / self.config.max_minutes if self.config.max_minutes else 0.0
        return min(max(epochs, minutes), 1.0)

    def time_is_up(self) -> bool:
        return 0 < self.config.max_minutes <= self.progress["minutes"]

    def input(
        self, entries: list[ObjectEntry], order: np.ndarray, epoch: int, augment: bool, first: int = 0
    ) -> collections.abc.Iterator[typing.Any]:
        """The batches of an epoch, shared out over workers and devices."""

        def of_worker(context):
            share = (context.input_pipeline_id, context.num_input_pipelines)
            per_device = context.get_per_replica_batch_size(self.config.batch_size)
            return batches(self.samples, entries, order, epoch, augment, first, share, per_device)

        return iter(self.strategy.distribute_datasets_from_function(of_worker))

    @staticmethod
    def next_batch(source: collections.abc.Iterator[typing.Any]) -> typing.Any:
        """The next batch.

        An error in a reading thread becomes one line instead of TensorFlow's pages.
        """
        try:
            return next(source)
        except LOST:
            raise
        except tf.errors.OpError as error:
            lines = str(error).splitlines()
            reason = next((line for line in lines if "Error: " in line), lines[0])
            raise UserError(f"a training sample cannot be read: {reason}; check or rebuild the database") from None

    def train_epoch(self, epoch: int, stop_wanted: collections.abc.Callable[[], bool]) -> bool:
        """The steps of an epoch that are still to be done; where a stop is wanted, one more.

        Returns:
            Whether the epoch is over, by its steps or by the minutes; then end_epoch() saves it.
        """
        done = self.progress["step"] - epoch * self.steps
        order = epoch_order(self.train, self.config.seed, epoch, self.config.cat_limit)
        source = self.input(self.train, order, epoch, augment=True, first=done)
        sums, waited = self.progress["sums"], 0.0
        start = saved = timed = time.time()
        before, began = self.progress["minutes"], self.clock()
        rest = range(done, self.steps)
        bar = tqdm(rest, f"epoch {epoch + 1}", initial=done, total=self.steps, unit="step", mininterval=2)
        for i in bar:
            requested = time.time()
            batch = self.next_batch(source)
            waited += time.time() - requested
            self.trainer.set_elapsed(self.elapsed())
            parts = {name: float(value) for name, value in self.trainer.train_step(batch).items()}
            gradient = parts.pop("gradient")
            if not np.isfinite([parts["loss"], gradient]).all():
                self.report_nan(batch, parts)
            for name, value in parts.items():
                sums[name] = sums.get(name, 0.0) + value
            elapsed = time.time() - start
            minutes = before + (self.clock() - began) / 60
            self.progress |= {"step": self.progress["step"] + 1, "minutes": minutes}
            count = i + 1 - done  # steps of the epoch since this command began it
            rate = count * self.config.batch_size / elapsed
            shown = {name: f"{value / (i + 1):.3g}" for name, value in sums.items()}
            speed = {"samples_s": f"{rate:.1f}", "waiting": f"{waited / elapsed:.0%}"}
            if count == FIRST:
                timed = time.time()
            elif count > FIRST:
                speed["ends"] = self.ending((time.time() - timed) / (count - FIRST), count, bar)
            bar.set_postfix({**shown, **speed}, refresh=False)
            if self.progress["step"] % 10 == 0:
                others = {"gradient_norm": gradient, "learning_rate": self.trainer.learning_rate()}
                others |= {"samples_per_second": rate, "waiting": waited / elapsed}
                self.board.scalars("train", parts | others, self.progress["step"])
            # with more minutes the same command resumes within the epoch
            over, stopping = i + 1 == self.steps or self.time_is_up(), stop_wanted()
            if not over and (stopping or time.time() - saved > self.checkpoint_minutes * 60):
                self.save()
                saved = time.time()
            if over or stopping:
                break
        bar.close()
        return over

    def ending(self, step_seconds: float, count: int, bar: tqdm) -> str:
        """When the run will end, for the progress bar; once a command it writes a line too.

        Args:
            step_seconds: mean time of the steps after the FIRST ones.
            count: steps of the epoch since this command began it.
            bar: the progress bar.
        """
        config, progress = self.config, self.progress
        seconds = 60 * (config.max_minutes - progress["minutes"]) if config.max_minutes else None
        left = self.steps * config.max_epoch - progress["step"], seconds  # the seconds where they are limited
        now = datetime.datetime.now()
        if count == FIRST + STEPS and self.forecasts:
            bar.write(forecast(step_seconds, self.steps, *left, config.preset, now))
            self.forecasts = False
        return clock_time(remaining(step_seconds, *left), now)

    def end_epoch(self, epoch: int) -> None:
        """Validation, history, pictures, checkpoints."""
        done = self.progress["step"] - epoch * self.steps
        train = {name: value / done for name, value in self.progress["sums"].items()}
        if done == self.steps:
            self.progress["sums"] = {}
        with self.trainer.averaged_weights():
            if self.config.normalisation:
                order = epoch_order(self.train, self.config.seed, epoch, self.config.cat_limit)
                source = self.input(self.train, order, epoch, augment=True)
                self.trainer.settle_statistics(itertools.islice(source, min(STATISTICS, self.steps)))
            val = self.validate()
            better = self.keep(epoch, train, val)
        self.save()
        parts = ", ".join(f"{name} {train[name]:.3g} / {val[name]:.3g}" for name in val)
        scores = ", ".join(f"{name} {value:.3g}" for name, value in self.history[-1]["scores"].items())
        parts += f"; of {self.config.scored_objects} objects {scores}" if scores else ""
        print(f"epoch {epoch + 1}: train / validation {parts}{'  (best)' if better else ''}")

    def keep(self, epoch: int, train: dict[str, float], val: dict[str, float]) -> bool:
        """History, best weights and pictures of an epoch; whether its weights are the best ones."""
        row = {"epoch": epoch + 1, "step": self.progress["step"], "minutes": self.progress["minutes"]}
        self.history.append({**row, "train": train, "val": val, "scores": self.look()})
        better = val["loss"] < self.progress["best"]
        if better:  # never so for a loss that is not a number
            self.progress["best"] = val["loss"]
        if self.chief and (better or self.config.keep == "last"):
            save_checkpoint(self.folder.best, {"network": self.trainer.network.variables}, self.progress)
        self.board.scalars("val", val, self.progress["step"])
        self.board.flush()
        return better

    def look(self) -> dict[str, float]:
        """Show a few validation objects in TensorBoard; their scores, on the chief alone."""
        if not self.chief:
            return {}
        picture, scores = self.trainer.look(self.samples.database, self.val)
        self.board.picture("val", self.trainer.preview_shows, picture, self.progress["step"])
        self.board.scalars("val", {f"objects/{name}": value for name, value in scores.items()}, self.progress["step"])
        return scores

    def validate(self) -> dict[str, float]:
        """Mean of the loss parts over the validation split: no augmentation, always the same
        points.
        """
        order, size = epoch_order(self.val, None, 0, None), self.config.batch_size
        sums: dict[str, float] = {}
        count = 0
        source = self.input(self.val, order, 0, augment=False)
        for start in range(0, len(order), size):
            share = min(size, len(order) - start)
            for name, value in self.trainer.validation_step(self.next_batch(source)).items():
                sums[name] = sums.get(name, 0.0) + float(value) * share
            count += share
        return {name: value / count for name, value in sums.items()}

    def save(self) -> None:
        if not self.chief:
            return
        write_json(self.folder.history, self.history)
        save_checkpoint(self.folder.last, self.trainer.variables, self.progress)

    def report_nan(self, batch: typing.Any, parts: dict[str, float]) -> typing.NoReturn:
        """Stop, naming the objects of the batch; the last checkpoint stays as it is."""
        pairs = [np.asarray(part) for part in self.strategy.experimental_local_results(batch["pair"])]
        names = [f"{self.train[i].category}/{self.train[i].object_id} view {v}" for i, v in np.concatenate(pairs)]
        broken = [name for name, value in parts.items() if not np.isfinite(value)] or ["gradient"]
        step = self.progress["step"] + 1
        raise UserError(
            f"the loss is not finite at step {step} ({', '.join(broken)}); the batch was: {', '.join(names)}"
        )
