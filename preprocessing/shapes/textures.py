"""Procedural images and colours, drawn from a random generator.

Colours are (3,) float RGB in [0, 1], images are PIL RGB. One image covers one unit of surface (see
parts.py). An object is about one unit long and its voxels are 1/64 of that: the patterns are coarse
enough to be seen there.
"""

import colorsys
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import PIL.Image
import PIL.ImageDraw
from numpy.random import Generator
from PIL.Image import Image

SIZE = 128  # side of an image in pixels

T = TypeVar("T")
Numbers = Sequence[Any] | np.ndarray  # an array, or a nested list, of numbers


def chance(rng: Generator, probability: float) -> bool:
    """True with the given probability."""
    return bool(rng.random() < probability)


def pick(rng: Generator, options: Sequence[T]) -> T:
    """One of a sequence, all equally likely."""
    return options[int(rng.integers(len(options)))]


def colour(rng: Generator) -> np.ndarray:
    """Any colour: vivid, pastel, dark or grey."""
    vivid, pastel, dark, grey = (
        ((0.6, 0.5), (1, 1)),
        ((0.15, 0.75), (0.4, 1)),
        ((0.3, 0.12), (0.9, 0.4)),
        ((0, 0.05), (0.08, 1)),
    )
    low, high = pick(rng, [vivid, vivid, pastel, dark, grey])  # (saturation, value)
    return np.array(colorsys.hsv_to_rgb(rng.random(), *rng.uniform(low, high)))


def contrast(rng: Generator, other: np.ndarray) -> np.ndarray:
    """A colour that differs clearly from `other`."""
    for _ in range(20):
        candidate = colour(rng)
        if np.linalg.norm(candidate - other) > 0.5:
            break
    return candidate


def wood_colour(rng: Generator) -> np.ndarray:
    """A tone between pale birch, oak, cherry, walnut and ebony."""
    tones = np.array([[0.88, 0.76, 0.58], [0.76, 0.58, 0.36], [0.6, 0.32, 0.17], [0.38, 0.24, 0.15], [0.2, 0.14, 0.1]])
    return np.clip(rng.dirichlet([0.5] * 5) @ tones * rng.uniform(0.85, 1.15, 3), 0, 1)


def mix(a: np.ndarray, b: np.ndarray, share: float | Numbers) -> np.ndarray:
    """Colours (3,) and shares (...) -> (..., 3): a where the share is 0, b where it is 1."""
    share = np.asarray(share)[..., None]
    return a * (1 - share) + b * share


def to_image(array: np.ndarray) -> Image:
    """(H, W, 3) float -> PIL image; 32 levels per channel keep the files small."""
    return PIL.Image.fromarray((np.clip(array, 0, 1) * 31).round().astype(np.uint8) * 8 + 3)


def noise(rng: Generator, rows: int, columns: int, size: int = SIZE) -> np.ndarray:
    """(size, size) smooth noise in [0, 1] with about rows x columns blobs."""
    small = PIL.Image.fromarray((rng.random((rows, columns)) * 255).astype(np.uint8))
    return np.asarray(small.resize((size, size), PIL.Image.Resampling.BICUBIC), float) / 255


def _grid() -> tuple[np.ndarray, np.ndarray]:
    """v (downward) and u (to the right) of the pixel centres, (SIZE, SIZE) each, in [0, 1]."""
    line = (np.arange(SIZE) + 0.5) / SIZE
    v, u = np.meshgrid(line, line, indexing="ij")
    return v, u


def wood(rng: Generator) -> Image:
    """Grain along v, sometimes in boards."""
    base = wood_colour(rng)
    v, u = _grid()
    rings = rng.uniform(5, 16) * u + rng.uniform(0.5, 2.5) * noise(rng, 4, 5)
    streaks = noise(rng, 3, 60)
    dark = 0.5 + 0.3 * np.sin(2 * np.pi * rings) + 0.5 * (streaks - 0.5)
    if chance(rng, 0.3):
        boards = int(rng.integers(4, 10))
        dark = dark + rng.uniform(-0.5, 0.5, boards)[(u * boards).astype(int)] + 0.8 * ((u * boards) % 1 < 0.08)
    return to_image(mix(base * 1.08, base * rng.uniform(0.5, 0.75), np.clip(dark, 0, 1.3)))


def paint(rng: Generator, base: np.ndarray | None = None) -> Image:
    """One colour, almost even."""
    base = colour(rng) if base is None else base
    return to_image(base * (1 + 0.12 * (noise(rng, 5, 5) - 0.5))[..., None])


def metal(rng: Generator) -> Image:
    """Chrome, brass, copper or blackened steel, brushed."""
    base = np.array(
        pick(rng, [(0.78, 0.8, 0.83), (0.78, 0.8, 0.83), (0.8, 0.66, 0.3), (0.75, 0.45, 0.3), (0.16, 0.16, 0.18)])
    )
    return to_image(base * (0.85 + 0.25 * noise(rng, 60, 3))[..., None])


def weave(rng: Generator, base: np.ndarray | None = None) -> Image:
    """Cloth, often with a pattern: stripes, checks, plaid, dots, zigzag, patches, a gradient."""
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
    return to_image(mix(a, b, share) * threads[..., None])


def leather(rng: Generator) -> Image:
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
    return to_image(base * shade[..., None])


