"""The bases of chairs and tables: every function gives parts between the floor y = 0 and y = top.

A seat or table top begins a little below `top`, so that they overlap. Common arguments: x and z are
half the size of the seat or table top, `thickness` is that of a leg, `image` the texture.
"""

from collections.abc import Mapping

import numpy as np
from numpy.random import Generator
from PIL.Image import Image

from preprocessing.shapes import parts
from preprocessing.shapes.parts import Part
from preprocessing.shapes.textures import chance, pick

LEGS = ["square", "tapered", "round", "turned", "splayed", "cabriole", "hairpin"]


def turned(rng: Generator, count: int = 16, low: float = 0.55) -> np.ndarray:
    """(count,) radii in [low, 1] of a turned post: rings, bulbs and hollows."""
    steps = np.linspace(0, 1, count)
    radii = np.interp(steps, np.linspace(0, 1, 7), rng.uniform(low, 1, 7)) + 0.25 * np.sin(
        2 * np.pi * rng.integers(2, 5) * steps
    )
    return np.clip(radii, low, 1)


def four_legs(
    rng: Generator, image: Image, x: float, z: float, top: float, thickness: float, kind: str | None = None
) -> list[Part]:
    """Four legs at the corners, sometimes with stretchers; `kind` is one of LEGS or drawn."""
    kind = kind or pick(rng, LEGS)
    half = thickness / 2
    x, z = max(x - half * 1.3, half), max(z - half * 1.3, half)
    splay = rng.uniform(0.05, 0.22) * top if kind == "splayed" else rng.uniform(0, 0.04) * top * chance(rng, 0.3)
    if kind == "splayed":
        x, z = x * rng.uniform(0.55, 0.95), z * rng.uniform(0.55, 0.95)
    waist, power = rng.uniform(0.4, 0.7), pick(rng, [2.0, 5.0])
    profile = half * turned(rng)
    bulge, reverse = rng.uniform(0.6, 1.4) * half, chance(rng, 0.5)
    pieces, feet = [], {}
    for sx in (-1, 1):
        for sz in (-1, 1):
            foot, head = np.array([sx * (x + splay), 0, sz * (z + splay)]), np.array([sx * x, top, sz * z])
            feet[sx, sz] = foot, head
            if kind == "square":
                pieces.append(parts.tube(image, [foot, head], half * 0.85, sides=4))
            elif kind in ("tapered", "splayed"):
                radii = [max(half * waist, 0.015), half]
                pieces.append(
                    parts.tube(image, [foot, head], radii[::-1] if reverse and kind == "tapered" else radii, 10, power)
                )
            elif kind == "round":
                pieces.append(parts.tube(image, [foot, head], half, 10))
            elif kind == "turned":
                pieces.append(parts.tube(image, np.linspace(foot, head, len(profile)), np.maximum(profile, 0.015), 8))
            elif kind == "cabriole":
                t = np.linspace(0, 1, 9)[:, None]
                path = foot + t * (head - foot) + np.array([sx, 0, sz]) * bulge * np.sin(2 * np.pi * (t - 0.5)) * -1
                path[:, 1] = t[:, 0] * top
                pieces.append(
                    parts.tube(image, path, half * np.array([0.9, 0.62, 0.55, 0.6, 0.68, 0.8, 0.95, 1, 1]), 8)
                )
            else:
                spread = 0.22 * min(x, z) + half
                for shift in ([-sx * spread, 0, 0], [0, 0, -sz * spread]):
                    pieces.append(parts.tube(image, [foot + [0, 0.008, 0], head + shift], max(0.015, half * 0.45), 8))
    if kind in ("square", "round", "turned", "tapered", "splayed") and chance(rng, 0.45):
        pieces += _stretchers(rng, image, feet, thickness)
    return pieces


def _stretchers(
    rng: Generator, image: Image, feet: Mapping[tuple[int, int], tuple[np.ndarray, np.ndarray]], thickness: float
) -> list[Part]:
    """Bars between the legs in the form of an H, a box, or a box of two heights."""
    low, width = rng.uniform(0.12, 0.55), max(0.03, thickness * rng.uniform(0.45, 0.7))
    form = pick(rng, ["h", "box", "stairs"])

    def at(sx: int, sz: int, share: float) -> np.ndarray:
        foot, head = feet[sx, sz]
        return foot + share * (head - foot)

    pieces = [parts.beam(image, at(sx, -1, low), at(sx, 1, low), width, width) for sx in (-1, 1)]
    if form == "h":
        left, right = ((at(sx, -1, low) + at(sx, 1, low)) / 2 for sx in (-1, 1))
        return [*pieces, parts.beam(image, left, right, width * 0.9, width * 0.9)]
    share = low if form == "box" else min(low + rng.uniform(0.1, 0.25), 0.85)
    return pieces + [parts.beam(image, at(-1, sz, share), at(1, sz, share), width * 0.9, width * 0.9) for sz in (-1, 1)]


