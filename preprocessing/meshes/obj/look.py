"""The look of MTL materials: colour, texture and opacity -> Material."""

import dataclasses
import pathlib

import numpy as np
from PIL import Image

from preprocessing.meshes.colours import UNCOLOURED
from preprocessing.meshes.obj.mtl_statements import Map, MtlMaterial
from preprocessing.meshes.textures import Textures
from utils.mesh.light import linear_to_srgb
from utils.mesh.mesh import ABSENT, REPEAT, Material, Wrap

STEEPEST = 1e6  # of the levels of a map; more would not change a byte, and might not be finite
XYZ_TO_RGB = np.array(  # CIE XYZ of white D65 -> linear light, IEC 61966-2-1
    [[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]]
)
EIGHT_BIT = 2  # colours above this are counted up to 255


@dataclasses.dataclass(frozen=True)
class Look:
    """A material, and what Material does not say of it."""

    material: Material
    picture: Map | None = None  # where the texture lies; None without one
    opacity: float = 1.0


def look_of(material: MtlMaterial, textures: Textures, mesh: pathlib.Path) -> Look:
    """The look of a material of an OBJ file `mesh`, without light.

    A texture is shown as it is, whatever the colour beside it: many exporters write a black or grey
    one. Without its texture, a surface with a black one is as one without a colour. Emission counts
    where there is no diffuse colour or a black one, the ambient colour where there is no other.
    """
    colour, light = _colour(material, "kd"), _colour(material, "ke")
    black = colour is None or not colour.any()
    if black and light is not None and light.any():
        colour = light
    keywords = ["map_kd", *(["map_ke"] if black else []), "map_ka"]
    if colour is None:
        ambient = _colour(material, "ka")
        colour = ambient if ambient is not None and ambient.any() else np.full(3, UNCOLOURED)
    picture = next((texture for texture in (material.map(keyword, mesh) for keyword in keywords) if texture), None)
    image = None if picture is None else _texels(picture, textures)
    if image is None and picture is not None and not colour.any() and picture == material.map("map_kd", mesh):
        colour = np.full(3, UNCOLOURED)  # black only stood beside the texture
    if image is not None and image[..., 3].max() < 255 * ABSENT:  # some programs leave the channel empty
        image = np.concatenate([image[..., :3], np.full_like(image[..., 3:], 255)], 2)
    cut_out = material.map("map_d", mesh)
    mask = None if cut_out is None else _texels(cut_out, textures)
    if mask is not None:
        if picture is not None and image is not None:
            image = _texels(picture, textures, opaque=True)  # the mask replaces its alpha
        picture = picture if image is not None else cut_out
        image = _masked(np.rint(255 * colour).astype(np.uint8).reshape(1, 1, 3) if image is None else image, mask)
    factor = np.array([*(colour if image is None else np.ones(3)), 1.0])
    shown = picture if image is not None else None
    wrap: tuple[Wrap, Wrap] = ("clamp", "clamp") if shown and shown.clamp else REPEAT
    return Look(Material(factor, image, wrap=wrap), shown, _opacity(material))


def _colour(material: MtlMaterial, keyword: str) -> np.ndarray | None:
    """The (3,) colour of a statement in [0, 1]; None if it has none in RGB or CIE XYZ."""
    numbers = material.colour(keyword)
    if numbers is None:
        return None
    rgb = np.array(numbers)
    if material.is_xyz(keyword):
        return linear_to_srgb(np.clip(XYZ_TO_RGB @ np.clip(rgb, 0, EIGHT_BIT), 0, 1))
    return np.clip(rgb / (255 if rgb.max() > EIGHT_BIT else 1), 0, 1)


def _texels(picture: Map, textures: Textures, opaque: bool = False) -> np.ndarray | None:
    """(H, W, 4) uint8 RGBA of a map, its colours with its levels; None if it cannot be used."""
    image = textures.from_file(picture.name, picture.within, opaque)
    if image is None or picture.levels == (0, 1):
        return image
    base, gain = np.clip(picture.levels, -STEEPEST, STEEPEST)
    table = np.clip(np.rint(255 * base + gain * np.arange(256.0)), 0, 255).astype(np.uint8)
    return np.concatenate([table[image[..., :3]], image[..., 3:]], 2)


def _masked(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """An image, at least (1, 1, 3), with the opacity of a picture: its alpha, else its grey."""
    has_alpha = (mask[..., 3] < 255).any()
    alpha = Image.fromarray(np.ascontiguousarray(mask[..., 3])) if has_alpha else Image.fromarray(mask).convert("L")
    height, width = np.maximum(image.shape[:2], mask.shape[:2])
    size = (int(width), int(height))
    colours = Image.fromarray(np.ascontiguousarray(image[..., :3])).resize(size, Image.Resampling.BILINEAR)
    colours.putalpha(alpha.resize(size, Image.Resampling.BILINEAR))
    return np.asarray(colours)


def _opacity(material: MtlMaterial) -> float:
    """Opacity in [0, 1], from `d` and from `Tr`, which is 1 - d.

    Some programs write Tr with the meaning of d. Of two statements that differ, the more opaque one
    counts, and Tr 1 alone means opaque: nobody exports what cannot be seen.
    """
    opaque, transparent = material.numbers("d")[:1], material.numbers("tr")[:1]
    if not opaque and transparent == [1.0]:
        return 1.0
    values = [*opaque, *(1 - value for value in transparent)]
    return float(np.clip(max(values), 0, 1)) if values else 1.0
