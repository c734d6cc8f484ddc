"""Colours of mesh files: their depth, that of surfaces without any, and materials like glass."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from utils.errors import first_of

UNCOLOURED = 0.8  # grey of a surface whose file gives no colour
DRAWN_OPAQUE = 0.95  # opacity below which it is worth telling that a material is drawn opaque


def glass_note(opacities: Iterable[tuple[str, float]]) -> str | None:
    """A note of the materials that let light through, by name and opacity; None without any.

    Those that are left out for their opacity must not be among them.
    """
    glass = [f"{name} ({opacity:.2g})" for name, opacity in opacities if opacity < DRAWN_OPAQUE]
    return f"materials that let light through are drawn opaque: {first_of(glass, 4)}" if glass else None


def to_rgba(colours: npt.ArrayLike) -> np.ndarray:
    """(..., 3 or 4) colours -> (..., 4) float RGBA in [0, 1].

    Integers may have any size, floats are in [0, 1]. Colours without alpha become opaque; values
    that are not finite become 0.
    """
    colours = np.asarray(colours)
    top = np.iinfo(colours.dtype).max if colours.dtype.kind in "ui" else 1
    colours = np.clip(np.nan_to_num(colours / top), 0, 1)
    return colours if colours.shape[-1] == 4 else np.concatenate([colours, np.ones_like(colours[..., :1])], -1)


def of_any_depth(values: np.ndarray) -> np.ndarray:
    """Colours of a format that does not say what white is -> floats in [0, 1].

    White is 255 in the 8-bit types, and 1 in floats that are at most 2. In all others it is 255 or
    65535, whichever the values do not exceed. Values that are not finite become 0.
    """
    if values.dtype.itemsize == 1:
        return values.view(np.uint8) / 255  # many programs call the type of bytes signed
    exact = np.nan_to_num(np.asarray(values, np.float64), posinf=0, neginf=0)
    largest = exact.max(initial=0)
    whites = (255, 65535) if values.dtype.kind in "iu" else (2, 255, 65535)
    white = next((white for white in whites if largest <= white), largest)
    return np.clip(exact / (1 if white == 2 else white), 0, 1)
