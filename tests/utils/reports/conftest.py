"""A reconstruction to write and to draw."""

import numpy as np
import pytest
import trimesh

from utils.geometry.cameras import compose, intrinsics, look_at
from utils.rendering import turntable
from utils.reports.reconstruction import Reconstruction


@pytest.fixture
def octahedron(monkeypatch):
    """A grey octahedron whose longest side is 1, and a field that is 0 everywhere."""
    monkeypatch.setattr(turntable, "SIZE", 32)
    hull = trimesh.convex.convex_hull(np.concatenate([np.eye(3), -np.eye(3)]) / 2)
    return Reconstruction(
        size=(48, 64),
        photo=np.zeros((24, 32, 3), np.uint8),
        mask=np.full((24, 32), 255, np.uint8),
        foreground="none",
        notes=["a note"],
        warnings=["a warning"],
        category={"name": "other_vehicle", "probability": 0.95},
        novelty={"distance": 1.25, "overlap": 0.5},
        seen=np.zeros((8, 8, 3), np.float32),
        photo_camera=compose(intrinsics(32), look_at(40, 25, 2)),
        camera_source="estimated",
        camera_choice={"support": 0.5, "other": {"azimuth": 220.0, "elevation": 25.0, "support": 0.4}},
        iso=0.25,
        iso_at_bound=True,
        vertices=hull.vertices,
        faces=hull.faces,
        extracted_faces=1000,
        colours=np.full(hull.vertices.shape, 0.5),
        field_colours=np.full(hull.vertices.shape, 0.5),
        photo_colours=None,
        normals=hull.vertex_normals,
        field=lambda points: np.zeros(len(points)),
        colour_of=lambda points: np.full((len(points), 3), 0.5),
    )
