"""The choice among proposed cameras by the outline of the field."""

import types

import numpy as np
import pytest

from models.inference.camera_choice import CameraChoice
from models.inference.camera_estimator import Proposal
from tests.helpers import tiny
from utils.geometry import frames
from utils.geometry.cameras import compose, intrinsics, look_at, project

SIZE = 64
HALF = np.array([0.5, 0.12, 0.2])  # of a long box


class BoxQuery:
    """A field that is a box, whatever the image."""

    def __init__(self):
        self.config = tiny.config(False, img_h=SIZE, img_w=SIZE)

    def encode(self, image, trans_mat):
        assert image.shape == (SIZE, SIZE, self.config.image_channels)
        return trans_mat

    def with_camera(self, encoded, trans_mat):
        return trans_mat

    def geometry_of_grid(self, encoded, n):
        return (np.abs(frames.voxel_centres(n)) - HALF).max(-1)

    def occupied(self, geometry, iso):
        return geometry < iso


class NoEstimator:
    def proposals(self, images):
        return [self.given for _ in images]


def camera(azimuth):
    return compose(intrinsics(SIZE), look_at(azimuth, 20, 2.5))


def view(matrix):
    """The box as the camera sees it, (SIZE, SIZE, 4) uint8."""
    points = np.random.default_rng(0).uniform(-HALF, HALF, (40_000, 3))
    u, v = np.rint(project(points, matrix)[0]).astype(int).T
    rgba = np.zeros((SIZE, SIZE, 4), np.uint8)
    rgba[v, u] = 255
    return rgba


@pytest.mark.parametrize("azimuth", [0, 40, 90])
def test_the_likely_camera_whose_outline_agrees_is_taken(azimuth):
    estimator = NoEstimator()
    choice = CameraChoice(estimator, BoxQuery(), 0.0)
    right, wrong = camera(azimuth), camera(azimuth + 90)
    rgba = view(right)
    good, bad = choice.agreements(rgba, [right, wrong])
    assert good > 0.85 > 0.75 > bad
    estimator.given = [Proposal(wrong, 0.6), Proposal(right, 0.4)]
    assert choice.cameras([rgba])[0] is right
    estimator.given = [Proposal(wrong, 0.97), Proposal(right, 0.03)]
    assert choice.cameras([rgba])[0] is wrong  # the network is sure


def test_of_equal_outlines_the_likeliest_is_taken():
    choice = CameraChoice(types.SimpleNamespace(), BoxQuery(), 0.0)
    front, back = camera(30), camera(210)
    rgba = view(front)
    values = choice.agreements(rgba, [front, front])
    assert values[0] == values[1]
    assert choice.choose(rgba, [Proposal(front, 0.5), Proposal(front.copy(), 0.5)]) is front
    assert choice.agreements(np.zeros_like(rgba) + [0, 0, 0, 255], [back])[0] < 0.5
