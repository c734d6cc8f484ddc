"""The paint of a car: colour scheme, windows, doors, lights, grille, in the car's coordinates."""

import numpy as np
from numpy.random import Generator

from preprocessing.shapes.car_shape import Shape
from preprocessing.shapes.textures import Atlas, chance, pick

SCHEMES = ["plain", "plain", "two_tone", "sill", "waist_line", "racing", "roof", "checks", "fade", "panel"]


def paint(rng: Generator, atlas: Atlas, shape: Shape, base: np.ndarray, second: np.ndarray, glass: np.ndarray) -> None:
    """Paint all four views of a car.

    Args:
        rng: source of the random numbers.
        atlas: its image is painted.
        shape: the measures of the car.
        base: (3,) main colour.
        second: (3,) colour of stripes and other decoration.
        glass: (3,) colour of the windows.
    """
    scheme = pick(rng, SCHEMES)
    for view in atlas.layout:
        atlas.fill(view, base)
    _scheme(rng, scheme, atlas, shape, base, second)
    if shape.kind != "convertible":
        _side_windows(rng, atlas, shape, glass)
        _screens(atlas, shape, glass)
    _side_details(rng, atlas, shape, base)
    _ends(rng, atlas, shape, base, second)


def _scheme(rng: Generator, kind: str, atlas: Atlas, shape: Shape, base: np.ndarray, second: np.ndarray) -> None:
    """The main decoration, one of SCHEMES."""
    split = shape.low + rng.uniform(0.3, 0.7) * (shape.waist - shape.low)
    x = shape.half
    if kind in ("two_tone", "sill", "waist_line"):
        low, high = {"two_tone": (0, split), "sill": (0, shape.low + 0.3 * (split - shape.low) + 0.02),
                     "waist_line": (split, split + rng.uniform(0.02, 0.05))}[kind]  # fmt: skip
        atlas.rectangle("side", (-0.5, low), (0.5, high), second)
        for view in ("front", "back"):
            atlas.rectangle(view, (-x, low), (x, high), second)
    elif kind == "racing":
        offset, wide = pick(rng, [0.0, 0.25, 0.5]) * x, rng.uniform(0.1, 0.25) * x
        for s in (-1, 1):
            for view, end in (("top", 0.5), ("front", 9), ("back", 9)):
                atlas.rectangle(view, (s * offset - wide, -0.5), (s * offset + wide, end), second)
    elif kind == "roof":
        atlas.rectangle("top", (-x, shape.base_rear), (x, shape.base_front), second)
        for view, end in (("side", 0.5), ("front", x), ("back", x)):
            atlas.rectangle(view, (-end, shape.waist), (end, 9), second)
    elif kind == "checks":
        size = rng.uniform(0.025, 0.045)
        for k, z in enumerate(np.arange(-0.5, 0.5, size)):
            low = split + size * (k % 2)
            atlas.rectangle("side", (z, low), (z + size, low + size), second)
    elif kind == "fade":
        for k, z in enumerate(np.linspace(-0.5, 0.5, 33)[:-1]):
            tint = base + (second - base) * k / 31
            atlas.rectangle("side", (z, 0), (z + 0.032, 9), tint)
            atlas.rectangle("top", (-x, z), (x, z + 0.032), tint)
        atlas.fill("front", second)
    elif kind == "panel":  # a company's van: a block of colour, a band across it
        start = rng.uniform(-0.45, -0.1)
        atlas.rectangle("side", (start, 0), (start + rng.uniform(0.25, 0.5), 9), second)
        atlas.rectangle("side", (start + 0.03, split), (start + 0.2, split + 0.03), 1 - second)


def _side_windows(rng: Generator, atlas: Atlas, shape: Shape, glass: np.ndarray) -> None:
    """Panes between waist and roof, divided by pillars."""
    cabin = shape.roof - shape.waist
    low, frame = shape.waist + rng.uniform(0.02, 0.12) * cabin, rng.uniform(0.12, 0.24) * cabin
    front, rear = shape.base_front - 0.3 * cabin, shape.base_rear + rng.uniform(0.2, 0.5) * cabin
    count = int(rng.integers(4, 9)) if shape.kind == "bus" else 1 if shape.kind == "truck" else int(rng.integers(2, 4))
    if shape.kind == "van" and chance(rng, 0.5):
        rear, count = front - rng.uniform(0.15, 0.25), 1  # a panel van
    if shape.kind in ("pickup", "coupe"):
        count = int(rng.integers(1, 3))
    if front - rear < 0.03:
        return
    edges, gap = np.linspace(rear, front, count + 1), rng.uniform(0.005, 0.012)
    for a, b in zip(edges[:-1] + gap, edges[1:] - gap, strict=True):
        along = np.linspace(a, b, 9)
        upper = np.minimum(shape.roofline(along) - frame * 0.6, shape.roof - frame)
        upper = np.maximum(upper, low)
        atlas.polygon("side", np.concatenate([[(a, low), (b, low)], np.stack([along, upper], 1)[::-1]]), glass)


