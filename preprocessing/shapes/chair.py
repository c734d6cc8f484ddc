"""Chairs, stools, armchairs and benches; the front is towards +z."""

import numpy as np
from numpy.random import Generator
from PIL.Image import Image

from preprocessing.shapes import parts, supports, textures
from preprocessing.shapes.parts import Part
from preprocessing.shapes.textures import chance, pick

BASES = ["legs", "legs", "legs", "pedestal", "star", "sled", "panels", "solid", "cross"]
SEATS = ["board", "round", "rounded", "cushion", "slatted"]
BACKS = ["none", "panel", "arch", "slats", "ladder", "spindles", "oval", "cushion", "curved", "cross"]
ARMS = ["none", "none", "rails", "loops", "sides"]


def make(rng: Generator) -> list[Part]:
    """One chair: base, seat, back and arms are drawn independently."""
    base, seat, back, arms = pick(rng, BASES), pick(rng, SEATS), pick(rng, BACKS), pick(rng, ARMS)
    x, z = rng.uniform(0.2, 0.36), rng.uniform(0.19, 0.34)
    if base in ("legs", "panels", "solid") and chance(rng, 0.2):
        x *= rng.uniform(1.4, 2.2)  # a bench or a sofa
    height, thick = rng.uniform(0.28, 0.6), rng.uniform(0.036, 0.09)
    if seat == "cushion":
        thick = rng.uniform(0.07, 0.17)
    if back == "none":
        arms = "none" if chance(rng, 0.8) else arms
        height *= rng.uniform(0.8, 1.5)
    wood, cloth = textures.frame(rng), textures.cover(rng)
    other = pick(rng, [wood, cloth, textures.cover(rng)])
    thickness = rng.uniform(0.036, 0.075)
    # how far out a corner, and the post of an arm half way to it, may be to stay below the seat
    power = {"round": 2.0, "rounded": rng.uniform(3, 8)}.get(seat, np.inf)
    corner, edge = 0.5 ** (1 / power) * (0.97 if power < 9 else 1), (1 - 0.5**power) ** (1 / power)
    pieces = _base(rng, base, wood, x * corner, z * corner, height + thick * 0.4, thickness)
    pieces += _seat(rng, seat, power, cloth, wood, x, z, height, thick)
    top = height + thick
    if back != "none":
        pieces += _back(rng, back, other, wood, x * corner, z * corner, height + thick * 0.4, top, thickness)
    if arms != "none":
        pieces += _arms(rng, arms, wood, other, x * edge, z * (0.5 if power < 9 else 1), height, top, thickness)
    return pieces


def _base(rng: Generator, kind: str, image: Image, x: float, z: float, top: float, thickness: float) -> list[Part]:
    if kind == "legs":
        return supports.four_legs(rng, image, x, z, top, thickness)
    if kind == "cross":  # two X frames, as in folding chairs
        width = max(thickness * 0.8, 0.032)
        pieces = []
        for sx in (-1, 1):
            at = sx * (x - width * 1.1)
            shift = sx * width * 0.5
            pieces += [
                parts.beam(image, [at + s * shift, 0, -s * z], [at + s * shift, top, s * (z - width)], width, width)
                for s in (-1, 1)
            ]
        return [*pieces, parts.beam(image, [-x + width, top / 2, 0], [x - width, top / 2, 0], width * 0.8, width * 0.8)]
    make_base = {"pedestal": supports.pedestal, "star": supports.star, "sled": supports.sled,
                 "panels": supports.panels, "solid": supports.solid}[kind]  # fmt: skip
    return make_base(rng, image, x, z, top, thickness)


