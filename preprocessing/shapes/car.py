"""Cars, vans, buses and trucks: the nose points to +z, the length is about 1.

Windows, lights and trim are painted.
"""

import numpy as np
from numpy.random import Generator
from PIL.Image import Image

from preprocessing.shapes import liveries, parts, textures
from preprocessing.shapes.car_shape import BODIES, Shape
from preprocessing.shapes.parts import Part
from preprocessing.shapes.textures import chance, pick

GLASS = ((0.12, 0.15, 0.19), (0.3, 0.4, 0.48), (0.55, 0.68, 0.75), (0.05, 0.05, 0.06))


def make(rng: Generator) -> list[Part]:
    """One car: body type, measures, paint scheme and extras are drawn independently."""
    shape = Shape(rng, pick(rng, list(BODIES)))
    atlas = textures.Atlas([-shape.half, 0, -0.5], [shape.half, shape.roof + 0.01, 0.5], textures.LENGTHWISE)
    base = textures.colour(rng)
    second = textures.contrast(rng, base)
    glass = np.array(pick(rng, GLASS))
    liveries.paint(rng, atlas, shape, base, second, glass)
    pieces = [_hull(rng, shape)]
    if shape.kind == "convertible":
        pieces += _open_cabin(rng, shape, glass)
    else:
        pieces.append(_cabin(rng, shape))
    if shape.kind == "pickup":
        pieces += _bed(shape)
    pieces = [part if part.image else part.painted(atlas) for part in pieces]
    if shape.kind == "truck":
        pieces += _load(rng, shape, base, second)
    trim = textures.paint(rng, np.array([0.08, 0.08, 0.09]) if chance(rng, 0.6) else second)
    pieces += _wheels(rng, shape) + _extras(rng, shape, trim)
    return pieces


def _hull(rng: Generator, shape: Shape) -> Part:
    """The body below the windows, as cross-sections along z."""
    z = np.array([-0.5, -0.485, -0.45, -0.35, -0.2, 0, 0.2, 0.35, 0.45, 0.485, 0.5])
    z = np.unique(np.concatenate([z, np.clip([shape.base_front, shape.base_rear], -0.48, 0.48)]))
    high = np.interp(
        z,
        [-0.5, min(shape.base_rear, -0.44), shape.base_front, 0.5],
        [shape.tail, shape.waist, shape.waist, shape.bonnet],
    )
    if shape.kind in ("pickup", "truck"):
        high = np.where(z < shape.base_rear - 1e-6, shape.deck, high)
    low = np.interp(np.abs(z), [0.35, 0.5], [shape.low, shape.chin])
    ends = np.interp(np.abs(z), [0.44, 0.5], [0, rng.uniform(0.05, 0.25)])  # the rounded nose and tail are lower
    high = high - ends * (high - low)
    round_off, tuck = rng.uniform(0.03, 0.2), rng.uniform(0.0, 0.12)
    section = np.array([(1 - tuck, 0), (1, 0.25), (1, 0.7), (1 - round_off * 0.3, 0.92), (1 - round_off, 1)])
    section = np.concatenate([section, section[::-1] * [-1, 1]])
    rings = [np.column_stack([section[:, 0] * w, b + section[:, 1] * (t - b), np.full(10, at)])
             for at, w, b, t in zip(z, shape.width(z), low, high, strict=True)]  # fmt: skip
    return parts.loft(None, rings)


def _cabin(rng: Generator, shape: Shape) -> Part:
    """Windows and roof, as cross-sections whose sides lean inward with the height."""
    z = np.linspace(shape.base_rear, shape.base_front, 17)
    z = np.unique(np.concatenate([z, [shape.roof_rear, shape.roof_front]]))
    crown = rng.uniform(0, 0.12)
    high = (shape.roofline(z) - shape.waist) * (1 - crown * np.linspace(-1, 1, len(z)) ** 2)
    floor, corner = -0.03, rng.uniform(0.04, 0.16)
    rings = []
    for at, top in zip(z, np.maximum(high, 0.004), strict=True):
        half = shape.width(at) * 0.965
        rise = np.array([floor, 0, top * 0.55, top * 0.88, top])
        x = (
            half
            * (1 - shape.lean * np.maximum(rise, 0) / (shape.roof - shape.waist))
            * np.array([1, 1, 1, 1 - 0.25 * corner, 1 - corner])
        )
        right = np.stack([x, shape.waist + rise], 1)
        rings.append(np.column_stack([np.concatenate([right, right[::-1] * [-1, 1]]), np.full(10, at)]))
    return parts.loft(None, rings)


