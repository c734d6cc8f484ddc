"""The outline of a ball against masks whose overlap is known."""

import numpy as np
import pytest
import trimesh

from utils.geometry.cameras import compose, intrinsics, look_at
from utils.rendering.outline import outline_overlap
from utils.rendering.ray_surface import RaySurface

SIZE = 160


def disc(radius, column=(SIZE - 1) / 2):
    v, u = np.indices((SIZE, SIZE))
    return np.where(np.hypot(u - column, v - (SIZE - 1) / 2) <= radius, 255, 0).astype(np.uint8)


@pytest.mark.parametrize("share", [1.0, 0.5, 0.2])
def test_overlap_of_discs(share):
    ball = trimesh.creation.icosphere(4, 0.4)
    surface, camera = RaySurface(ball.vertices, ball.faces), compose(intrinsics(SIZE), look_at(30, 20, 2.0))
    focal = intrinsics(SIZE)[0, 0]
    radius = focal * 0.4 / np.sqrt(2.0**2 - 0.4**2)  # of the silhouette, in pixels
    assert outline_overlap(surface, disc(radius * np.sqrt(share)), camera) == pytest.approx(share, abs=0.03)
    assert outline_overlap(surface, disc(radius / np.sqrt(share)), camera) == pytest.approx(share, abs=0.03)


def test_nothing_in_common():
    ball = trimesh.creation.icosphere(3, 0.2)
    surface, camera = RaySurface(ball.vertices, ball.faces), compose(intrinsics(SIZE), look_at(0, 0, 2.0))
    assert outline_overlap(surface, disc(10, 10), camera) == 0
    assert outline_overlap(surface, np.zeros((SIZE, SIZE), np.uint8), camera) == 0
