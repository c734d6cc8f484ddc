"""The loss of soft occupancy."""

import numpy as np
import pytest
import tensorflow as tf

from models.networks.losses import soft_occupancy_losses

SOFTNESS = 0.02


def parts(distance, prediction, colour=None, target=None, near=None):
    geometry = tf.convert_to_tensor(10 * prediction[None, :, None], tf.float32)
    return soft_occupancy_losses(geometry, colour, tf.constant(distance[None], tf.float32), target, near, SOFTNESS)


def test_the_true_distance_costs_least():
    distance = np.random.default_rng(0).normal(0, 0.05, 200)
    truth = float(parts(distance, distance)["geometry"])
    for change in (-0.01, -0.001, 0.001, 0.01):
        assert float(parts(distance, distance + change)["geometry"]) > truth
    occupancy = 1 / (1 + np.exp(distance / SOFTNESS))
    entropy = -(occupancy * np.log(occupancy) + (1 - occupancy) * np.log1p(-occupancy)).mean()
    assert truth == pytest.approx(entropy, rel=1e-4)
    assert float(parts(distance, distance)["iou"]) == 1


def test_far_points_cost_nothing_on_the_right_side():
    for sign in (-1, 1):
        assert float(parts(np.array([sign * 1.0]), np.array([sign * 0.4]))["geometry"]) < 1e-6
    assert float(parts(np.array([1.0]), np.array([-0.4]))["geometry"]) == pytest.approx(20, rel=1e-3)


def test_colours_count_near_the_surface_alone():
    rng = np.random.default_rng(0)
    colour, target = rng.random((2, 1, 10, 3)).astype(np.float32)
    near = np.arange(10)[None] < 4
    found = parts(np.zeros(10), np.zeros(10), tf.constant(colour), tf.constant(target), tf.constant(near))["colour"]
    assert float(found) == pytest.approx(np.abs(colour - target)[0, :4].mean(), rel=1e-5)
    none = parts(np.zeros(10), np.zeros(10), tf.constant(colour), tf.constant(target), tf.constant(near & False))
    assert float(none["colour"]) == 0
