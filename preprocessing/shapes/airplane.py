"""Aeroplanes: the nose points to +z, the fuselage is about 1 long.

Windows and stripes are painted.
"""

import dataclasses

import numpy as np
from numpy.random import Generator
from PIL.Image import Image

from preprocessing.shapes import parts, textures
from preprocessing.shapes.parts import Part
from preprocessing.shapes.textures import chance, pick

GLASS = ((0.12, 0.15, 0.19), (0.3, 0.42, 0.52), (0.55, 0.7, 0.8))
STATIONS = np.array([0.5, 0.485, 0.45, 0.38, 0.28, 0.1, -0.1, -0.25, -0.38, -0.46, -0.5])  # z of cross-sections
FLAT = 0.036  # thickness of tails, at the thinnest


@dataclasses.dataclass(frozen=True)
class Kind:
    """Ranges of the measures of a kind, in lengths of the fuselage."""

    radius: tuple[float, float]  # of the fuselage
    span: tuple[float, float]  # from tip to tip
    chord: tuple[float, float]  # of the wing's root
    taper: tuple[float, float]  # chord of the tip over that of the root
    sweep: tuple[float, float]  # how far the tip lies behind the root, over half of the span
    jets: bool
    boom: float = 0.6  # radius halfway to the tail's end, over that of the fuselage


KINDS = {
    "airliner": Kind((0.055, 0.08), (0.8, 1.1), (0.17, 0.24), (0.25, 0.45), (0.35, 0.6), True, 0.85),
    "business": Kind((0.055, 0.075), (0.7, 1.0), (0.16, 0.22), (0.3, 0.5), (0.2, 0.5), True, 0.8),
    "fighter": Kind((0.05, 0.07), (0.5, 0.75), (0.28, 0.42), (0.15, 0.4), (0.4, 1.0), True, 0.95),
    "cargo": Kind((0.075, 0.1), (0.95, 1.25), (0.15, 0.2), (0.4, 0.7), (0.0, 0.3), False, 0.8),
    "light": Kind((0.06, 0.09), (1.05, 1.45), (0.17, 0.24), (0.6, 1.0), (-0.03, 0.08), False),
    "racer": Kind((0.055, 0.075), (0.85, 1.15), (0.2, 0.28), (0.35, 0.7), (-0.05, 0.15), False, 0.75),
    "biplane": Kind((0.06, 0.08), (0.9, 1.25), (0.15, 0.2), (0.85, 1.0), (0.0, 0.1), False, 0.7),
    "glider": Kind((0.04, 0.06), (1.3, 1.7), (0.11, 0.15), (0.4, 0.7), (-0.03, 0.06), False, 0.5),
}


def make(rng: Generator) -> list[Part]:
    """One aeroplane: its kind, measures, paint, engines, tail and gear are drawn independently."""
    name = pick(rng, list(KINDS))
    kind = KINDS[name]
    radius = rng.uniform(*kind.radius) * np.array([rng.uniform(0.85, 1.1), 1])
    base = np.array([0.93, 0.93, 0.92]) if chance(rng, 0.35) else textures.colour(rng)
    second = textures.contrast(rng, base)
    glass = np.array(pick(rng, GLASS))
    atlas = textures.Atlas([-radius[0], -radius[1], -0.5], [radius[0], radius[1] * 1.5, 0.5], textures.LENGTHWISE)
    _paint(rng, name, atlas, radius[1], base, second, glass)
    metal, accent = textures.metal(rng), textures.paint(rng, second)
    skin = pick(rng, [textures.paint(rng, base), textures.paint(rng, base), accent, metal])
    wing = Wing(rng, kind, name, radius[1])
    pieces = [_fuselage(rng, kind, radius).painted(atlas), *_tail(rng, name, radius, pick(rng, [skin, accent]))]
    pieces += wing.parts(skin)
    if name == "biplane":
        pieces += _second_wing(rng, wing, radius[1], skin, textures.frame(rng))
    if kind.jets:
        pieces += _jets(rng, name, wing, radius, pick(rng, [skin, accent, metal]))
    elif name != "glider":
        pieces += _propellers(rng, name, wing, radius, skin, pick(rng, [accent, metal, textures.wood(rng)]))
    if name in ("light", "biplane", "racer") and chance(rng, 0.75):
        pieces += _gear(rng, radius, metal)
    return pieces


