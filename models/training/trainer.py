"""One training step and one validation step, compiled, on any tf.distribute strategy."""

import abc
import collections.abc
import contextlib
import math
import typing

import keras
import numpy as np
import tensorflow as tf

from data.shards import Database, ObjectEntry
from models.networks import losses
from models.networks.layers import MOMENTUM
from models.networks.precision import chosen
from models.shared_settings import Settings


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


class Cosine(keras.optimizers.schedules.LearningRateSchedule):
    """learning_rate x a rise over config.warm_up steps x a fall from 1 to 0 along half a cosine
    (Loshchilov & Hutter 2017).

    Attributes:
        elapsed: share of the training that is over, in [0, 1]; the loop sets it.
    """

    def __init__(self, config: Settings):
        self.config = config
        self.elapsed = tf.Variable(0.0, trainable=False)

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        rise = tf.minimum((tf.cast(step, tf.float32) + 1) / (self.config.warm_up + 1), 1.0)
        return self.config.learning_rate * rise * (0.5 + 0.5 * tf.cos(math.pi * self.elapsed))

    def get_config(self) -> dict[str, Settings]:
        return {"config": self.config}


class OwnOptimizer(keras.optimizers.Optimizer):
    """What Keras's optimisers lack.

    It averages over a tenth of the steps so far, until that is what its factor says: otherwise the
    first weights would be most of the average of a short training. It takes gradients that are
    summed over the devices already: Keras sums them after clipping them, and a norm is that of
    their sum.
    """

    def summed(self, gradients: list[tf.Tensor], variables: list[keras.Variable]) -> list[tf.Tensor]:
        """The gradients of a device -> their sums over all devices."""
        pairs = super()._all_reduce_sum_gradients(zip(gradients, variables, strict=True))
        return [gradient for gradient, _ in pairs]

    def _all_reduce_sum_gradients(
        self, grads_and_vars: list[tuple[tf.Tensor, tf.Variable]]
    ) -> list[tuple[tf.Tensor, tf.Variable]]:
        return grads_and_vars

    @property
    def ema_momentum(self) -> tf.Tensor:
        """The factor of the average at this step."""
        step = tf.cast(self.iterations.value, tf.float32)
        return tf.minimum(self._averaging, (step + 1) / (step + 10))

    @ema_momentum.setter
    def ema_momentum(self, value: float | None) -> None:
        self._averaging = value


class Momentum(OwnOptimizer, keras.optimizers.SGD):
    """Stochastic gradient descent with momentum."""


class Adam(OwnOptimizer, keras.optimizers.Adam):
    """Adam (Kingma & Ba 2015), with decoupled weight decay where that is not 0.

    On one device TensorFlow's fused kernel replaces Keras's dozen passes over memory. Keras's own
    decay knows one learning rate for all variables.

    Attributes:
        factors: {number of a variable: factor of its learning rate}, where that is not 1.
    """

    def __init__(self, *args: typing.Any, decay: float = 0.0, **kwargs: typing.Any):
        super().__init__(*args, **kwargs)
        self.decay, self.factors = decay, dict[int, float]()

    def update_step(self, gradient: tf.Tensor, variable: keras.Variable, learning_rate: tf.Tensor) -> None:
        index = self._get_variable_index(variable)
        learning_rate = learning_rate * self.factors.get(index, 1.0)
        if self.decay:
            variable.assign_sub(variable * (learning_rate * self.decay))
        if tf.distribute.get_strategy().num_replicas_in_sync > 1:
            super().update_step(gradient, variable, learning_rate)
            return
        step = tf.cast(self.iterations.value + 1, tf.float32)
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


def make_optimizer(
    config: Settings, schedule: keras.optimizers.schedules.LearningRateSchedule
) -> keras.optimizers.Optimizer:
    options = {
        "global_clipnorm": config.clip_gradient or None,
        "use_ema": config.averaging > 0,
        "ema_momentum": config.averaging or None,
    }
    if config.optimizer == "momentum":
        return Momentum(schedule, momentum=config.momentum, name="momentum", **options)
    decay = config.weight_decay if config.optimizer == "adamw" else 0.0
    return Adam(schedule, beta_1=config.beta1, decay=decay, name="adam", **options)  # the name is in checkpoints


class Look(typing.NamedTuple):
    """What a network makes of a few validation objects."""

    picture: np.ndarray  # (H, W, 3) in [0, 1]
    scores: dict[str, float]  # {metric: mean over the objects}; empty where none is measured


