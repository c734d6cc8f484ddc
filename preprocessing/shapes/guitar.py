"""Guitars, basses and ukuleles: strings towards +z, headstock up, about 1 tall."""

import numpy as np
import scipy.interpolate
import scipy.ndimage
from numpy.random import Generator
from PIL.Image import Image

from preprocessing.shapes import parts, textures
from preprocessing.shapes.parts import Part
from preprocessing.shapes.textures import chance, pick

LAYOUT = {"front": (0, 0, 0.55, 1), "back": (0.55, 0.4, 1, 1), "side": (0.55, 0.2, 1, 0.4), "top": (0.55, 0, 1, 0.2)}
HOLLOW = ("dreadnought", "parlour", "cutaway", "round")
BODIES = [*HOLLOW, "single", "slab", "double", "horns", "offset", "vee", "angular", "semi", "box"]


def make(rng: Generator) -> list[Part]:
    """One guitar: body, neck, head, finish and fittings are drawn independently."""
    kind = pick(rng, BODIES)
    tall, ratio = rng.uniform(0.36, 0.5), rng.uniform(0.66, 0.92)
    if kind in ("vee", "angular"):
        ratio *= 1.1
    half = tall * ratio / 2
    deep = rng.uniform(0.075, 0.14) if kind in HOLLOW else rng.uniform(0.035, 0.065)
    outline, joint = body(rng, kind)
    outline = outline * [half, tall]
    joint *= tall
    neck = rng.uniform(0.022, 0.032)  # half width
    nut = tall + rng.uniform(0.24, 0.42)
    finish = Finish(rng, kind, outline, deep)
    pieces = [
        parts.extrude(None, outline, -deep / 2, deep / 2, bevel=deep * rng.uniform(0.04, 0.16)).painted(finish.atlas)
    ]
    pieces += _neck(rng, neck, joint, nut, deep / 2)
    pieces += _head(rng, neck, nut, deep / 2, finish)
    pieces += _fittings(rng, kind, half, tall, deep / 2, finish)
    if chance(rng, 0.15):  # left-handed
        pieces = [part.mirrored() for part in pieces]
    return pieces


def _half(waist: float, upper: float, upper_y: float) -> list[tuple[float, float]]:
    """Right half of a waisted outline from bottom to upper bout; the lower bout is at x = 1."""
    lower_y, waist_y = 0.26, 0.58
    between = (0.5 + 0.5 * waist, (lower_y + waist_y) / 2 + 0.02)
    return [(0.55, 0.02), (0.93, 0.12), (1.0, lower_y), between, (waist, waist_y), (upper, upper_y)]


def body(rng: Generator, kind: str) -> tuple[np.ndarray, float]:
    """The outline of a body, and the height y at which the neck leaves it.

    The outline (n, 2) is counter-clockwise, with x in about [-1, 1] and y in [0, 1].
    """
    if kind in ("vee", "angular", "box"):
        return _angular(rng, kind)
    waist, upper = rng.uniform(0.55, 0.85), rng.uniform(0.62, 0.95)
    if kind == "dreadnought":
        waist, upper = rng.uniform(0.78, 0.92), rng.uniform(0.8, 0.95)
    if kind == "round":  # a resonator, banjo-like, or a round ukulele
        waist, upper = rng.uniform(0.92, 1.0), rng.uniform(0.72, 0.85)
    high = rng.uniform(0.76, 0.84)
    right, left = _half(waist, upper, high), _half(waist, upper, high)
    shoulder = [(upper * 0.72, 0.955), (0.3, 0.995)]
    depth = rng.uniform(0.7, 0.82)  # where the neck meets a cut
    joint = depth
    horn = [
        (upper * rng.uniform(0.75, 0.95), rng.uniform(0.9, 0.97)),
        (0.5 * upper, depth + 0.1),
        (0.24, depth),
        (0.13, depth),
    ]
    if kind in ("cutaway", "single", "slab", "semi") and not (kind == "semi" and chance(rng, 0.6)):
        right, left = right + horn, left + shoulder
        joint = 0.97
    elif kind in ("double", "horns", "offset", "semi"):
        longer = [(p[0], min(p[1] + rng.uniform(0, 0.12) * (p[1] > 0.85), 1.1)) for p in horn]
        right, left = right + horn, left + longer
    else:
        right, left = right + shoulder, left + shoulder
        joint = 0.97
    if kind == "slab":
        right[:3] = left[:3] = [(0.6, 0.0), (0.95, 0.08), (1.0, 0.24)]
    middle = (0, joint if joint < 0.9 else 1)
    points = np.array([(0, 0.012), *right, middle, *[(-x, y) for x, y in reversed(left)]])
    if kind in ("offset", "horns"):
        points[:, 1] += points[:, 0] * rng.uniform(0.04, 0.12) * -1  # leaning waist, as on offset bodies
    return _spline(points), joint


