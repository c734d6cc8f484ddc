"""Texture coordinates of corners in two elements of their own, as Artec's programs write them."""

import pathlib

import numpy as np

from preprocessing.meshes.ply.tables import Element, Lists, as_indices
from preprocessing.meshes.side_files import find_side_file

VERTICES, FACES = "multi_texture_vertex", "multi_texture_face"
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif")  # the file has no names, but stands beside <mesh>_0.png
MOST = 256  # textures: their number is a byte


def corners_and_numbers(elements: dict[str, Element], indices: Lists) -> tuple[np.ndarray, np.ndarray] | None:
    """What the elements say of P polygons with C corners; None where they are absent.

    Args:
        elements: those of the file by name; multi_texture_face has the number of the texture (tx),
            that of the polygon (tn), and the row of multi_texture_vertex (u v) of each corner.
        indices: the vertices of the polygons.

    Returns:
        (C, 2) texture coordinates, NaN where a corner has none, and (P,) numbers of textures, -1
        where a polygon has none.
    """
    vertex, face = elements.get(VERTICES), elements.get(FACES)
    if vertex is None or face is None or not {"u", "v"} <= vertex.scalars.keys() or len(face.lists) != 1:
        return None
    (rows,) = face.lists.values()
    count = len(indices.sizes)
    owner = as_indices(face.scalars.get("tn", np.arange(face.count)))
    if len(np.unique(owner)) < face.count:  # no number of the polygon: they are in the same order
        owner = np.arange(face.count)
    known = (owner >= 0) & (owner < count)
    known[known] = rows.sizes[known] == indices.sizes[owner[known]]
    owner, sizes = owner[known], rows.sizes[known]
    begin = (np.cumsum(indices.sizes) - indices.sizes)[owner]
    places = np.repeat(begin - (np.cumsum(sizes) - sizes), sizes) + np.arange(sizes.sum())
    pairs = np.stack([vertex.scalars["u"], vertex.scalars["v"]], axis=1)
    chosen = as_indices(rows.values[np.repeat(known, rows.sizes)])
    exists = (chosen >= 0) & (chosen < vertex.count)
    uv, numbers = np.full((len(indices.values), 2), np.nan), np.full(count, -1)
    uv[places[exists]] = pairs[chosen[exists]]
    numbers[owner] = as_indices(face.scalars.get("tx", np.zeros(face.count)))[known]
    return uv, numbers


def picture_names(path: pathlib.Path, numbers: np.ndarray) -> list[str]:
    """The textures of a file that names none: those that are called as the mesh and numbered."""
    names = []
    for number in range(min(int(numbers.max(initial=-1)) + 1, MOST)):
        usual = [f"{path.stem}_{number}{suffix}" for suffix in PICTURES]
        if number == 0:
            usual += [f"{path.stem}{suffix}" for suffix in PICTURES]
        names.append(next((name for name in usual if find_side_file(name, path) is not None), usual[0]))
    return names
