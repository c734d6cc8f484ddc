"""The proportions of cars, which both their parts and their paint follow."""

from typing import TypeVar

import numpy as np
from numpy.random import Generator

from preprocessing.shapes.textures import chance

Position = TypeVar("Position", float, np.ndarray)

# Ranges of lengths along z (bonnet, windscreen, rear window, boot) and of heights (waist over the
# axle of the wheels, cabin over the waist); the car is 1 long.
BODIES = {
    "sedan": ((0.2, 0.3), (0.08, 0.15), (0.06, 0.13), (0.1, 0.2), (0.08, 0.14), (0.09, 0.14)),
    "hatchback": ((0.17, 0.28), (0.08, 0.16), (0.02, 0.12), (0.0, 0.03), (0.1, 0.16), (0.11, 0.17)),
    "wagon": ((0.18, 0.27), (0.07, 0.14), (0.01, 0.06), (0.0, 0.02), (0.09, 0.14), (0.1, 0.14)),
    "coupe": ((0.27, 0.42), (0.08, 0.16), (0.12, 0.3), (0.02, 0.12), (0.07, 0.12), (0.07, 0.11)),
    "suv": ((0.18, 0.26), (0.05, 0.11), (0.01, 0.06), (0.0, 0.02), (0.15, 0.21), (0.12, 0.18)),
    "van": ((0.03, 0.14), (0.06, 0.16), (0.004, 0.02), (0.0, 0.0), (0.16, 0.24), (0.16, 0.26)),
    "bus": ((0.0, 0.015), (0.012, 0.05), (0.004, 0.03), (0.0, 0.0), (0.13, 0.2), (0.14, 0.22)),
    "convertible": ((0.24, 0.36), (0.05, 0.1), (0.05, 0.1), (0.14, 0.24), (0.08, 0.13), (0.09, 0.12)),
    "pickup": ((0.2, 0.28), (0.05, 0.11), (0.01, 0.05), (0.34, 0.45), (0.12, 0.19), (0.12, 0.17)),
    "truck": ((0.0, 0.2), (0.03, 0.09), (0.004, 0.02), (0.45, 0.62), (0.08, 0.16), (0.14, 0.22)),
}


class Shape:
    """The measures of one car: z of the corners of its cabin, heights, half widths, wheels."""

    def __init__(self, rng: Generator, kind: str) -> None:
        bonnet, screen, rear, boot, waist, cabin = (rng.uniform(*span) for span in BODIES[kind])
        self.kind = kind
        self.half = rng.uniform(0.18, 0.26) * (0.8 if kind in ("bus", "truck") else 1)
        self.wheel = rng.uniform(0.065, 0.1) * (0.8 if kind == "bus" else 1.1 if kind in ("suv", "pickup") else 1)
        self.axles = [0.5 - rng.uniform(0.15, 0.21), -0.5 + rng.uniform(0.15, 0.24)]
        if kind in ("bus", "truck") and chance(rng, 0.4):
            self.axles.append(self.axles[1] + 2.2 * self.wheel)
        self.low = self.wheel * rng.uniform(0.55, 1.1)
        self.deck = max(
            self.low + 0.3 * (self.wheel + waist - self.low), 2.05 * self.wheel
        )  # of a load, above the wheels
        self.waist = max(self.wheel + waist, self.deck + 0.05 if kind in ("pickup", "truck") else 2.2 * self.wheel)
        self.roof = self.waist + cabin
        self.base_front, self.base_rear = 0.49 - bonnet, -0.49 + boot  # where the cabin meets the bonnet, the boot
        self.roof_front, self.roof_rear = self.base_front - screen, self.base_rear + rear
        # height of the bonnet's front end, and of the boot's rear end: above the wheels
        self.bonnet = max(self.waist - rng.uniform(0, 0.3) * (self.waist - self.low), 2.1 * self.wheel)
        self.tail = max(self.waist - rng.uniform(0, 0.2) * (self.waist - self.low), 2.1 * self.wheel)
        self.chin = self.low + rng.uniform(0.15, 0.5) * (0.2 if kind == "bus" else 1) * (
            self.bonnet - self.low
        )  # the ends' lower edge
        self.lean = rng.uniform(0.0, 0.28) * (
            0.3 if kind in ("bus", "van", "truck") else 1
        )  # sides of the cabin lean inward
        self.taper, self.power = rng.uniform(0.02, 0.22), rng.uniform(2, 6)  # how the plan narrows towards the ends
        if kind in ("bus", "van"):
            self.taper *= 0.4
        self.dome = (
            rng.uniform(0.3, 1) if chance(rng, 0.5) and kind not in ("bus", "van", "truck") else 0
        )  # from trapezium to arch

    def width(self, z: Position) -> Position:
        """Half width of the body at z, a number or (n,)."""
        return self.half * (1 - self.taper * np.abs(2 * z) ** self.power)

    def roofline(self, z: np.ndarray) -> np.ndarray:
        """Heights (n,) of the outline of the cabin at z (n,)."""
        corners = [self.base_rear, self.roof_rear, self.roof_front, self.base_front]
        straight = np.interp(z, corners, [0, 1, 1, 0])
        middle, reach = (self.base_rear + self.base_front) / 2, (self.base_front - self.base_rear) / 2
        arch = np.maximum(1 - np.abs((z - middle) / reach) ** 2.2, 0) ** 0.6
        return self.waist + (self.roof - self.waist) * (straight + self.dome * (arch - straight))