def _open_cabin(rng: Generator, shape: Shape, glass: np.ndarray) -> list[Part]:
    """A windscreen and two seats instead of a roof."""
    half, high = shape.width(shape.base_front) * 0.86, shape.roof - shape.waist
    screen = parts.box(textures.paint(rng, glass), [-half, -0.03, -0.012], [half, high * 0.8, 0.012], top=0.9)
    pieces = [screen.turned([1, 0, 0], -rng.uniform(25, 45)).moved(y=shape.waist, z=shape.base_front - 0.01)]
    seat = textures.leather(rng)
    for row in range(1 + chance(rng, 0.4)):
        at = shape.base_front - 0.16 - 0.15 * row
        low, top = shape.waist - 0.03, shape.waist + high * 0.5
        pieces += [
            parts.box(seat, [s * half * 0.14, low, at], [s * half * 0.84, top, at - 0.045], 0.9) for s in (-1, 1)
        ]
    if chance(rng, 0.5):
        corner = [-half * 0.9, shape.waist - 0.02, shape.base_rear - 0.06]
        opposite = [half * 0.9, shape.waist + 0.03, shape.base_rear + 0.07]
        pieces.append(parts.box(seat, corner, opposite, 0.85))  # the folded roof
    return pieces


def _bed(shape: Shape) -> list[Part]:
    """Side walls and a tailgate behind a pickup's cab."""
    half, front, rear = shape.half * (1 - shape.taper * 0.5), shape.base_rear + 0.02, -0.485
    low, high = shape.deck - 0.04, shape.waist - 0.004
    pieces = [parts.box(None, [s * half * 0.86, low, rear], [s * half * 1.004, high, front]) for s in (-1, 1)]
    return [*pieces, parts.box(None, [-half * 0.98, low, rear - 0.018], [half * 0.98, high - 0.006, rear + 0.022])]


def _load(rng: Generator, shape: Shape, base: np.ndarray, second: np.ndarray) -> list[Part]:
    """The load of a truck: a box, a tank, a tipper or a flat bed."""
    half, front, rear = shape.half * rng.uniform(0.96, 1.08), shape.base_rear - rng.uniform(-0.01, 0.01), -0.505
    low, high = shape.deck - 0.015, shape.waist + rng.uniform(0.4, 1.4) * (shape.roof - shape.waist)
    image = pick(rng, [textures.paint, textures.paint, textures.weave])(
        rng, pick(rng, [base, second, np.array([0.93, 0.93, 0.92])])
    )
    kind = pick(rng, ["box", "tank", "tipper", "flat"])
    join = parts.box(image, [-half * 0.5, low, front - 0.05], [half * 0.5, low + 0.06, shape.base_rear + 0.03])
    if kind == "box":
        return [join, parts.box(image, [-half, low, rear], [half, high, front])]
    if kind == "tank":
        radius = min(half, (high - low) / 2)
        ends = [[0, low + radius, z] for z in (rear, rear + 0.03, front - 0.03, front)]
        return [join, parts.tube(image, ends, np.array([0.8, 1, 1, 0.8]) * radius, 18)]
    bed = parts.box(image, [-half, low, rear], [half, low + 0.05, front])
    if kind == "flat":
        return [join, bed]
    walls = [
        parts.box(image, [s * half * 0.88, low + 0.01, rear + 0.005], [s * half * 0.995, high * 0.8, front - 0.005])
        for s in (-1, 1)
    ]
    gates = [
        parts.box(image, [-half * 0.97, low + 0.02, z], [half * 0.97, high * 0.78, z + 0.025])
        for z in (rear + 0.008, front - 0.033)
    ]
    return [join, bed, *walls, *gates]


