"""The pictures of textures, at the size that rendering needs."""

import pathlib
import warnings

import numpy as np
from PIL import Image

LARGEST_TEXTURE = 1024  # texels a side: a view of 138 pixels, supersampled, shows half of that


def to_texture(picture: Image.Image, path: pathlib.Path) -> np.ndarray | None:
    """A PIL image of any mode -> (H, W, 4) uint8 RGBA, at most LARGEST_TEXTURE a side.

    None, and a warning that names the mesh file `path`, if the image is broken.
    """
    try:
        if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):  # PIL would clip these at 255
            grey = np.asarray(picture, np.float64)
            grey = grey / 257 if picture.mode != "F" else grey * 255
            picture = Image.fromarray(np.clip(np.rint(grey), 0, 255).astype(np.uint8))
        picture = picture.convert("RGBA")
    except (OSError, ValueError, SyntaxError) as error:
        warnings.warn(f"{path}: a texture cannot be read ({error}), its material's colour is used", stacklevel=3)
        return None
    if max(picture.size) > LARGEST_TEXTURE:
        ratio = LARGEST_TEXTURE / max(picture.size)
        width, height = (max(1, round(side * ratio)) for side in picture.size)
        picture = picture.resize((width, height), Image.Resampling.BOX)
    return np.asarray(picture)