def _fuselage(rng: Generator, kind: Kind, radius: np.ndarray) -> Part:
    """Cross-sections along z; the tail is drawn up, the nose is blunt or pointed."""
    nose, end = rng.uniform(0.25, 0.6), rng.uniform(0.22, 0.35)
    share = np.array([0.18, 0.35 + 0.3 * nose, 0.6 + 0.35 * nose, 0.95, 1, 1, 1, kind.boom, 0, 0, 0])
    share[8:] = np.interp([-0.38, -0.46, -0.5], [-0.5, -0.25], [end, kind.boom])
    lift = np.interp(-STATIONS, [0.1, 0.5], [0, rng.uniform(0.2, 0.8) * (1 - end)]) * radius[1]
    droop = np.interp(STATIONS, [0.3, 0.5], [0, rng.uniform(0.0, 0.3)]) * radius[1]
    path = np.column_stack([np.zeros(len(STATIONS)), lift - droop, STATIONS])
    return parts.tube(None, path, share[:, None] * radius, 16, pick(rng, [2.0, 2.0, 2.5, 3.0]))


def _blade(image: Image, stations: np.ndarray) -> Part:
    """A wing along x: rows of `stations` are (x, y, z of the chord's middle, chord, thickness)."""
    outline = parts.section(12, 2.0)
    rings = [
        np.column_stack([np.full(12, x), y + outline[:, 1] * thick / 2, z + outline[:, 0] * chord / 2])
        for x, y, z, chord, thick in stations
    ]
    return parts.loft(image, rings)


def _both_sides(half: np.ndarray) -> np.ndarray:
    """Stations from the middle to the right tip -> from tip to tip."""
    return np.concatenate([half[:0:-1] * [-1, 1, 1, 1, 1], half])


class Wing:
    """The main wing: where it sits, and how chord and height go along it."""

    def __init__(self, rng: Generator, kind: Kind, name: str, radius: float) -> None:
        self.half, self.root = rng.uniform(*kind.span) / 2, rng.uniform(*kind.chord)
        self.tip, self.back = self.root * rng.uniform(*kind.taper), self.half * rng.uniform(*kind.sweep)
        self.thick = max(self.root * rng.uniform(0.12, 0.18), 0.028)
        high = {"cargo": 1.0, "glider": rng.choice([0.3, 0.7]), "biplane": 0.0}.get(name, float(chance(rng, 0.3)))
        self.y = radius * (-0.65 + 1.45 * high)
        self.z = rng.uniform(-0.02, 0.1) - (0.12 if name == "fighter" else 0) + 0.3 * self.back
        self.rise = self.half * rng.uniform(-0.02, 0.14) * (0.3 if high else 1)
        self.tips = chance(rng, 0.35) and name in ("airliner", "business", "racer")

    def at(self, x: float) -> tuple[float, float, float, float]:
        """(y, z of the chord's middle, chord, thickness) at the distance x from the middle."""
        share = x / self.half
        chord = self.root + share * (self.tip - self.root)
        middle = self.z - share * self.back + (self.root - chord) / 2 * 0.5
        return self.y + share * self.rise, middle, chord, max(self.thick * (1 - 0.45 * share), 0.02)

    def parts(self, image: Image, y: float = 0.0, z: float = 0.0) -> list[Part]:
        """The wing as one part, with winglets if it has some, shifted by y and z."""
        shares = np.array([0, 0.35, 0.7, 0.94, 1])
        half = np.array([(share * self.half, *self.at(share * self.half)) for share in shares])
        half[-1, 3:] *= [0.6, 0.7]  # rounded tips
        pieces = [_blade(image, _both_sides(half))]
        if self.tips:
            at, (height, middle, chord, _) = self.half * 0.97, self.at(self.half * 0.97)
            tall = self.half * 0.2
            winglet = parts.box(
                image, [at - 0.018, height - 0.005, -chord * 0.45], [at + 0.018, height + tall, chord * 0.3], 0.6
            )
            pieces += [winglet.moved(z=middle), winglet.mirrored().moved(z=middle)]
        return [piece.moved(y=y, z=z) for piece in pieces]