def pedestal(rng: Generator, image: Image, x: float, z: float, top: float, thickness: float) -> list[Part]:
    """One column on a disc, a dome, a block or a cross of feet."""
    foot = rng.uniform(0.55, 0.95) * min(x, z)
    radius = rng.uniform(0.6, 1.6) * thickness
    radius = min(radius, foot * 0.6)
    kind = pick(rng, ["straight", "cone", "waist", "turned", "square"])
    heights = np.linspace(0.012, top, 16)
    steps = np.linspace(0, 1, 16)
    shape = {
        "straight": np.ones(16), "cone": 1.3 - 0.8 * steps, "square": np.ones(16),
        "waist": 0.6 + 2.2 * (steps - rng.uniform(0.35, 0.6)) ** 2, "turned": turned(rng),
    }[kind]  # fmt: skip
    if kind == "square":
        pieces = [parts.box(image, [-radius, 0.012, -radius], [radius, top, radius])]
    else:
        pieces = [parts.lathe(image, heights, np.maximum(radius * shape, 0.015), sides=14)]
    kind = pick(rng, ["disc", "dome", "block", "cross"])
    height = rng.uniform(0.025, 0.06)
    if kind == "disc":
        pieces.append(parts.lathe(image, [0, height * 0.7, height], [foot, foot, foot * 0.93], sides=24))
    elif kind == "dome":
        curve = np.linspace(0, 1, 6)
        pieces.append(
            parts.lathe(
                image, curve * rng.uniform(0.08, 0.2) * top, np.maximum(foot * (1 - curve**0.6), radius * 0.4), sides=20
            )
        )
    elif kind == "block":
        pieces.append(parts.box(image, [-foot, 0, -foot], [foot, height, foot], top=rng.uniform(0.6, 1)))
    else:
        pieces += _spider(
            image, int(rng.integers(3, 6)), foot * 1.1, radius, rng.uniform(0.05, 0.3) * top, thickness * 0.8
        )
    plate = min(rng.uniform(1.3, 2.5) * radius, min(x, z) * 0.9)
    return [*pieces, parts.lathe(image, [top - 0.03, top], [plate, plate], sides=14)]


def _spider(image: Image, count: int, reach: float, radius: float, rise: float, thickness: float) -> list[Part]:
    """Feet that leave the column at height `rise` and end at `reach` from its axis."""
    pieces = []
    for k in range(count):
        angle = 2 * np.pi * (k + 0.5) / count
        out = np.array([np.sin(angle), 0, np.cos(angle)])
        start = out * radius * 0.3 + [0, max(rise, 0.035), 0]
        path = parts.bend(
            [start, out * reach * 0.55 + [0, max(rise * 0.8, 0.03), 0], out * reach + [0, 0.016, 0]], reach * 0.4
        )
        pieces.append(parts.tube(image, path, np.linspace(max(thickness * 0.5, 0.018), 0.015, len(path)), 8))
    return pieces


def star(rng: Generator, image: Image, x: float, z: float, top: float, thickness: float) -> list[Part]:
    """The base of an office chair: a gas column on four to six arms with castors or gliders."""
    reach, radius, hub = rng.uniform(0.75, 1.05) * min(x, z), max(thickness * 0.45, 0.018), rng.uniform(0.14, 0.3) * top
    wheel = rng.uniform(0.02, 0.035)
    count = int(rng.integers(4, 7))
    pieces = [
        parts.lathe(
            image, [hub * 0.6, hub * 1.2, hub * 1.25, top], [radius * 1.8, radius * 1.8, radius, radius], sides=12
        ),
        parts.lathe(image, [top - 0.04, top], [radius * 2.2, min(x, z) * 0.6], sides=12),
    ]
    for k in range(count):
        angle = 2 * np.pi * k / count
        out = np.array([np.sin(angle), 0, np.cos(angle)])
        pieces.append(
            parts.tube(image, [out * 0.01 + [0, hub * 0.9, 0], out * reach + [0, wheel * 1.8, 0]], [0.026, 0.02], 8)
        )
        ball = np.array([0, 0.35, 0.8, 1, 0.8, 0.35]) * wheel + 0.004
        at_x, _, at_z = out * reach
        pieces.append(parts.lathe(image, np.linspace(0, 2 * wheel, 6), ball, at_x, at_z, sides=8))
    return pieces