class Trainer(abc.ABC):
    """Network, optimiser and compiled steps under a strategy.

    A kind of network is a subclass that builds the network, computes its losses, and draws and
    measures what it makes of a few objects.
    """

    minimised: typing.ClassVar[tuple[str, ...]]  # parts of the losses whose sum is brought down, with weight decay
    preview_shows: typing.ClassVar[str]  # title of the picture of look() in TensorBoard
    samples: typing.ClassVar[type]  # what makes the samples: (database, config) -> object with shapes and read()

    def __init__(self, config: typing.Any, strategy: tf.distribute.Strategy):
        self.config, self.strategy = config, strategy
        with strategy.scope():
            self.network = self.build()
            self.schedule = Cosine(config) if config.schedule == "cosine" else StepDecay(config)
            self.optimizer = make_optimizer(config, self.schedule)
            # gradients in float16 vanish or overflow: the loss is multiplied by a number that grows
            # until they do, and a step with such gradients is left out
            half = chosen(config.precision) == "float16"
            self.scaling = keras.optimizers.LossScaleOptimizer(self.optimizer) if half else None
            (self.scaling or self.optimizer).build(self.network.trainable_variables)
            if config.encoder_rate != 1 and isinstance(self.optimizer, Adam):
                encoder = {variable.path for variable in self.network.encoder.trainable_variables}
                paths = [variable.path for variable in self.network.trainable_variables]
                self.optimizer.factors = {i: config.encoder_rate for i, path in enumerate(paths) if path in encoder}
        # the steps branch on Python values alone: AutoGraph would take half of the time of tracing
        self.train_step = tf.function(self._train_step, reduce_retracing=True, autograph=False)
        self.validation_step = tf.function(self._validation_step, reduce_retracing=True, autograph=False)
        self.forward_step = tf.function(self._forward_step, reduce_retracing=True, autograph=False)

    @abc.abstractmethod
    def build(self) -> keras.Model:
        """The network, its variables made."""

    @abc.abstractmethod
    def losses(self, batch: dict[str, tf.Tensor], training: bool) -> dict[str, tf.Tensor]:
        """Batch of samples -> the parts of the loss and other scalars to show."""

    @abc.abstractmethod
    def look(self, database: Database, entries: list[ObjectEntry]) -> Look:
        """What the network makes of some of the validation objects, always the same."""

    @classmethod
    def source_database(cls, config: typing.Any, entries: list[ObjectEntry], database: Database) -> typing.Any:
        """The database that samples are read from."""
        return database

    @property
    def variables(self) -> dict[str, list[keras.Variable]]:
        """{group: variables} for checkpoints. The scale of the loss is none of them: another
        precision can resume the run.
        """
        return {"network": self.network.variables, "optimizer": self.optimizer.variables}

    def set_elapsed(self, share: float) -> None:
        """Tell the schedule which share of the training is over, in [0, 1]."""
        if isinstance(self.schedule, Cosine):
            self.schedule.elapsed.assign(share)

    def learning_rate(self) -> float:
        """The learning rate of the last step; before the first step, of that one."""
        return float(self.schedule(tf.maximum(self.optimizer.iterations.value - 1, 0)))

    @contextlib.contextmanager
    def averaged_weights(self) -> collections.abc.Iterator[None]:
        """Give the network its averaged weights (config.averaging) in the block."""
        if not self.config.averaging:
            yield
            return
        variables = self.network.trainable_variables
        own = [tf.identity(variable.value) for variable in variables]
        self.optimizer.finalize_variable_values(variables)
        try:
            yield
        finally:
            for variable, value in zip(variables, own, strict=True):
                variable.assign(value)

    def settle_statistics(self, batches: collections.abc.Iterable[typing.Any]) -> None:
        """Give batch normalisation the mean statistics of some training batches with these weights.

        Its moving averages lag behind weights that change quickly (Wu & Johnson 2021).
        """
        names = ("moving_mean", "moving_variance")
        moving = [v for v in self.network.non_trainable_variables if v.path.rpartition("/")[2] in names]
        sums, count = [tf.zeros(variable.shape) for variable in moving], 0
        for batch in batches:
            for variable in moving:
                variable.assign(tf.zeros(variable.shape))  # then one step leaves a part of the batch's alone
            self.forward_step(batch)
            sums = [total + variable.value / (1 - MOMENTUM) for total, variable in zip(sums, moving, strict=True)]
            count += 1
        for variable, total in zip(moving, sums, strict=True):
            variable.assign(total / count)

    def _train_step(self, batch):
        """Batch (per replica) -> the minimised loss, its parts, the norm of its gradient, all of
        the whole batch.
        """

        def replica(batch):
            with tf.GradientTape() as tape:
                parts = self.losses(batch, training=True)
                total = self._total(parts)
                if self.config.optimizer != "adamw":  # which decays the weights itself
                    parts["weight_decay"] = losses.weight_decay(self.network, self.config.weight_decay)
                    total += parts["weight_decay"]
                # gradients are summed over replicas; the mean over the whole batch is wanted
                scale = tf.convert_to_tensor(self.scaling.dynamic_scale) if self.scaling else 1.0
                scaled = scale * total / self.strategy.num_replicas_in_sync
            variables = self.network.trainable_variables
            gradients = self.optimizer.summed(tape.gradient(scaled, variables), variables)
            norm = tf.linalg.global_norm(gradients) / scale
            if self.scaling:
                gradients, norm = self._all_or_none(gradients, norm)
            (self.scaling or self.optimizer).apply_gradients(zip(gradients, variables, strict=True))
            return {"loss": total, **parts, "gradient": norm}

        return self._mean(self.strategy.run(replica, (batch,)))

    def _forward_step(self, batch):
        """Batch (per replica) -> its loss; it moves the averages of batch normalisation."""
        return self._mean(
            self.strategy.run(lambda batch: {"loss": self._total(self.losses(batch, training=True))}, (batch,))
        )

    def _validation_step(self, batch):
        def replica(batch):
            parts = self.losses(batch, training=False)
            return {"loss": self._total(parts), **parts}

        return self._mean(self.strategy.run(replica, (batch,)))

    def _all_or_none(self, gradients, norm):
        """Where the norm of the gradients is not finite none of them is: the step is left out.

        The norm, which a user sees, is 0 then.
        """
        finite = tf.math.is_finite(norm)
        blank = tf.where(finite, 0.0, math.nan)
        return [gradient + blank for gradient in gradients], tf.where(finite, norm, 0.0)

    def _total(self, parts):
        return tf.add_n([parts[name] for name in self.minimised if name in parts])

    def _mean(self, parts):
        return {name: self.strategy.reduce("MEAN", value, axis=None) for name, value in parts.items()}
