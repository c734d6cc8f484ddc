"""Tables and desks; drawers open towards +z."""

import numpy as np
from numpy.random import Generator
from PIL.Image import Image

from preprocessing.shapes import parts, supports, textures
from preprocessing.shapes.parts import Part
from preprocessing.shapes.textures import chance, pick

TOPS = ["rectangle", "rectangle", "square", "round", "oval", "rounded", "polygon", "boat"]
BASES = ["legs", "legs", "legs", "pedestal", "trestle", "panels", "sled", "solid"]
EXTRAS = ["none", "none", "apron", "shelf", "drawers", "cabinet"]


def make(rng: Generator) -> list[Part]:
    """One table: top, base and extras are drawn independently."""
    top, base, extra = pick(rng, TOPS), pick(rng, BASES), pick(rng, EXTRAS)
    x, height = rng.uniform(0.3, 0.5), rng.uniform(0.18, 0.75)
    z = x if top in ("square", "round", "polygon") else x * rng.uniform(0.35, 0.85)
    thick, thickness = rng.uniform(0.022, 0.07), rng.uniform(0.03, 0.075)
    image = textures.hard(rng) if chance(rng, 0.8) else textures.cover(rng)
    under = pick(rng, [image, textures.frame(rng), textures.frame(rng)])
    edge = thick * rng.uniform(0.1, 0.45) * chance(rng, 0.5)
    pieces = [_top(rng, top, image, x, z, height, height + thick, edge)]
    corner = {"round": 0.66, "oval": 0.66, "polygon": 0.56, "boat": 0.7}.get(top, 0.97)  # legs stay below the top
    reach = corner * rng.uniform(0.87, 1.0)
    lift = height + thick * 0.3
    a, b = x * reach, z * reach
    make_base = {"legs": supports.four_legs, "pedestal": supports.pedestal, "trestle": supports.trestle,
                 "panels": supports.panels, "sled": supports.sled, "solid": supports.solid}[base]  # fmt: skip
    if base == "legs" and extra == "shelf":  # curved or splayed legs would stand clear of it
        pieces += supports.four_legs(
            rng, under, a, b, lift, thickness, pick(rng, ["square", "tapered", "round", "turned"])
        )
    else:
        pieces += make_base(rng, under, a, b, lift, thickness)
    if base in ("legs", "panels", "sled") and extra != "none":
        pieces += _extra(rng, extra, image, under, a, b, height, thick, thickness)
    if chance(rng, 0.1):  # a raised rim or a second level at the back
        deep = rng.uniform(0.1, 0.3) * z
        low, high = height + thick * 0.5, height + thick + rng.uniform(0.04, 0.2)
        pieces.append(parts.box(under, [-x * 0.6, low, -b * 0.9], [x * 0.6, high, -b * 0.9 + deep]))
    return pieces


def _top(rng: Generator, kind: str, image: Image, x: float, z: float, low: float, high: float, edge: float) -> Part:
    if kind in ("rectangle", "square"):
        return parts.plate(image, parts.section(4) * [x, z], low, high, edge)
    if kind == "polygon":
        return parts.plate(image, parts.section(int(pick(rng, [5, 6, 8]))) * x, low, high, edge)
    if kind == "boat":
        along = np.linspace(-1, 1, 13)
        bulge = 1 - rng.uniform(0.2, 0.5) * along**2
        outline = np.concatenate([np.stack([along, bulge], 1), np.stack([along, -bulge], 1)[::-1]])
        return parts.plate(image, outline * [x, z], low, high, edge)
    return parts.plate(
        image, parts.section(40, rng.uniform(3, 8) if kind == "rounded" else 2.0) * [x, z], low, high, edge
    )


def _extra(
    rng: Generator,
    kind: str,
    image: Image,
    under: Image,
    x: float,
    z: float,
    height: float,
    thick: float,
    thickness: float,
) -> list[Part]:
    """A piece below the top: an apron, a shelf, a row of drawers, or a cabinet at one side."""
    half = thickness / 2
    x, z = x - half * 0.9, z - half * 0.9
    up = height + thick * 0.2
    depth = rng.uniform(0.04, 0.1)
    if kind == "apron":
        thin = max(half * 0.6, 0.012)
        pieces = []
        for s in (-1, 1):
            side, end = s * (x - half * 0.5), s * (z - half * 0.5)
            pieces.append(parts.box(under, [-x, up - depth, end - thin], [x, up, end + thin]))
            pieces.append(parts.box(under, [side - thin, up - depth + 0.004, -z], [side + thin, up - 0.004, z]))
        return pieces
    if kind == "shelf":
        level = rng.uniform(0.12, 0.6) * height
        rim = half * 0.8  # out to the outside of the legs
        return [parts.box(image, [-x - rim, level, -z - rim], [x + rim, level + max(0.022, thick * 0.7), z + rim])]
    front = drawers(rng, int(rng.integers(1, 4)), 1) if kind == "drawers" else drawers(rng, 1, int(rng.integers(2, 5)))
    if kind == "drawers":
        depth = rng.uniform(0.08, min(0.2, 0.45 * height))
        low, high = [-x, up - depth, -z], [x, up, z]
    else:
        side, wide = pick(rng, [-1, 1]), rng.uniform(0.45, 0.8) * x
        left, right = sorted([side * x, side * (x - wide)])
        low, high = [left, rng.uniform(0.02, 0.3) * height, -z], [right, up, z]
    body = parts.box(under, low, high)
    inset = 0.012
    panel = parts.box(
        front, [low[0] + inset, low[1] + inset, z - 0.01], [high[0] - inset, high[1] - thick * 0.4 - inset, z + 0.012]
    )
    span = np.ptp(panel.vertices, axis=0)[:2]  # the image is stretched over the panel
    uv = (panel.vertices[panel.faces][..., :2] - panel.vertices.min(0)[:2]) / span
    return [body, parts.Part(panel.vertices, panel.faces, uv, front)]


def drawers(rng: Generator, columns: int, rows: int) -> Image:
    """An image of columns x rows drawer fronts with knobs or handles."""
    atlas = textures.Atlas([0, 0, 0], [1, 1, 1], {"front": (0, 0, 1, 1)}, size=128)
    face = textures.wood_colour(rng) if chance(rng, 0.5) else textures.colour(rng)
    atlas.fill("front", face * 0.4)
    knob = textures.contrast(rng, face)
    wide = chance(rng, 0.5)
    for column in range(columns):
        for row in range(rows):
            low, size = np.array([column / columns, row / rows]), np.array([1 / columns, 1 / rows])
            atlas.rectangle("front", low + 0.06 * size, low + 0.94 * size, face * rng.uniform(0.9, 1.1))
            reach = np.array([0.3 if wide else 0.09, 0.09]) * size
            atlas.rectangle("front", low + size / 2 - reach, low + size / 2 + reach, knob)
    return atlas.image
