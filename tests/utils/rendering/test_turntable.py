"""Pictures of a reconstruction are as bright as viewers, which show its colours as they are."""

import numpy as np
import trimesh

from utils.rendering.turntable import scene_of, turntable

GREY = 0.6


def test_a_sphere_keeps_its_brightness_and_shows_its_shape():
    sphere = trimesh.creation.icosphere(3, 0.5)
    image = turntable(scene_of(sphere.vertices, sphere.faces, np.full((len(sphere.vertices), 3), GREY)))[0]
    shown = image[(image != 255).all(-1)] / 255 / GREY
    np.testing.assert_allclose(shown.mean(), 1, atol=0.03)
    assert shown.min() < 0.9 and shown.max() > 1.1
