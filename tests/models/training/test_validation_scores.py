"""The scores of a few validation objects against solids whose answers are known."""

import numpy as np
import pytest

from data.shards import Database
from models.training.validation_scores import F_SCORE, VOLUME_IOU, validation_scores
from tests.helpers import tiny


class Field:
    """Exact signed distances of the boxes of the tiny database, grown by a constant, as a query."""

    def __init__(self, binary, database, grown):
        self.config, self.database, self.grown = tiny.config(binary), database, grown
        halves = {}
        for entry in database.objects("val"):
            halves[database.image(entry, 0).tobytes()] = np.abs(database.surface(entry)[0]).max(0)
        self.entries = iter(halves.values())

    def encode(self, image, camera, frame):
        return next(self.entries)

    def geometry(self, half, points):
        outside = np.abs(points) - half
        distance = np.linalg.norm(np.maximum(outside, 0), axis=1) + np.minimum(outside.max(1), 0) - self.grown
        return (-distance if self.config.binary else distance).astype(np.float32)


@pytest.mark.parametrize("binary", [True, False])
def test_the_true_solid_has_nearly_full_marks_and_a_wrong_one_has_not(binary, tiny_database):
    database = Database(tiny_database)
    entries = database.objects("val")
    iso, right = validation_scores(Field(binary, database, 0.0), database, entries)
    assert iso < 0.5 / 64
    assert right[VOLUME_IOU] > 0.9 and right[F_SCORE] > 0.95
    grown = validation_scores(Field(binary, database, 0.08), database, entries).means
    assert grown[VOLUME_IOU] < right[VOLUME_IOU] - 0.1 and grown[F_SCORE] < 0.5
    iso, thin = validation_scores(Field(binary, database, -0.5 / 64), database, entries)
    assert iso == (0.0 if binary else 0.5 / 64)  # where the surface is right again
    assert (thin[F_SCORE] == pytest.approx(right[F_SCORE], abs=0.01)) == (not binary)
    empty = validation_scores(Field(binary, database, -2.0), database, entries).means
    assert empty == {VOLUME_IOU: 0.0, F_SCORE: 0.0}
    assert validation_scores(Field(binary, database, 0.0), database, []) == (0.0, {})
