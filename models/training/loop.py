"""The loop of training: epochs, validation, checkpoints, logs; stops and goes on at any step."""

import os
import time

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from data.pipeline import batches, epoch_order
from models.weights.run import load_checkpoint, save_checkpoint
from utils.errors import UserError
from utils.files import read_json, write_json


def choose_strategy():
    """Several machines where TF_CONFIG names them, several GPUs where there are, else the one device."""
    if "TF_CONFIG" in os.environ:
        return tf.distribute.MultiWorkerMirroredStrategy()
    if len(tf.config.list_physical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


class Loop:
    """Trains until the epochs or the minutes of the configuration are used up.

    progress is what a checkpoint needs beside the variables: the global step, the steps of an epoch, the sums of the loss parts in the
    current epoch, the lowest validation loss, the minutes of training so far.
    """

    def __init__(self, trainer, folder, samples, train, val, checkpoint_minutes):
        self.trainer, self.folder, self.samples = trainer, folder, samples
        self.config, self.strategy = trainer.config, trainer.strategy
        self.train, self.val = train, val
        self.checkpoint_minutes = checkpoint_minutes
        self.history = []
        samples = len(epoch_order(train, self.config.seed, 0, self.config.cat_limit))
        self.steps = samples // self.config.batch_size
        self.progress = {"step": 0, "steps": self.steps, "sums": {}, "best": float("inf"), "minutes": 0.0}
        if self.steps == 0:
            raise UserError(
                f"{samples} training samples are fewer than one batch; lower --batch_size {self.config.batch_size}"
            )
        if self.config.batch_size % self.strategy.num_replicas_in_sync:
            raise UserError(
                f"--batch_size {self.config.batch_size} does not divide among {self.strategy.num_replicas_in_sync} devices"
            )
        resolver = self.strategy.cluster_resolver  # none but with several machines, of which the first one writes
        self.chief = resolver is None or resolver.task_id is None or self.writes(resolver)
        if resolver is not None and resolver.task_id is not None and self.config.max_minutes:
            raise UserError("--max_minutes needs one machine: several would stop at different steps; use --max_epoch")
        self.writers = {}

    @staticmethod
    def writes(resolver):
        """Whether this task of several machines is the one that writes: the chief, or the first worker without one."""
        if "chief" in resolver.cluster_spec().jobs:
            return resolver.task_type == "chief"
        return resolver.task_id == 0

    def resume(self):
        """Go on from the last checkpoint of the folder."""
        self.progress = load_checkpoint(self.folder.last, self.trainer.variables)
        if self.progress["steps"] != self.steps:
            was = self.progress["steps"]
            raise UserError(
                f"{self.folder.last} counts {was} steps an epoch, this database gives {self.steps}: it holds other objects"
            )
        if self.folder.history.exists():
            self.history = read_json(self.folder.history)[: self.progress["step"] // self.steps]
        print(f"going on after step {self.progress['step']} (epoch {self.progress['step'] // self.steps + 1})")

    def run(self):
        while (epoch := self.progress["step"] // self.steps) < self.config.max_epoch and not self.time_is_up():
            self.train_epoch(epoch)
            self.end_epoch(epoch)
        reason = "the minutes are used up" if self.time_is_up() else "all epochs are done"
        print(
            f"{reason}: {self.progress['step']} steps of {self.config.batch_size}, {self.progress['minutes']:.1f} minutes"
        )
        print(
            f"run: {self.folder.folder}  best weights: {self.folder.best}  validation loss {self.progress['best']:.3f}"
        )

    def time_is_up(self):
        return 0 < self.config.max_minutes <= self.progress["minutes"]

    def input(self, entries, order, epoch, augment, first=0):
        """The batches of an epoch, shared out over workers and devices."""

        def of_worker(context):
            share = (context.input_pipeline_id, context.num_input_pipelines)
            per_device = context.get_per_replica_batch_size(self.config.batch_size)
            return batches(self.samples, entries, order, epoch, augment, first, share, per_device)

        return iter(self.strategy.distribute_datasets_from_function(of_worker))

    @staticmethod
    def next_batch(source):
        """The next batch; what a reading thread failed at comes back as one line instead of TensorFlow's pages."""
        try:
            return next(source)
        except tf.errors.OpError as error:
            reason = next((line for line in str(error).splitlines() if "Error: " in line), str(error).splitlines()[0])
            raise UserError(f"a training sample cannot be read: {reason}; check or rebuild the database") from None

    def train_epoch(self, epoch):
        """The steps of an epoch that are still to be done."""
        done = self.progress["step"] - epoch * self.steps
        order = epoch_order(self.train, self.config.seed, epoch, self.config.cat_limit)
        source = self.input(self.train, order, epoch, augment=True, first=done)
        sums, saved, start, waited = self.progress["sums"], time.time(), time.time(), 0.0
        before = self.progress["minutes"]
        bar = tqdm(
            range(done, self.steps),
            desc=f"epoch {epoch + 1}",
            initial=done,
            total=self.steps,
            unit="step",
            mininterval=2,
        )
        for i in bar:
            asked = time.time()
            batch = self.next_batch(source)
            waited += time.time() - asked
            parts = {name: float(value) for name, value in self.trainer.train_step(batch).items()}
            if not np.isfinite([parts["loss"], parts.pop("gradient")]).all():
                self.report_nan(batch, parts)
            for name, value in parts.items():
                sums[name] = sums.get(name, 0.0) + value
            elapsed = time.time() - start
            self.progress |= {"step": self.progress["step"] + 1, "minutes": before + elapsed / 60}
            rate = (i + 1 - done) * self.config.batch_size / elapsed
            shown = {name: f"{value / (i + 1):.3g}" for name, value in sums.items()}
            bar.set_postfix(**shown, samples_s=f"{rate:.1f}", waiting=f"{waited / elapsed:.0%}", refresh=False)
            if self.progress["step"] % 10 == 0:
                self.write_scalars("train", parts | {"samples_per_second": rate, "waiting": waited / elapsed})
            # the last step of an epoch is saved by end_epoch, together with what belongs to the epoch
            if i + 1 < self.steps and time.time() - saved > self.checkpoint_minutes * 60:
                self.save()
                saved = time.time()
            if self.time_is_up():  # with more minutes the same command goes on within the epoch
                break
        bar.close()

    def end_epoch(self, epoch):
        """Validation, history, pictures, checkpoints."""
        done = self.progress["step"] - epoch * self.steps
        train = {name: value / done for name, value in self.progress["sums"].items()}
        if done == self.steps:
            self.progress["sums"] = {}
        val = self.validate()
        row = {
            "epoch": epoch + 1,
            "step": self.progress["step"],
            "minutes": self.progress["minutes"],
            "train": train,
            "val": val,
        }
        self.history.append(row)
        better = val["loss"] < self.progress["best"]
        if better:  # never so for a loss that is not a number
            self.progress["best"] = val["loss"]
        self.save(better)
        self.write_scalars("val", val)
        if self.chief:
            picture = self.trainer.picture(self.samples.database, self.val)
            with self.writer("val").as_default():
                tf.summary.image(self.trainer.picture_shows, picture[None], step=self.progress["step"])
            for writer in self.writers.values():
                writer.flush()
        parts = ", ".join(f"{name} {train[name]:.3g} / {val[name]:.3g}" for name in val)
        print(f"epoch {epoch + 1}: train / validation {parts}{'  (best)' if better else ''}")

    def validate(self):
        """Mean of the loss parts over the validation split, without augmentation, with points that never change."""
        order = epoch_order(self.val, None, 0, None)
        if self.strategy.num_replicas_in_sync > 1:  # every device needs its part of every batch
            order = np.resize(order, (-(-len(order) // self.config.batch_size) * self.config.batch_size, 2))
        sums, count = {}, 0
        source = self.input(self.val, order, 0, augment=False)
        for start in range(0, len(order), self.config.batch_size):
            size = min(self.config.batch_size, len(order) - start)
            for name, value in self.trainer.validation_step(self.next_batch(source)).items():
                sums[name] = sums.get(name, 0.0) + float(value) * size
            count += size
        return {name: value / count for name, value in sums.items()}

    def save(self, better=False):
        if not self.chief:
            return
        write_json(self.folder.history, self.history)
        if better:
            save_checkpoint(self.folder.best, {"network": self.trainer.network.variables}, self.progress)
        save_checkpoint(self.folder.last, self.trainer.variables, self.progress)

    def report_nan(self, batch, parts):
        """Stop, naming the objects of the batch; the last checkpoint stays as it is."""
        pairs = np.concatenate([np.asarray(part) for part in self.strategy.experimental_local_results(batch["pair"])])
        names = ", ".join(f"{self.train[i].category}/{self.train[i].object_id} view {v}" for i, v in pairs)
        broken = [name for name, value in parts.items() if not np.isfinite(value)] or ["gradient"]
        raise UserError(
            f"the loss is not finite at step {self.progress['step'] + 1} ({', '.join(broken)}); the batch was: {names}"
        )

    def writer(self, name):
        if name not in self.writers:
            self.writers[name] = tf.summary.create_file_writer(str(self.folder.tensorboard / name))
        return self.writers[name]

    def write_scalars(self, name, values):
        if self.chief:
            with self.writer(name).as_default():
                for key, value in values.items():
                    tf.summary.scalar(key, value, step=self.progress["step"])
