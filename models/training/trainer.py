"""One training step and one validation step, compiled, on any tf.distribute strategy."""

import keras
import tensorflow as tf

from models.networks import losses
from models.networks.texdisn import build
from models.training.preview import validation_picture


class StepDecay(keras.optimizers.schedules.LearningRateSchedule):
    """learning_rate x decay_rate^floor(step x batch_size / decay_step), at least 1e-6 (the original's)."""

    def __init__(self, config):
        self.config = config

    def __call__(self, step):
        c = self.config
        exponent = tf.floor(tf.cast(step, tf.float32) * c.batch_size / c.decay_step)
        return tf.maximum(c.learning_rate * c.decay_rate**exponent, 1e-6)

    def get_config(self):
        return {"config": self.config}


class Adam(keras.optimizers.Adam):
    """Adam (Kingma & Ba 2015). On one device TensorFlow's fused kernel takes the place of Keras's dozen passes over memory."""

    def update_step(self, gradient, variable, learning_rate):
        if tf.distribute.get_strategy().num_replicas_in_sync > 1:
            super().update_step(gradient, variable, learning_rate)
            return
        index, step = self._get_variable_index(variable), tf.cast(self.iterations.value + 1, tf.float32)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle, m=self._momentums[index].value.handle, v=self._velocities[index].value.handle,
            beta1_power=self.beta_1**step, beta2_power=self.beta_2**step, lr=learning_rate,
            beta1=self.beta_1, beta2=self.beta_2, epsilon=self.epsilon, grad=gradient,
        )  # fmt: skip


def make_optimizer(config):
    schedule = StepDecay(config)
    if config.optimizer == "adam":
        return Adam(schedule, beta_1=config.beta1, name="adam")  # the name is in checkpoints
    return keras.optimizers.SGD(schedule, momentum=config.momentum, name="momentum")


class Trainer:
    """Network, optimiser and compiled steps under a strategy."""

    minimised = ("geometry", "colour")  # the parts of the losses whose sum, with weight decay, training brings down
    picture_shows = "input, prediction, truth"

    def __init__(self, config, strategy):
        self.config, self.strategy = config, strategy
        with strategy.scope():
            self.network = self.build()
            self.optimizer = make_optimizer(config)
            self.optimizer.build(self.network.trainable_variables)
        self.train_step = tf.function(self._train_step, reduce_retracing=True)
        self.validation_step = tf.function(self._validation_step, reduce_retracing=True)

    def build(self):
        return build(self.config, all_bfloat16=True)

    @property
    def variables(self):
        """{group: variables} for checkpoints."""
        return {"network": self.network.variables, "optimizer": self.optimizer.variables}

    def picture(self, database, entries):
        """(H, W, 3) in [0, 1] for TensorBoard."""
        return validation_picture(self.network, database, entries)

    def _losses(self, batch, training):
        geometry, colour = self.network([batch["image"], batch["points"], batch["trans_mat"]], training=training)
        if self.config.binary:
            return losses.binary_losses(geometry, colour, batch["colour"])
        return losses.sdf_losses(
            geometry, colour, batch["distance"], batch["colour"], batch["near"], self.config.mask_weight
        )

    def _train_step(self, batch):
        """Batch (per replica) -> dict of the loss that is minimised, its parts, the norm of its gradient; means over replicas."""

        def replica(batch):
            with tf.GradientTape() as tape:
                parts = self._losses(batch, training=True)
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
            parts = self._losses(batch, training=False)
            return {"loss": self._total(parts), **parts}

        return self._mean(self.strategy.run(replica, (batch,)))

    def _total(self, parts):
        return tf.add_n([parts[name] for name in self.minimised if name in parts])

    def _mean(self, parts):
        return {name: self.strategy.reduce("MEAN", value, axis=None) for name, value in parts.items()}