def _spline(points: np.ndarray) -> np.ndarray:
    """A smooth closed curve (64, 2) through points (n, 2), scaled to |x| <= 1, 0 <= y <= 1."""
    spline, _ = scipy.interpolate.splprep([*np.vstack([points, points[:1]]).T], s=0, per=1, k=3)
    curve = np.stack(scipy.interpolate.splev(np.linspace(0, 1, 64, endpoint=False), spline), 1)
    curve[:, 1] -= curve[:, 1].min()
    return curve / np.array([np.abs(curve[:, 0]).max(), curve[:, 1].max()])


def _angular(rng: Generator, kind: str) -> tuple[np.ndarray, float]:
    """The outline and joint (see `body`) of bodies of straight lines with rounded corners."""
    corners: list[tuple[float, float]]
    if kind == "box":
        wide = rng.uniform(0.65, 1)
        corners = [(-0.9, 0), (0.9, 0), (wide, 1), (-wide, 1)]
        reach = rng.uniform(0.1, 0.5)
    elif kind == "vee":
        notch, wide = rng.uniform(0.18, 0.45), rng.uniform(0.16, 0.3)
        corners = [(0, notch), (0.78, 0), (1, 0.06), (wide, 1), (-wide, 1), (-1, 0.06), (-0.78, 0)]
        reach = rng.uniform(0.05, 0.2)
    else:
        a, b, c = rng.uniform(0.0, 0.12), rng.uniform(0.45, 0.65), rng.uniform(0.8, 1.0)
        corners = [(-0.75, 0), (0.1, 0.14 + a), (0.85, a), (0.98, a + 0.1), (0.42, b), (0.8, c), (0.2, 0.86),
                   (-0.2, 0.86), (-0.98, 1.0), (-0.45, b - 0.08), (-1.0, 0.1)]  # fmt: skip
        reach = rng.uniform(0.04, 0.15)
    loop = np.array([*corners, corners[0]], float)
    start = (loop[0] + loop[1]) / 2
    path = parts.bend([start, *loop[1:], start], reach, steps=3)[:-1]
    return path, 0.97 if kind != "angular" else 0.84


