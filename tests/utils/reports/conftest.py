"""A reconstruction to write and to draw."""

import numpy as np
import pytest

from tests.helpers.octahedron import hull, reconstruction
from utils.geometry.cameras import compose, intrinsics, look_at
from utils.rendering import turntable


@pytest.fixture
def octahedron(monkeypatch):
    """A grey octahedron whose longest side is 1, and a field that is 0 everywhere."""
    monkeypatch.setattr(turntable, "SIZE", 32)
    return reconstruction(
        hull(),
        size=(48, 64),
        photo=np.zeros((24, 32, 3), np.uint8),
        mask=np.full((24, 32), 255, np.uint8),
        foreground="none",
        notes=["a note"],
        category={"name": "other_vehicle", "probability": 0.95},
        photo_camera=compose(intrinsics(32), look_at(40, 25, 2)),
        iso=0.25,
        iso_at_bound=True,
        extracted_faces=1000,
        colours=np.full((6, 3), 0.5),
        field_colours=np.full((6, 3), 0.5),
        photo_colours=None,
        colour_of=lambda points: np.full((len(points), 3), 0.5),
    )