def _second_wing(rng: Generator, wing: Wing, radius: float, skin: Image, wood: Image) -> list[Part]:
    """The upper wing of a biplane, with the struts that carry it."""
    gap, stagger = radius * rng.uniform(1.9, 2.6), rng.uniform(0, 0.05)
    pieces = wing.parts(skin, y=gap, z=stagger)
    for x in (0.2 * wing.half, 0.7 * wing.half):
        y, z, chord, _ = wing.at(x)
        for along in (-0.25, 0.25):
            low, high = [x, y, z + along * chord], [x, y + gap, z + stagger + along * chord]
            strut = parts.beam(wood, low, high, 0.024, 0.024)
            pieces += [strut, strut.mirrored()]
    return pieces


def _tail(rng: Generator, name: str, radius: np.ndarray, image: Image) -> list[Part]:
    """Fin and stabiliser, which may sit on top of the fin; fighters may have two fins."""
    tall, chord = rng.uniform(0.13, 0.22), rng.uniform(0.12, 0.18)
    lean, base = rng.uniform(0.2, 1.0) * tall, radius[1] * 0.3
    rows = [(0, -0.42, chord), (0.75 * tall, -0.42 - 0.75 * lean, chord * 0.75), (tall, -0.42 - lean, chord * 0.6)]
    outline = parts.section(12, 2.0)
    rings = [
        np.column_stack([outline[:, 1] * FLAT / 2, np.full(12, base + y), z + outline[:, 0] * length / 2])
        for y, z, length in rows
    ]
    fin = parts.loft(image, rings)
    if name == "fighter" and chance(rng, 0.5):
        side = radius[0] * 0.45
        fins = [fin.turned([0, 0, 1], -12).moved(x=side), fin.turned([0, 0, 1], 12).moved(x=-side)]
        on_top = False
    else:
        fins, on_top = [fin], chance(rng, 0.5 if name in ("business", "glider", "cargo") else 0.1)
    half, root = rng.uniform(0.16, 0.24), rng.uniform(0.1, 0.15)
    back = half * rng.uniform(0, 0.6)
    y, z = (base + tall * 0.97, -0.42 - lean) if on_top else (base, -0.43)
    stations = np.array([(0, y, z, root, FLAT), (0.8 * half, y, z - 0.8 * back, root * 0.7, FLAT),
                         (half, y, z - back, root * 0.5, FLAT * 0.8)])  # fmt: skip
    return [*fins, _blade(image, _both_sides(stations))]


def _pod(image: Image, x: float, y: float, z: float, radius: float, length: float) -> list[Part]:
    """Two engines, mirrored, whose middle is at z."""
    path = [[x, y, z + share * length] for share in (0.5, 0.46, 0.2, -0.3, -0.5)]
    pod = parts.tube(image, path, radius * np.array([0.85, 1, 1, 0.85, 0.6]), 12)
    return [pod, pod.mirrored()]


def _jets(rng: Generator, name: str, wing: Wing, radius: np.ndarray, image: Image) -> list[Part]:
    """Engines under the wing, beside the tail, or within the fuselage."""
    size, length = rng.uniform(0.026, 0.04), rng.uniform(0.12, 0.18)
    if name == "fighter":
        nozzles = [0.0] if chance(rng, 0.5) else [radius[0] * 0.4, -radius[0] * 0.4]
        path = [[0, radius[1] * 0.3, -0.4], [0, radius[1] * 0.3, -0.53]]
        pieces = [parts.tube(image, path, radius[1] * np.array([0.5, 0.4]), 12).moved(x=x) for x in nozzles]
        if chance(rng, 0.6):  # intakes
            pieces += _pod(image, radius[0] * 0.9, -radius[1] * 0.1, 0.08, radius[1] * 0.55, 0.3)
        return pieces
    if name == "business" or chance(rng, 0.2):
        return _pod(image, radius[0] * 0.75 + size * 0.8, radius[1] * 0.35, -0.24, size, length)
    pieces = []
    for share in (0.34,) if chance(rng, 0.6) else (0.3, 0.6):
        y, z, chord, thick = wing.at(share * wing.half)
        pieces += _pod(image, share * wing.half, y - thick * 0.3 - size * 0.8, z + chord * 0.3, size, length)
    return pieces