def _seat(
    rng: Generator, kind: str, power: float, cloth: Image, wood: Image, x: float, z: float, low: float, thick: float
) -> list[Part]:
    high = low + thick
    if kind == "board":
        return [parts.box(cloth, [-x, low, -z], [x, high, z])]
    if kind in ("round", "rounded"):
        return [parts.plate(cloth, parts.section(32, power) * [x, z], low, high, thick * rng.uniform(0, 0.5))]
    if kind == "cushion":
        board = parts.box(wood, [-x * 0.97, low, -z * 0.97], [x * 0.97, low + thick * 0.4, z * 0.97])
        return [board, parts.plate(cloth, parts.section(32, 6) * [x, z], low + thick * 0.25, high, thick * 0.35)]
    count = int(rng.integers(4, 8))
    step = 2 * z / (count - 0.2)
    strips = [
        parts.box(cloth, [-x, low + thick * 0.25, start], [x, high, start + step * 0.8])
        for start in -z + step * np.arange(count)
    ]
    rails = [
        parts.box(wood, [at - 0.02, low, -z * 0.98], [at + 0.02, low + thick * 0.6, z * 0.98])
        for at in (-x + 0.025, 0, x - 0.025)
    ]
    return strips + rails


def _back(
    rng: Generator, kind: str, image: Image, wood: Image, x: float, z: float, low: float, top: float, thickness: float
) -> list[Part]:
    """A back that begins at y = low, inside the seat, and leans about the rear edge of the seat."""
    width = max(thickness * rng.uniform(0.5, 0.9), 0.032)
    half, height = x * rng.uniform(0.75, 1.0) - width / 2, rng.uniform(0.25, 0.85)
    end = low + height
    at = -z + width * 0.7
    deep = width / 2
    gap = top + rng.uniform(0.0, 0.3) * height
    posts = [parts.tube(wood, [[s * half, low, at], [s * half, end, at]], deep, pick(rng, [4, 10])) for s in (-1, 1)]

    def slab(x0: float, y0: float, x1: float, y1: float, thin: float = 0.85) -> Part:
        return parts.box(image, [x0, y0, at - deep * thin], [x1, y1, at + deep * thin])

    rail = rng.uniform(0.04, 0.14) * height + 0.03
    if kind == "panel":
        pieces = [*posts, slab(-half, gap, half, end - rng.uniform(0, 0.1) * height)]
    elif kind == "arch":
        pieces = [
            _arch(image, half + deep, low, end, at - deep, at + deep, rng.uniform(0.2, 1.0), rng.uniform(0.8, 1.15))
        ]
    elif kind in ("slats", "ladder"):
        pieces = [*posts, slab(-half, end - rail, half, end + 0.01)]
        count = int(rng.integers(2, 6))
        if kind == "slats":
            pieces += [slab(c - 0.28 * half / count - 0.012, low, c + 0.28 * half / count + 0.012, end - 0.01, 0.8)
                      for c in half * (2 * (np.arange(count) + 0.5) / count - 1)]  # fmt: skip
        else:
            wide = max(0.3 * (end - gap) / count, 0.032)
            pieces += [slab(-half, c, half, c + wide, 0.8) for c in np.linspace(gap, end - rail, count, endpoint=False)]
    elif kind == "spindles":
        fan, count = rng.uniform(0.75, 1.0), int(rng.integers(4, 8))
        pieces = [
            parts.tube(wood, [[c * fan, low, at], [c, end, at]], max(0.016, deep * 0.6), 6)
            for c in np.linspace(-half, half, count)
        ]
        pieces.append(parts.box(image, [-half - deep, end - rail, at - deep], [half + deep, end + 0.01, at + deep]))
    elif kind == "oval":
        centre, radius = end - 0.33 * height, 0.36 * height
        pieces = [
            parts.tube(wood, [[s * half * 0.5, low, at], [s * half * 0.5, centre, at]], deep * 0.9, 8) for s in (-1, 1)
        ]
        disc = parts.plate(
            image, parts.section(28, rng.uniform(2, 4)) * [half + deep, radius], -deep * 1.2, deep * 1.2, deep * 0.6
        )
        pieces.append(disc.turned([1, 0, 0], 90).moved(y=centre, z=at))
    elif kind == "cushion":
        pad = rng.uniform(1.5, 3.5) * width
        start = low if chance(rng, 0.5) else gap
        pillow = parts.plate(image, parts.section(32, 7) * [half + deep, (end - start) / 2], 0, pad, pad * 0.35)
        pieces = [*posts, pillow.turned([1, 0, 0], 90).moved(y=(start + end) / 2, z=at - deep * 0.5)]
    elif kind == "curved":
        pieces = _bow(rng, image, wood, half + deep, z, low, gap, end, at, max(deep, 0.018))
    else:
        pieces = [*posts, slab(-half, end - rail, half, end + 0.01), slab(-half, gap, half, gap + rail)]
        for s in (-1, 1):  # not in one plane
            ends = [-s * half, gap, at + s * 0.003], [s * half, end, at + s * 0.003]
            pieces.append(parts.beam(image, *ends, max(width * 0.8, 0.03), deep * 1.6))
    lean = rng.uniform(0, 18)
    return [part.turned([1, 0, 0], -lean, pivot=(0, low, at)) for part in pieces]