def sled(rng: Generator, image: Image, x: float, z: float, top: float, thickness: float) -> list[Part]:
    """Two bent runners, or the C of a cantilever chair, which is open to the back."""
    radius = max(thickness * 0.42, 0.016)
    x, z = x - radius * 1.2, z - radius * 1.2
    power = pick(rng, [2.0, 5.0])
    corner, lean = rng.uniform(0.02, 0.1), rng.uniform(0, 0.06)
    under = top - radius
    cantilever = chance(rng, 0.4)
    pieces = []
    for sx in (-1, 1):
        loop = [[sx * x, under, -z], [sx * x, under, z], [sx * x, radius, z + lean], [sx * x, radius, -z - lean]]
        if not cantilever:
            loop = [loop[1], loop[2], loop[3], [sx * x, under, -z]]
            loop = [[sx * x, under, z * 0.3], *loop, [sx * x, under, -z * 0.3]]
        pieces.append(parts.tube(image, parts.bend(loop, corner), radius, 8, power))
    ends = [-z - lean + radius] if cantilever else [-z * 0.7, z * 0.7]
    pieces += [parts.tube(image, [[-x, radius, end], [x, radius, end]], radius * 0.95, 8, power) for end in ends]
    return [*pieces, parts.tube(image, [[-x, under, 0], [x, under, 0]], radius * 0.95, 8, power)]


def trestle(rng: Generator, image: Image, x: float, z: float, top: float, thickness: float) -> list[Part]:
    """A frame at either end (X, A, T or a post on a foot) and a beam that joins them."""
    kind = pick(rng, ["x", "a", "t", "post"])
    width = max(thickness, 0.03)
    x, z = x * rng.uniform(0.6, 0.9), z * rng.uniform(0.7, 0.95)
    end, height = x - width / 2, rng.uniform(0.2, 0.55)
    pieces = []
    for sx in (-1, 1):
        at = sx * end
        if kind == "x":
            pieces += [
                parts.beam(image, [at + s * 0.004, 0, -s * z], [at + s * 0.004, top, s * z], width, width)
                for s in (-1, 1)
            ]
            height = 0.5
        elif kind == "a":
            pieces += [
                parts.beam(image, [at + s * 0.004, 0, s * z], [at + s * 0.004, top, s * z * 0.15], width, width)
                for s in (-1, 1)
            ]
            pieces.append(parts.box(image, [at - width * 0.4, top * height - width / 2, -z * (1 - height * 0.8)],
                                  [at + width * 0.4, top * height + width / 2, z * (1 - height * 0.8)]))  # fmt: skip
        else:
            depth = width * (rng.uniform(1.2, 2.2) if kind == "t" else 0.6)
            pieces.append(parts.box(image, [at - width / 2, 0.01, -depth], [at + width / 2, top, depth]))
            pieces += [
                parts.box(image, [at - width * 0.7, y, -z], [at + width * 0.7, y + width, z]) for y in (0, top - width)
            ]
    return [*pieces, parts.beam(image, [-end, top * height, 0], [end, top * height, 0], width * 1.2, width * 0.8)]


def panels(rng: Generator, image: Image, x: float, z: float, top: float, thickness: float) -> list[Part]:
    """Two upright boards, often with a third one behind; sometimes they lean."""
    width = max(thickness * 0.6, 0.03)
    z, lean = z * rng.uniform(0.8, 0.97), rng.uniform(0, 0.2) * x * chance(rng, 0.4)
    pieces = []
    for sx in (-1, 1):
        ends = [[sx * (x - width / 2 - lean), 0, 0], [sx * (x - width / 2), top, 0]]
        pieces.append(parts.tube(image, ends, [[width / 2, z]] * 2, sides=4))
    inside = x - width / 2
    if lean or chance(rng, 0.4):
        pieces.append(parts.box(image, [-inside, top * 0.4, -z * 0.1 - width], [inside, top * 0.75, -z * 0.1]))
        if lean:
            return pieces
    if chance(rng, 0.5):
        pieces.append(
            parts.box(image, [-inside, top * rng.uniform(0, 0.6), -z + 0.006], [inside, top, -z + 0.006 + width])
        )
    return pieces


def solid(rng: Generator, image: Image, x: float, z: float, top: float, thickness: float) -> list[Part]:
    """A block or a drum down to the floor."""
    inset = rng.uniform(0.6, 0.95)
    taper = rng.uniform(0.7, 1.2)
    if chance(rng, 0.5):
        return [parts.box(image, [-x * inset, 0, -z * inset], [x * inset, top, z * inset], top=min(taper, 1.0 / inset))]
    shape = np.interp(np.linspace(0, 1, 8), [0, 0.5, 1], [1, rng.uniform(0.5, 1.0), min(taper, 1)])
    outline = parts.section(24) * [x * inset, z * inset]
    levels = zip(shape, np.linspace(0, top, 8), strict=True)
    return [
        parts.loft(image, [np.column_stack([outline[:, 0] * s, np.full(24, y), outline[:, 1] * s]) for s, y in levels])
    ]
