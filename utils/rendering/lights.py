"""The light of rendered views: the same for all views, or drawn for every view."""

import dataclasses

import numpy as np

LIGHTS = ("camera", "random")  # how the light of a view is chosen: CAMERA_LIGHT, or random_light


@dataclasses.dataclass(frozen=True)
class Light:
    """Light from everywhere, and directional lights that stand by the camera.

    Attributes:
        ambient: factor of the albedo without any other light.
        directional: (factor, (3,) vector towards the light in the camera frame) of every light;
            the factor is that of a surface which faces the light (Lambert).
    """

    ambient: float
    directional: tuple[tuple[float, tuple[float, float, float]], ...] = ()


CAMERA_LIGHT = Light(0.5, ((0.45, (-0.5, -0.8, -0.9)), (0.15, (0.9, -0.1, -0.6))))
# For colours of a photograph, which have its light in them: shows the shape, and leaves a sphere as
# bright as it is without light, in a viewer of unlit materials.
GENTLE_LIGHT = Light(0.8, ((0.34, (-0.4, -0.7, -0.9)),))


def random_light(rng: np.random.Generator) -> Light:
    """Draw ambient light, a key light from above or the side, and a weaker fill light.

    No light comes from behind the object, so that no view is black.
    """
    ambient = rng.uniform(0.3, 0.75)
    azimuth, height = np.radians(rng.uniform(-80, 80, 2)), np.radians([rng.uniform(5, 80), rng.uniform(-20, 40)])
    strength = rng.uniform(0.9, 1.15) - ambient
    shares = rng.uniform([0.6, 0.0], [1.0, 0.35])
    return Light(
        float(ambient),
        tuple(
            (float(strength * share), (float(np.cos(h) * np.sin(a)), float(-np.sin(h)), float(-np.cos(h) * np.cos(a))))
            for share, a, h in zip(shares, azimuth, height, strict=True)
        ),
    )