def _arch(
    image: Image, half: float, low: float, end: float, back: float, front: float, roundness: float, widening: float
) -> Part:
    """A board whose top is an arch and whose sides widen upward."""
    curve = np.linspace(0, np.pi, 15)
    shoulder = end - roundness * min(half, 0.7 * (end - low))
    power = 2 / 2.5
    crown = np.stack([np.cos(curve), np.sin(curve)], 1)
    crown = np.sign(crown) * np.abs(crown) ** power * [half * widening, end - shoulder] + [0, shoulder]
    return parts.extrude(image, [[-half, low], [half, low], *crown], back, front, bevel=(front - back) * 0.2)


def _bow(
    rng: Generator,
    image: Image,
    wood: Image,
    half: float,
    z: float,
    low: float,
    gap: float,
    end: float,
    at: float,
    deep: float,
) -> list[Part]:
    """A back that wraps around the sitter.

    Its top may fall towards the sides. A back that starts high above the seat stands on two posts.
    """
    wrap, fall = rng.uniform(0.1, 1.2) * z, rng.uniform(0, 0.5) * (end - gap)
    angle = np.linspace(-1, 1, 17) * rng.uniform(0.7, 1.5)
    xs = half * np.sin(angle) / np.sin(angle).max()
    ahead = wrap * (1 - np.cos(angle)) / (1 - np.cos(angle)).max()
    bottom = low if gap <= low + 0.08 else gap
    posts = []
    if bottom > low:
        posts = [
            parts.tube(wood, [[xs[k], low, at + ahead[k]], [xs[k], gap + 0.05, at + ahead[k]]], deep, 8)
            for k in (5, 11)
        ]
    rings = []
    for k, x in enumerate(xs):
        normal = np.array([-np.sin(angle[k]), np.cos(angle[k])]) * deep
        top = end - fall * (2 * k / 16 - 1) ** 2
        point = np.array([x, at + ahead[k]])
        (bx, bz), (fx, fz) = point - normal, point + normal
        rings.append([[bx, bottom, bz], [fx, bottom, fz], [fx, top, fz], [bx, top, bz]])
    return [parts.loft(image, rings), *posts]


def _arms(
    rng: Generator, kind: str, wood: Image, image: Image, x: float, z: float, low: float, top: float, thickness: float
) -> list[Part]:
    """Arms at the sides x of the seat, between its depths -z and z."""
    height, width = rng.uniform(0.12, 0.26), max(thickness * rng.uniform(0.6, 1.1), 0.036)
    radius = width / 2
    front, back = z * rng.uniform(0.5, 0.98) - radius, -z + radius * 1.2
    pieces = []
    for s in (-1, 1):
        at = s * (x - radius * 0.4)
        if kind == "rails":
            pieces += [
                parts.tube(wood, [[at, low + 0.004, end], [at, top + height, end]], radius * 0.8, 4)
                for end in (front, back)
            ]
            wide, end = radius * 1.2, front + radius * 1.6
            pieces.append(
                parts.box(image, [at - wide, top + height - 0.008, -z], [at + wide, top + height + 0.018, end])
            )
        elif kind == "loops":
            start = low + 0.25 * (top - low)
            loop = [[at, start, front], [at, top + height, front], [at, top + height, back], [at, start, back]]
            pieces.append(parts.tube(wood, parts.bend(loop, height * 0.6), radius, 8))
        else:
            wide = radius * 2.4
            pieces.append(
                parts.box(image, [s * (x - 0.01), low * 0.85, -z * 0.96], [s * (x + wide), top + height, z * 0.985])
            )
    return pieces
