"""Procedural images and colours. Colours are (3,) float RGB in [0, 1]; images are PIL RGB, all drawn from a generator.

One image is one unit of surface (see parts.py), an object is about one unit long and its voxels are 1/64 of it: patterns
are coarse enough to be seen there.
"""

import colorsys

import numpy as np
import PIL.Image
import PIL.ImageDraw

SIZE = 128


def chance(rng, probability):
    """True with the given probability."""
    return bool(rng.random() < probability)


def pick(rng, options):
    """One of a sequence, all equally likely."""
    return options[int(rng.integers(len(options)))]


def colour(rng):
    """Any colour: vivid, pastel, dark or grey."""
    vivid, pastel, dark, grey = (
        ((0.6, 0.5), (1, 1)),
        ((0.15, 0.75), (0.4, 1)),
        ((0.3, 0.12), (0.9, 0.4)),
        ((0, 0.05), (0.08, 1)),
    )
    low, high = pick(rng, [vivid, vivid, pastel, dark, grey])  # (saturation, value)
    return np.array(colorsys.hsv_to_rgb(rng.random(), *rng.uniform(low, high)))


def contrast(rng, other):
    """A colour that differs clearly from `other`."""
    for _ in range(20):
        found = colour(rng)
        if np.linalg.norm(found - other) > 0.5:
            break
    return found


def wood_colour(rng):
    """A tone between pale birch, oak, cherry, walnut and ebony."""
    tones = np.array([[0.88, 0.76, 0.58], [0.76, 0.58, 0.36], [0.6, 0.32, 0.17], [0.38, 0.24, 0.15], [0.2, 0.14, 0.1]])
    return np.clip(rng.dirichlet([0.5] * 5) @ tones * rng.uniform(0.85, 1.15, 3), 0, 1)


def mix(a, b, share):
    """(3,), (3,) and shares (...) -> (..., 3): a where the share is 0, b where it is 1."""
    share = np.asarray(share)[..., None]
    return a * (1 - share) + b * share


def picture(array):
    """(H,W,3) float -> PIL image; 32 levels a channel keep the files small."""
    return PIL.Image.fromarray((np.clip(array, 0, 1) * 31).round().astype(np.uint8) * 8 + 3)


def noise(rng, rows, columns, size=SIZE):
    """(size, size) smooth noise in [0, 1] with about rows x columns blobs."""
    small = PIL.Image.fromarray((rng.random((rows, columns)) * 255).astype(np.uint8))
    return np.asarray(small.resize((size, size), PIL.Image.Resampling.BICUBIC), float) / 255


def _grid(size=SIZE):
    """Two (size, size) coordinates in [0, 1): v downward, u to the right."""
    line = (np.arange(size) + 0.5) / size
    return np.meshgrid(line, line, indexing="ij")


def wood(rng, base=None):
    """Grain along v, sometimes in boards."""
    base = wood_colour(rng) if base is None else base
    v, u = _grid()
    rings = rng.uniform(5, 16) * u + rng.uniform(0.5, 2.5) * noise(rng, 4, 5)
    streaks = noise(rng, 3, 60)
    dark = 0.5 + 0.3 * np.sin(2 * np.pi * rings) + 0.5 * (streaks - 0.5)
    if chance(rng, 0.3):
        boards = int(rng.integers(4, 10))
        dark = dark + rng.uniform(-0.5, 0.5, boards)[(u * boards).astype(int)] + 0.8 * ((u * boards) % 1 < 0.08)
    return picture(mix(base * 1.08, base * rng.uniform(0.5, 0.75), np.clip(dark, 0, 1.3)))


def paint(rng, base=None):
    """One colour, almost even."""
    base = colour(rng) if base is None else base
    return picture(base * (1 + 0.12 * (noise(rng, 5, 5) - 0.5))[..., None])


def metal(rng):
    """Chrome, brass, copper or blackened steel, brushed."""
    base = np.array(
        pick(rng, [(0.78, 0.8, 0.83), (0.78, 0.8, 0.83), (0.8, 0.66, 0.3), (0.75, 0.45, 0.3), (0.16, 0.16, 0.18)])
    )
    return picture(base * (0.85 + 0.25 * noise(rng, 60, 3))[..., None])