def _propellers(rng: Generator, name: str, wing: Wing, radius: np.ndarray, skin: Image, image: Image) -> list[Part]:
    """A propeller at the nose, or engines with propellers in the wing."""
    blades, length = int(pick(rng, [2, 3, 3, 4])), rng.uniform(0.1, 0.15)
    hub = [parts.tube(image, [[0, 0, -0.02], [0, 0, 0.02], [0, 0, 0.05]], [0.028, 0.026, 0.01], 12)]
    start = rng.uniform(0, 360)
    for k in range(blades):
        blade = parts.box(image, [-0.019, 0.005, -0.013], [0.019, length, 0.013], top=0.8)
        hub.append(blade.turned([0, 0, 1], start + 360 * k / blades))
    if name != "cargo" and not (name == "light" and chance(rng, 0.25)):
        droop = radius[1] * 0.12
        return [part.moved(y=-droop, z=0.5) for part in hub]
    pieces = []
    for share in (0.3,) if name == "light" or chance(rng, 0.5) else (0.26, 0.52):
        x = share * wing.half
        y, z, chord, _ = wing.at(x)
        ahead = z + chord * 0.5 + 0.04
        pieces += _pod(skin, x, y, ahead - 0.06, rng.uniform(0.026, 0.034), 0.16)
        turning = [part.moved(x=x, y=y, z=ahead) for part in hub]
        pieces += turning + [part.mirrored() for part in turning]
    return pieces


def _gear(rng: Generator, radius: np.ndarray, metal: Image) -> list[Part]:
    """Two struts with wheels, or with floats."""
    tyre, low, out = textures.paint(rng, np.full(3, 0.08)), -radius[1] - rng.uniform(0.05, 0.09), radius[0] * 1.3
    z, pieces = rng.uniform(0.12, 0.22), []
    floats = chance(rng, 0.2)
    for s in (-1, 1):
        foot = [s * out, low, z]
        pieces.append(parts.beam(metal, [s * radius[0] * 0.3, -radius[1] * 0.6, z], foot, 0.028, 0.028))
        if floats:
            path = [[s * out, low - 0.01, z + at] for at in (0.28, 0.2, -0.2, -0.3)]
            pieces.append(parts.tube(metal, path, np.array([0.014, 0.034, 0.034, 0.016]), 12))
        else:
            pieces.append(parts.tube(tyre, [[s * (out - 0.018), low, z], [s * (out + 0.018), low, z]], 0.04, 16))
    return pieces


def _paint(
    rng: Generator,
    name: str,
    atlas: textures.Atlas,
    radius: float,
    base: np.ndarray,
    second: np.ndarray,
    glass: np.ndarray,
) -> None:
    """Paint the fuselage: belly, stripe or nose in the second colour, cockpit, rows of windows."""
    for view in textures.LENGTHWISE:
        atlas.fill(view, base)
    scheme = pick(rng, ["plain", "stripe", "belly", "nose", "rear"])
    if scheme == "stripe":
        low = rng.uniform(-0.4, 0.1) * radius
        atlas.rectangle("side", (-0.5, low), (0.5, low + rng.uniform(0.15, 0.4) * radius), second)
    elif scheme == "belly":
        atlas.rectangle("side", (-0.5, -radius), (0.5, -0.25 * radius), second)
    elif scheme == "nose":
        edge = rng.uniform(0.3, 0.42)
        atlas.rectangle("side", (edge, -2 * radius), (0.5, 2 * radius), second)
        atlas.rectangle("top", (-2 * radius, edge), (2 * radius, 0.5), second)
        atlas.fill("front", second)
    elif scheme == "rear":
        edge = rng.uniform(-0.3, -0.1)
        atlas.polygon("side", [(-0.5, -radius), (edge - 0.1, -radius), (edge, 2 * radius), (-0.5, 2 * radius)], second)
        atlas.rectangle("top", (-2 * radius, -0.5), (2 * radius, edge), second)
        atlas.fill("back", second)
    front = rng.uniform(0.36, 0.42) if name in ("airliner", "business", "cargo") else rng.uniform(0.12, 0.25)
    length = 0.06 if name in ("airliner", "cargo") else rng.uniform(0.12, 0.22)
    side = [
        (front, 0.3 * radius),
        (front - length, 0.3 * radius),
        (front - length * 0.9, radius),
        (front - 0.03, radius),
    ]
    atlas.polygon("side", side, glass)
    atlas.rectangle("top", (-0.6 * radius, front - length), (0.6 * radius, front), glass)
    if name in ("airliner", "business", "cargo"):
        for z in np.linspace(front - 0.12, -0.25, int(rng.integers(6, 16))):
            atlas.rectangle("side", (z - 0.009, 0.15 * radius), (z + 0.009, 0.48 * radius), glass)