def _wheels(rng: Generator, shape: Shape) -> list[Part]:
    """Tyres with painted rims, a little outside the body."""
    image = textures.Atlas([-1, -1, -1], [1, 1, 1], {"side": (0, 0, 1, 1)}, size=64)
    tyre, rim = (
        np.full(3, rng.uniform(0.04, 0.14)),
        pick(rng, [np.full(3, 0.75), np.full(3, 0.75), np.full(3, 0.25), textures.colour(rng)]),
    )
    image.fill("side", tyre)
    radius = rng.uniform(0.5, 0.75)
    image.disc("side", (0, 0), radius, rim)
    spokes = int(rng.integers(0, 9))
    for angle in 2 * np.pi * np.arange(spokes) / max(spokes, 1):
        image.line("side", [(0, 0), (radius * np.cos(angle), radius * np.sin(angle))], tyre, width=2)
    image.disc("side", (0, 0), radius * 0.3, rim * 0.8)
    wide = rng.uniform(0.05, 0.085)
    pieces = []
    for z in shape.axles:
        for s in (-1, 1):
            outside = s * (shape.width(z) + rng.uniform(0.004, 0.005))
            path = [[outside - s * wide, 0, 0], [outside - s * 0.008, 0, 0], [outside, 0, 0]]
            wheel = parts.tube(None, path, np.array([1, 1, 0.93]) * shape.wheel, 18)
            uv = (wheel.vertices[wheel.faces][..., [2, 1]] / shape.wheel * 0.98 + 1) / 2
            axle = np.abs(np.cross(*np.diff(wheel.vertices[wheel.faces], axis=1).swapaxes(0, 1))).argmax(1) != 0
            uv[axle] = 0.01  # the tread is plain rubber
            pieces.append(parts.Part(wheel.vertices, wheel.faces, uv, image.image).moved(y=shape.wheel, z=z))
    return pieces


def _extras(rng: Generator, shape: Shape, image: Image) -> list[Part]:
    """Bumpers, spoiler, roof rack or sign, spare wheel; some cars have them."""
    pieces, half = [], shape.half
    if chance(rng, 0.5):
        low, high = shape.chin - 0.01, shape.chin + rng.uniform(0.025, 0.05)
        wide = half * (1 - shape.taper) * 0.97
        pieces += [parts.box(image, [-wide, low, s * 0.46], [wide, high, s * 0.515]) for s in (-1, 1)]
    boxed = shape.kind in ("suv", "van", "wagon", "hatchback", "sedan")
    if boxed and chance(rng, 0.3):  # rack or luggage
        wide = half * (1 - shape.lean) * rng.uniform(0.5, 0.8)
        middle, reach = (
            (shape.roof_front + shape.roof_rear) / 2,
            (shape.roof_front - shape.roof_rear) * rng.uniform(0.2, 0.4),
        )
        low, high = shape.roof - 0.03, shape.roof + rng.uniform(0.02, 0.08)
        pieces.append(parts.box(image, [-wide, low, middle - reach], [wide, high, middle + reach], 0.9))
    elif shape.kind in ("sedan", "wagon", "van", "suv") and chance(rng, 0.25):  # a taxi's sign, a police bar
        sign = textures.paint(rng)
        wide, middle = half * rng.uniform(0.2, 0.6), (shape.roof_front + shape.roof_rear) / 2
        pieces.append(
            parts.box(sign, [-wide, shape.roof - 0.02, middle - 0.03], [wide, shape.roof + 0.035, middle + 0.03])
        )
    if shape.kind in ("sedan", "coupe", "hatchback") and chance(rng, 0.3):  # spoiler
        high = (shape.tail if shape.kind != "hatchback" else shape.waist) + rng.uniform(0.03, 0.07)
        pieces.append(parts.box(image, [-half * 0.85, high, -0.5], [half * 0.85, high + 0.02, -0.44]))
        for at in (-half * 0.5, half * 0.5):
            pieces.append(parts.box(image, [at - 0.012, shape.low + 0.05, -0.48], [at + 0.012, high + 0.01, -0.45]))
    if shape.kind == "suv" and chance(rng, 0.4):
        pieces.append(parts.tube(image, [[0, shape.waist, -0.47], [0, shape.waist, -0.53]], shape.wheel * 0.85, 16))
    return pieces