def weave(rng, base=None):
    """Threads, and often a pattern: stripes, checks, plaid, dots, zigzag, or patches of two colours."""
    a = colour(rng) if base is None else base
    b = contrast(rng, a)
    v, u = _grid()
    if chance(rng, 0.5):
        u, v = v, u
    count = rng.integers(4, 14)
    kind = pick(rng, ["plain", "stripes", "checks", "plaid", "dots", "zigzag", "patches", "fade"])
    duty = rng.uniform(0.2, 0.6)
    if kind == "stripes":
        share = (u * count % 1 < duty).astype(float)
    elif kind == "checks":
        share = ((u * count).astype(int) + (v * count).astype(int)) % 2 * 1.0
    elif kind == "plaid":
        share = 0.5 * (u * count % 1 < duty) + 0.5 * (v * count % 1 < duty)
    elif kind == "dots":
        share = ((u * count % 1 - 0.5) ** 2 + (v * count % 1 - 0.5) ** 2 < 0.3 * duty).astype(float)
    elif kind == "zigzag":
        share = ((v * count + 2 * np.abs((u * count / 2) % 1 - 0.5)) % 1 < duty).astype(float)
    elif kind == "patches":
        share = (noise(rng, 7, 7) > 0.5).astype(float)
    else:
        share = (v if kind == "fade" else np.zeros_like(v)) * 0.8
    threads = 1 - 0.09 * ((np.indices((SIZE, SIZE)) // 2).sum(0) % 2)
    return picture(mix(a, b, share) * threads[..., None])


def leather(rng):
    """Blotched hide, sometimes tufted with buttons."""
    v, u = _grid()
    shade = 0.85 + 0.3 * noise(rng, 12, 12)
    if chance(rng, 0.5):
        count = rng.integers(5, 10)
        a, b = (u + v) * count % 1 - 0.5, (u - v) * count % 1 - 0.5
        shade = (
            shade
            * (1.05 - 0.5 * np.maximum(np.abs(a), np.abs(b)) ** 4 / 0.0625)
            * np.where(a**2 + b**2 < 0.015, 0.5, 1)
        )
    base = wood_colour(rng) if chance(rng, 0.4) else colour(rng)
    return picture(base * shade[..., None])


def stone(rng):
    """Marble with veins, or tiles."""
    base = mix(np.array([0.92, 0.92, 0.9]), colour(rng), rng.uniform(0, 0.7))
    v, u = _grid()
    if chance(rng, 0.35):
        count = rng.integers(4, 9)
        tones = rng.uniform(0.75, 1.1, (count, count))[(v * count).astype(int), (u * count).astype(int)]
        return picture(base * np.where((u * count % 1 < 0.12) | (v * count % 1 < 0.12), 0.45, tones)[..., None])
    veins = np.abs(noise(rng, 4, 4) + 0.4 * noise(rng, 12, 12) - 0.7)
    return picture(mix(contrast(rng, base) * 0.7 + 0.15, base, np.clip(veins / 0.06, 0, 1)))


def hard(rng):
    """What frames and tops are made of: wood most often, paint, metal, stone."""
    return pick(rng, [wood, wood, wood, paint, paint, metal, stone])(rng)


def frame(rng):
    """What legs are made of."""
    return pick(rng, [wood, wood, paint, metal])(rng)


def cover(rng):
    """What seats are covered with, or made of."""
    return pick(rng, [weave, weave, weave, leather, paint, wood])(rng)


class Atlas:
    """A picture of an object from the side, top, front and back, painted in the object's own coordinates.

    Parts painted with it (Part.painted) read each face from the view that it faces most; +x and -x share the side view.
    low, high: the box that the pictures cover. `layout` gives each view's rectangle (u0, v0, u1, v1), v up.
    """

    AXES = {"side": (2, 1), "top": (0, 2), "front": (0, 1), "back": (0, 1)}

    def __init__(self, low, high, layout, size=256):
        self.low, self.high, self.layout, self.size = np.asarray(low, float), np.asarray(high, float), layout, size
        self.image = PIL.Image.new("RGB", (size, size))
        self.draw = PIL.ImageDraw.Draw(self.image)

    def place(self, view, points):
        """(..., 2) points of a view's plane, or (..., 3) of the object -> (..., 2) uv."""
        points = np.asarray(points, float)
        axes = list(self.AXES[view])
        flat = points[..., axes] if points.shape[-1] == 3 else points
        share = np.clip((flat - self.low[axes]) / (self.high - self.low)[axes], 0, 1)
        u0, v0, u1, v1 = self.layout[view]
        margin = 1.5 / self.size  # a bilinear read at the edge stays inside the view
        low, high = np.array([u0 + margin, v0 + margin]), np.array([u1 - margin, v1 - margin])
        return low + share * (high - low)

    def uv(self, corners, normals):
        """(F,3,3) corners, (F,3) normals -> (F,3,2)."""
        axis = np.abs(normals).argmax(1)
        view = np.where(axis == 0, 0, np.where(axis == 1, 1, np.where(normals[:, 2] > 0, 2, 3)))
        uv = np.zeros(corners.shape[:2] + (2,))
        for number, name in enumerate(self.AXES):
            uv[view == number] = self.place(name, corners[view == number])
        return uv

    def pixels(self, view, points):
        """Points of a view's plane (n,2) -> list of (column, row)."""
        uv = self.place(view, points)
        return [tuple(p) for p in np.stack([uv[:, 0], 1 - uv[:, 1]], 1) * self.size - 0.5]

    def fill(self, view, tint):
        """Paint a whole view."""
        u0, v0, u1, v1 = np.array(self.layout[view]) * self.size
        self.draw.rectangle([u0, self.size - v1, u1 - 1, self.size - v0 - 1], fill=rgb(tint))

    def polygon(self, view, points, tint):
        """Fill a polygon (n,2) given in the view's plane."""
        self.draw.polygon(self.pixels(view, np.asarray(points, float)), fill=rgb(tint))

    def rectangle(self, view, low, high, tint):
        """Fill the rectangle between two points of the view's plane."""
        self.polygon(view, [low, (high[0], low[1]), high, (low[0], high[1])], tint)

    def disc(self, view, centre, radius, tint):
        """Fill a disc, round in the object's coordinates."""
        angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        self.polygon(view, np.asarray(centre) + radius * np.stack([np.cos(angle), np.sin(angle)], 1), tint)

    def line(self, view, points, tint, width=1):
        """A polyline, `width` in texels."""
        self.draw.line(self.pixels(view, np.asarray(points, float)), fill=rgb(tint), width=width)


def rgb(tint):
    """(3,) float -> tuple of 8-bit values."""
    return tuple(int(c) for c in np.clip(np.asarray(tint) * 255, 0, 255).round())
