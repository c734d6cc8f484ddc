"""One training step and one validation step, compiled, on any tf.distribute strategy."""

import abc
import typing

import keras
import numpy as np
import tensorflow as tf

from data.shards import Database, ObjectEntry
from models.config import Settings
from models.networks import losses


class StepDecay(keras.optimizers.schedules.LearningRateSchedule):
    """learning_rate x decay_rate^floor(step x batch_size / decay_step), at least 1e-6 (the
    original's).
    """

    def __init__(self, config: Settings):
        self.config = config

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        c = self.config
        exponent = tf.floor(tf.cast(step, tf.float32) * c.batch_size / c.decay_step)
        return tf.maximum(c.learning_rate * c.decay_rate**exponent, 1e-6)

    def get_config(self) -> dict[str, Settings]:
        return {"config": self.config}


class Adam(keras.optimizers.Adam):
    """Adam (Kingma & Ba 2015).

    On one device TensorFlow's fused kernel replaces Keras's dozen passes over memory.
    """

    def update_step(self, gradient: tf.Tensor, variable: keras.Variable, learning_rate: tf.Tensor) -> None:
        if tf.distribute.get_strategy().num_replicas_in_sync > 1:
            super().update_step(gradient, variable, learning_rate)
            return
        index, step = self._get_variable_index(variable), tf.cast(self.iterations.value + 1, tf.float32)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=self.beta_1**step,
            beta2_power=self.beta_2**step,
            lr=learning_rate,
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


def make_optimizer(config: Settings) -> keras.optimizers.Optimizer:
    schedule = StepDecay(config)
    if config.optimizer == "adam":
        return Adam(schedule, beta_1=config.beta1, name="adam")  # the name is in checkpoints
    return keras.optimizers.SGD(schedule, momentum=config.momentum, name="momentum")


class Trainer(abc.ABC):
    """Network, optimiser and compiled steps under a strategy.

    A kind of network is a subclass that builds the network, computes its losses and draws its
    preview.
    """

    minimised: typing.ClassVar[tuple[str, ...]]  # parts of the losses whose sum is brought down, with weight decay
    preview_shows: typing.ClassVar[str]  # title of the preview in TensorBoard
    samples: typing.ClassVar[type]  # what makes the samples: (database, config) -> object with shapes and read()

    def __init__(self, config: typing.Any, strategy: tf.distribute.Strategy):
        self.config, self.strategy = config, strategy
        with strategy.scope():
            self.network = self.build()
            self.optimizer = make_optimizer(config)
            self.optimizer.build(self.network.trainable_variables)
        self.train_step = tf.function(self._train_step, reduce_retracing=True)
        self.validation_step = tf.function(self._validation_step, reduce_retracing=True)

    @abc.abstractmethod
    def build(self) -> keras.Model:
        """The network, its variables made."""

    @abc.abstractmethod
    def losses(self, batch: dict[str, tf.Tensor], training: bool) -> dict[str, tf.Tensor]:
        """Batch of samples -> the parts of the loss and other scalars to show."""

    @abc.abstractmethod
    def preview(self, database: Database, entries: list[ObjectEntry]) -> np.ndarray:
        """(H, W, 3) in [0, 1] for TensorBoard: what the network makes of some objects."""

    @classmethod
    def source_database(cls, config: typing.Any, entries: list[ObjectEntry], database: Database) -> typing.Any:
        """The database that samples are read from."""
        return database

    @property
    def variables(self) -> dict[str, list[keras.Variable]]:
        """{group: variables} for checkpoints."""
        return {"network": self.network.variables, "optimizer": self.optimizer.variables}

    def _train_step(self, batch):
        """Batch (per replica) -> the minimised loss, its parts, the norm of its gradient.

        Means over replicas.
        """

        def replica(batch):
            with tf.GradientTape() as tape:
                parts = self.losses(batch, training=True)
                parts["weight_decay"] = losses.weight_decay(self.network, self.config.weight_decay)
                total = self._total(parts) + parts["weight_decay"]
                # the optimiser sums over replicas; the mean over the whole batch is wanted
                scaled = total / self.strategy.num_replicas_in_sync
            variables = self.network.trainable_variables
            gradients = tape.gradient(scaled, variables)
            self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
            return {"loss": total, **parts, "gradient": tf.linalg.global_norm(gradients)}

        return self._mean(self.strategy.run(replica, (batch,)))

    def _validation_step(self, batch):
        def replica(batch):
            parts = self.losses(batch, training=False)
            return {"loss": self._total(parts), **parts}

        return self._mean(self.strategy.run(replica, (batch,)))

    def _total(self, parts):
        return tf.add_n([parts[name] for name in self.minimised if name in parts])

    def _mean(self, parts):
        return {name: self.strategy.reduce("MEAN", value, axis=None) for name, value in parts.items()}