class Finish:
    """The finish of a guitar: its colours, and the painted atlas of its body."""

    def __init__(self, rng: Generator, kind: str, outline: np.ndarray, deep: float) -> None:
        self.rng, self.outline = rng, outline
        low, high = outline.min(0), outline.max(0)
        self.atlas = textures.Atlas([*low, -deep / 2], [*high, deep / 2], LAYOUT)
        self.tint = (
            textures.wood_colour(rng) if chance(rng, 0.45 if kind not in HOLLOW else 0.7) else textures.colour(rng)
        )
        self.edge = textures.contrast(rng, self.tint) if chance(rng, 0.4) else self.tint * rng.uniform(0.1, 0.6)
        self.side = pick(rng, [self.tint, self.edge, textures.wood_colour(rng)])
        self._front()
        for view in ("back", "side", "top"):
            self.atlas.fill(view, self.side)
        self._details(kind, low, high)

    def _front(self) -> None:
        """Paint the front in one of several patterns, sometimes with a binding line."""
        rng, atlas = self.rng, self.atlas
        u0, v0, u1, v1 = (np.array(LAYOUT["front"]) * atlas.size).astype(int)
        wide, tall = u1 - u0, v1 - v0
        atlas.fill("front", (0, 0, 0))
        atlas.polygon("front", self.outline, (1, 1, 1))
        inside = np.asarray(atlas.image)[atlas.size - v1 : atlas.size - v0, u0:u1, 0] > 0
        inside = np.pad(inside, 1)
        depth = scipy.ndimage.distance_transform_edt(inside)[1:-1, 1:-1] / tall
        kind = pick(rng, ["solid", "solid", "grain", "burst", "burst", "stripes", "halves", "dots"])
        if kind == "burst":
            share = np.clip(1 - depth / rng.uniform(0.08, 0.25), 0, 1) ** rng.uniform(0.7, 2)
        elif kind == "stripes":
            angle = rng.uniform(0, np.pi)
            v, u = np.indices((tall, wide)) / tall
            share = ((u * np.cos(angle) + v * np.sin(angle)) * rng.uniform(3, 8) % 1 < 0.4).astype(float)
        elif kind == "halves":
            share = (
                np.indices((tall, wide))[pick(rng, [0, 1])] / pick(rng, [tall, wide]) > rng.uniform(0.3, 0.7)
            ).astype(float)
        elif kind == "dots":
            v, u = (np.indices((tall, wide)) / tall * 8) % 1 - 0.5
            share = (u**2 + v**2 < 0.09).astype(float)
        elif kind == "grain":
            share = np.asarray(textures.noise(rng, 3, 30, 256))[:tall, :wide] * 0.6
        else:
            share = np.zeros((tall, wide))
        image = textures.mix(self.tint, self.edge, share)
        if chance(rng, 0.35):
            image[depth < 0.018] = pick(rng, [(0.93, 0.9, 0.8), (0.06, 0.05, 0.05), tuple(self.edge)])
        atlas.image.paste(textures.to_image(image), (int(u0), int(atlas.size - v1)))

    def _details(self, kind: str, low: np.ndarray, high: np.ndarray) -> None:
        """Paint the flat fittings: pickguard, sound hole or f-holes, knobs."""
        rng, atlas = self.rng, self.atlas
        tall, half = high[1], high[0]
        dark, light = np.full(3, 0.06), np.array([0.93, 0.91, 0.86])
        guard = pick(rng, [dark, light, textures.colour(rng), np.array([0.35, 0.13, 0.07])])
        if chance(rng, 0.55):
            side = pick(rng, [0.2, 0.45])
            shape = np.array(
                [(-side, 0.72), (0.3, 0.72), (0.62, 0.55), (0.7, 0.3), (0.4, 0.2), (0.2, 0.42), (-side, 0.5)]
            )
            atlas.polygon("front", shape * rng.uniform(0.9, 1.05, 2) * [half, tall], guard)
        if kind in HOLLOW:
            y, radius = tall * rng.uniform(0.6, 0.68), tall * rng.uniform(0.09, 0.13)
            if kind == "round" and chance(rng, 0.5):
                atlas.disc("front", (0, tall * 0.33), tall * 0.26, np.full(3, 0.72))
            atlas.disc("front", (0, y), radius * 1.25, guard if chance(rng, 0.5) else self.tint * 0.6)
            atlas.disc("front", (0, y), radius, dark)
            return
        if kind in ("semi", "slab", "single") and chance(rng, 0.75 if kind == "semi" else 0.15):
            for s in (-1, 1):
                hole = np.array([(0.62 * s, 0.55), (0.55 * s, 0.42), (0.66 * s, 0.28)]) * [half, tall]
                atlas.line("front", hole, dark, width=4)
        metal = pick(rng, [dark, light, np.full(3, 0.7), np.array([0.8, 0.65, 0.25])])
        for _ in range(int(rng.integers(1, 5))):
            atlas.disc("front", (half * rng.uniform(0.35, 0.6), tall * rng.uniform(0.12, 0.35)), tall * 0.03, metal)


def _neck(rng: Generator, half: float, joint: float, nut: float, front: float) -> list[Part]:
    """The neck and its fretboard, which reaches over a part of the body."""
    wood = textures.wood(rng) if chance(rng, 0.8) else textures.paint(rng)
    thick = rng.uniform(0.013, 0.019)
    start = joint - rng.uniform(0.06, 0.1)
    path = [[0, start, front - thick * 0.6], [0, nut + 0.012, front - thick * 0.6]]
    neck = parts.tube(wood, path, [[half, thick * 1.3], [half * 0.86, thick * 1.2]], 10, 2.6)
    low = joint - rng.uniform(0.0, 0.25) * joint
    board = parts.box(None, [-half, low, front - 0.002], [half, nut, front + rng.uniform(0.014, 0.02)])
    image = fretboard(rng)
    span = np.ptp(board.vertices, axis=0)[:2]
    uv = (board.vertices[board.faces][..., :2] - board.vertices.min(0)[:2]) / span
    return [neck, parts.Part(board.vertices, board.faces, uv, image)]


def fretboard(rng: Generator) -> Image:
    """An image of frets, inlays and strings; the nut is at the top."""
    atlas = textures.Atlas([0, 0, 0], [1, 1, 1], {"front": (0, 0, 1, 1)}, size=128)
    atlas.fill("front", textures.wood_colour(rng) * rng.uniform(0.4, 1) if chance(rng, 0.85) else textures.colour(rng))
    frets = 1 - (1 - 2 ** (-np.arange(1, 20) / 12)) * 1.4
    for y in frets[frets > 0]:
        atlas.line("front", [(0, y), (1, y)], (0.75, 0.73, 0.65))
    inlay = pick(rng, [(0.95, 0.93, 0.88), (0.85, 0.7, 0.3), (0.1, 0.1, 0.1)])
    for k in (2, 4, 6, 8, 11, 14):
        y = (frets[k] + frets[k - 1]) / 2
        atlas.rectangle("front", (0.3, y - 0.012), (0.7, y + 0.012), inlay)
    for x in np.linspace(0.12, 0.88, int(pick(rng, [4, 6, 6, 7]))):
        atlas.line("front", [(x, 0), (x, 1)], (0.82, 0.8, 0.75))
    return atlas.image