def stone(rng: Generator) -> Image:
    """Marble with veins, or tiles."""
    base = mix(np.array([0.92, 0.92, 0.9]), colour(rng), rng.uniform(0, 0.7))
    v, u = _grid()
    if chance(rng, 0.35):
        count = rng.integers(4, 9)
        tones = rng.uniform(0.75, 1.1, (count, count))[(v * count).astype(int), (u * count).astype(int)]
        return to_image(base * np.where((u * count % 1 < 0.12) | (v * count % 1 < 0.12), 0.45, tones)[..., None])
    veins = np.abs(noise(rng, 4, 4) + 0.4 * noise(rng, 12, 12) - 0.7)
    return to_image(mix(contrast(rng, base) * 0.7 + 0.15, base, np.clip(veins / 0.06, 0, 1)))


def hard(rng: Generator) -> Image:
    """The material of a frame or table top: wood most often, paint, metal or stone."""
    return pick(rng, [wood, wood, wood, paint, paint, metal, stone])(rng)


def frame(rng: Generator) -> Image:
    """The material of legs."""
    return pick(rng, [wood, wood, paint, metal])(rng)


def cover(rng: Generator) -> Image:
    """The material or cover of a seat."""
    return pick(rng, [weave, weave, weave, leather, paint, wood])(rng)


# The layout of an atlas of a thing that is longest along z and has different ends.
LENGTHWISE = {"side": (0, 0.5, 1, 1), "top": (0, 0, 0.4, 0.5), "front": (0.4, 0, 0.7, 0.5), "back": (0.7, 0, 1, 0.5)}


class Atlas:
    """One image with views of an object from the side, top, front and back.

    The views are painted in the object's own coordinates. A part that is painted with the atlas
    (Part.painted) shows on each face the view that the face is turned to most; +x and -x share the
    side view.
    """

    AXES = {"side": (2, 1), "top": (0, 2), "front": (0, 1), "back": (0, 1)}

    def __init__(self, low: Numbers, high: Numbers, layout: Mapping[str, Sequence[float]], size: int = 256) -> None:
        """An atlas in black.

        Args:
            low: (3,) lowest corner of the box that the views cover.
            high: (3,) its highest corner.
            layout: rectangle (u0, v0, u1, v1) of every view in the image, v up.
            size: side of the image in pixels.
        """
        self.low, self.high, self.layout, self.size = np.asarray(low, float), np.asarray(high, float), layout, size
        self.image = PIL.Image.new("RGB", (size, size))
        self.draw = PIL.ImageDraw.Draw(self.image)

    def place(self, view: str, points: Numbers) -> np.ndarray:
        """(..., 2) points in the plane of a view, or (..., 3) of the object -> (..., 2) uv."""
        points = np.asarray(points, float)
        axes = list(self.AXES[view])
        flat = points[..., axes] if points.shape[-1] == 3 else points
        share = np.clip((flat - self.low[axes]) / (self.high - self.low)[axes], 0, 1)
        u0, v0, u1, v1 = self.layout[view]
        margin = 1.5 / self.size  # a bilinear read at the edge stays inside the view
        low, high = np.array([u0 + margin, v0 + margin]), np.array([u1 - margin, v1 - margin])
        return low + share * (high - low)

    def uv(self, corners: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """(F, 3, 3) corners, (F, 3) normals -> (F, 3, 2) texture coordinates."""
        axis = np.abs(normals).argmax(1)
        view = np.where(axis == 0, 0, np.where(axis == 1, 1, np.where(normals[:, 2] > 0, 2, 3)))
        uv = np.zeros(corners.shape[:2] + (2,))
        for number, name in enumerate(self.AXES):
            uv[view == number] = self.place(name, corners[view == number])
        return uv

    def pixels(self, view: str, points: np.ndarray) -> list[tuple[float, float]]:
        """Points (n, 2) in the plane of a view -> list of (column, row)."""
        uv = self.place(view, points)
        return [tuple(p) for p in np.stack([uv[:, 0], 1 - uv[:, 1]], 1) * self.size - 0.5]

    def fill(self, view: str, tint: Numbers) -> None:
        """Paint a whole view."""
        u0, v0, u1, v1 = np.array(self.layout[view]) * self.size
        self.draw.rectangle([u0, self.size - v1, u1 - 1, self.size - v0 - 1], fill=rgb(tint))

    def polygon(self, view: str, points: Numbers, tint: Numbers) -> None:
        """Fill a polygon (n, 2) in the plane of a view."""
        self.draw.polygon(self.pixels(view, np.asarray(points, float)), fill=rgb(tint))

    def rectangle(self, view: str, low: Numbers, high: Numbers, tint: Numbers) -> None:
        """Fill the rectangle between two points in the plane of a view."""
        self.polygon(view, [low, (high[0], low[1]), high, (low[0], high[1])], tint)

    def disc(self, view: str, centre: Numbers, radius: float, tint: Numbers) -> None:
        """Fill a disc that is round in the coordinates of the object."""
        angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        self.polygon(view, np.asarray(centre) + radius * np.stack([np.cos(angle), np.sin(angle)], 1), tint)

    def line(self, view: str, points: Numbers, tint: Numbers, width: int = 1) -> None:
        """Draw a polyline (n, 2); `width` is in pixels."""
        self.draw.line(self.pixels(view, np.asarray(points, float)), fill=rgb(tint), width=width)


def rgb(tint: Numbers) -> tuple[int, ...]:
    """(3,) float colour -> tuple of 8-bit values."""
    return tuple(int(c) for c in np.clip(np.asarray(tint) * 255, 0, 255).round())