def _screens(atlas: Atlas, shape: Shape, glass: np.ndarray) -> None:
    """Windscreen and rear window in the views from the front, from behind and from above."""
    cabin, x = shape.roof - shape.waist, shape.half
    low, high = shape.waist + 0.1 * cabin, shape.roof - 0.16 * cabin
    for view in ("front", "back"):
        if view == "back" and shape.kind == "truck":
            continue
        wide, narrow = 0.84 * x, 0.86 * x * (1 - shape.lean)
        atlas.polygon(view, [(-wide, low), (wide, low), (narrow, high), (-narrow, high)], glass)
    for base, roof in ((shape.base_front, shape.roof_front), (shape.base_rear, shape.roof_rear)):
        near, far = base + 0.1 * (roof - base), base + 0.86 * (roof - base)
        wide, narrow = 0.84 * x, 0.86 * x * (1 - shape.lean)
        atlas.polygon("top", [(-wide, near), (wide, near), (narrow, far), (-narrow, far)], glass)


def _side_details(rng: Generator, atlas: Atlas, shape: Shape, base: np.ndarray) -> None:
    """Wheel arches, door lines, handles, and lights that reach around the corners."""
    dark = base * 0.55
    for z in shape.axles:
        atlas.disc("side", (z, shape.wheel), shape.wheel * rng.uniform(1.12, 1.22), np.full(3, 0.05))
    doors = 1 + (shape.kind in ("sedan", "hatchback", "wagon", "suv"))
    front = min(shape.base_front - 0.02, shape.axles[0] - shape.wheel)
    rear = max(shape.base_rear, min(shape.axles[1:]) + shape.wheel) + 0.02
    for z in np.linspace(front, max(rear, front - 0.2 * doors), doors + 1):
        atlas.line("side", [(z, shape.low + 0.02), (z, shape.waist)], dark)
        if z < front - 0.03:
            atlas.line("side", [(z + 0.02, shape.waist - 0.03), (z + 0.05, shape.waist - 0.03)], base * 0.4, width=2)
    high = shape.low + 0.72 * (shape.bonnet - shape.low)
    atlas.rectangle("side", (0.46, high - 0.02), (0.5, high + 0.015), (0.95, 0.93, 0.8))
    atlas.rectangle("side", (-0.5, high - 0.02), (-0.465, high + 0.02), (0.75, 0.06, 0.05))


def _ends(rng: Generator, atlas: Atlas, shape: Shape, base: np.ndarray, second: np.ndarray) -> None:
    """Head and tail lights, grille, number plates."""
    x, tall = shape.half * (1 - shape.taper), shape.bonnet - shape.low
    high = shape.low + rng.uniform(0.58, 0.75) * tall
    size = rng.uniform(0.016, 0.035)
    lamp, dark = (0.97, 0.95, 0.82), np.full(3, rng.uniform(0.05, 0.3))
    grille = rng.uniform(0.25, 0.6) * x
    atlas.rectangle("front", (-grille, shape.low + 0.25 * tall), (grille, high), dark if chance(rng, 0.8) else second)
    if chance(rng, 0.4):
        for y in np.linspace(shape.low + 0.3 * tall, high, 4):
            atlas.line("front", [(-grille, y), (grille, y)], (0.8, 0.8, 0.8))
    rounded, wide = chance(rng, 0.5), rng.uniform(1.0, 2.2) * size
    tall_tail = rng.uniform(0.8, 3) * size
    for s in (-1, 1):
        at = s * (x - max(wide, size) - 0.012)
        if rounded:
            atlas.disc("front", (at, high), size, lamp)
        else:
            atlas.rectangle("front", (at - wide, high - size * 0.6), (at + wide, high + size * 0.6), lamp)
        atlas.rectangle(
            "back", (at - size * 0.8, high - tall_tail), (at + size * 0.8, high + tall_tail * 0.5), (0.75, 0.06, 0.05)
        )
    for view in ("front", "back"):
        plate = shape.low + 0.3 * tall
        atlas.rectangle(
            view, (-0.05, plate - 0.015), (0.05, plate + 0.015), pick(rng, [(0.92, 0.92, 0.92), (0.95, 0.85, 0.2)])
        )