def _head(rng: Generator, half: float, nut: float, front: float, finish: Finish) -> list[Part]:
    """The headstock with its tuners; it leans back."""
    tall, kind = rng.uniform(0.11, 0.18), pick(rng, ["flared", "straight", "inline", "paddle", "point", "none"])
    if kind == "none":
        tall = 0.05
    wide = half * rng.uniform(1.3, 2.0)
    base = half * 0.95
    base_corners = [(-base, 0), (base, 0)]
    shape = base_corners + {
        "flared": [(wide * 0.8, tall * 0.25), (wide * 1.1, tall * 0.9), (0.3 * wide, tall), (0, tall * 0.92),
                   (-0.3 * wide, tall), (-wide * 1.1, tall * 0.9), (-wide * 0.8, tall * 0.25)],
        "straight": [(wide, tall * 0.2), (wide, tall), (-wide, tall), (-wide, tall * 0.2)],
        "inline": [(base * 1.5, tall * 0.2), (base * 0.9, tall * 0.35), (base * 0.6, tall * 1.05),
                   (-base * 0.3, tall * 1.15), (-wide, tall * 0.95), (-wide * 0.9, tall * 0.12)],
        "paddle": [(wide, tall * 0.3), (wide * 0.75, tall), (-wide * 0.75, tall), (-wide, tall * 0.3)],
        "point": [(wide * 0.5, tall * 0.5), (wide * 1.6, tall * 1.1), (-wide, tall * 0.8), (-wide, tall * 0.2)],
        "none": [(base, tall), (-base, tall)],
    }[kind]  # fmt: skip
    image = (
        textures.wood(rng)
        if chance(rng, 0.25)
        else textures.paint(rng, pick(rng, [finish.tint, finish.edge, np.full(3, 0.07)]))
    )
    thick, metal = rng.uniform(0.022, 0.032), textures.metal(rng)
    back = front - thick * 0.7
    pieces = [parts.extrude(image, shape, back - thick / 2, back + thick / 2, bevel=0.003)]
    if kind != "none":
        per_side = int(pick(rng, [2, 3, 3]))
        sides = (-1,) if kind in ("inline", "point") else (-1, 1)
        count = per_side * (3 - len(sides))
        left = {"inline": wide * 0.85, "point": wide * 0.9}.get(kind, wide * 0.75)
        for y in tall * np.linspace(0.25, 0.82, count):
            for s in sides:
                pieces.append(
                    parts.tube(
                        metal, [[s * (left - 0.02), y, back], [s * (wide * 1.05 + 0.016), y, back]], [0.011, 0.014], 8
                    )
                )
    lean = rng.uniform(0, 14)
    return [part.turned([1, 0, 0], -lean).moved(y=nut - 0.012) for part in pieces]


def _fittings(rng: Generator, kind: str, half: float, tall: float, front: float, finish: Finish) -> list[Part]:
    """The raised fittings: bridge, pickups, tailpiece."""
    dark = textures.paint(rng, np.full(3, 0.08))
    metal = textures.metal(rng)
    y = tall * (
        rng.uniform(0.24, 0.34) + {"vee": 0.22, "angular": 0.1}.get(kind, 0)
    )  # above the notch between the wings
    wide = rng.uniform(0.25, 0.42) * half if kind in HOLLOW else rng.uniform(0.18, 0.28) * half
    bridge = pick(rng, [dark, metal, textures.wood(rng)])
    pieces = [parts.box(bridge, [-wide, y - 0.014, front - 0.01], [wide, y + 0.014, front + 0.016], 0.96)]
    if kind in HOLLOW:
        return pieces
    pickup = pick(rng, [dark, metal, textures.paint(rng)])
    for share in np.linspace(0.66 if kind == "vee" else 0.5, 0.8 if kind == "vee" else 0.65, int(rng.integers(1, 4))):
        pieces.append(
            parts.box(
                pickup, [-0.042, tall * share - 0.013, front - 0.01], [0.042, tall * share + 0.013, front + 0.012]
            )
        )
    if kind not in ("vee", "angular") and chance(rng, 0.3):
        pieces.append(parts.box(metal, [-wide * 0.8, y - 0.07, front - 0.01], [wide * 0.8, y - 0.045, front + 0.014]))
    return pieces
