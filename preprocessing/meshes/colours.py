"""Conversions of colours."""

import numpy as np
import numpy.typing as npt


def to_rgba(colours: npt.ArrayLike) -> np.ndarray:
    """(..., 3 or 4) colours -> (..., 4) float RGBA in [0, 1].

    Integers may have any size, floats are in [0, 1]. Colours without alpha become opaque; values
    that are not finite become 0.
    """
    colours = np.asarray(colours)
    top = np.iinfo(colours.dtype).max if colours.dtype.kind in "ui" else 1
    colours = np.clip(np.nan_to_num(colours / top), 0, 1)
    return colours if colours.shape[-1] == 4 else np.concatenate([colours, np.ones_like(colours[..., :1])], -1)
