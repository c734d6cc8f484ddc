"""Many points in chunks: the same values as all at once, and a stop between the pieces."""

import numpy as np
import pytest
import tensorflow as tf

from models.inference.chunks import PIECE, in_chunks
from utils.stages import stopped_by


def test_pieces_give_what_all_points_give_and_a_job_stops_between_them():
    points = np.random.default_rng(0).uniform(-1, 1, (2 * PIECE * 256 + 700, 3)).astype(np.float32)
    function = in_chunks(lambda points, *_: [2 * points, tf.reduce_sum(points, 1, keepdims=True)], 256)
    doubled, sums = function(points)
    np.testing.assert_array_equal(doubled, 2 * points)
    np.testing.assert_allclose(sums, points.sum(1, keepdims=True), atol=1e-6)
    assert [values.shape[0] for values in function(points[:0])] == [0, 0]

    class Stop(Exception):
        pass

    calls = []

    def check():
        calls.append(1)
        if len(calls) == 3:
            raise Stop

    with stopped_by(check), pytest.raises(Stop):
        function(points)
    function(points)  # after the block nothing is asked any more
    assert len(calls) == 3
