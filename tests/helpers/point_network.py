"""A network of four layers in place of the field network, for tests of what trains one.

The variables of a whole network and the tracing of its steps take most of the time of a short run.
"""

import keras
import numpy as np
import tensorflow as tf

from models.networks.layers import BuiltByCall, activate, normaliser
from models.training.field_trainer import FieldTrainer
from models.training.trainer import Look


class PointNetwork(BuiltByCall, keras.Model):
    """Geometry and colour of points by the mean colour of the image, in the settings of a Config
    that are of no encoder or decoder.
    """

    def __init__(self, config):
        super().__init__(name="texdisn")
        self.config = config
        self.encoder = keras.layers.Dense(8, name="encoder")
        self.hidden = keras.layers.Dense(8, name="hidden")
        self.norm = normaliser(config, "norm", "float32")
        self.geometry = keras.layers.Dense(2 if config.binary else 1, name="geometry")
        self.colour = keras.layers.Dense(3, name="colour")

    def call(self, inputs, training=False):
        """Images, points and cameras -> geometry, colour."""
        images, points, _ = inputs
        x = self.hidden(points) + self.encoder(tf.reduce_mean(images, (1, 2)))[:, None]
        x = activate(x, self.norm, training)
        return self.geometry(x), self.colour(x)


def build_point_network(config):
    """As models.networks.texdisn.build_field_network."""
    network = PointNetwork(config)
    network([tf.zeros((1, config.img_h, config.img_w, config.image_channels)), tf.zeros((1, 2, 3)), tf.ones((1, 4, 3))])
    return network


def take_the_place(put=setattr):
    """In all trainers that follow; `put` is monkeypatch.setattr where it is for a while.

    The network has no surface, so nothing is drawn or measured of it.
    """
    put(FieldTrainer, "build", lambda trainer: build_point_network(trainer.config))
    draw_nothing(put)


def draw_nothing(put=setattr):
    """No pictures and scores of validation objects in all trainers that follow."""
    put(FieldTrainer, "look", lambda *_: Look(np.zeros((4, 4, 3), np.float32), {}))
