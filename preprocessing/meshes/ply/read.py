"""PLY files: what their elements and properties mean, under the names that programs give them."""

import pathlib
import re
import warnings

import numpy as np

from preprocessing.meshes.colours import UNCOLOURED, of_any_depth
from preprocessing.meshes.ply.multi_textures import corners_and_numbers, picture_names
from preprocessing.meshes.ply.tables import Element, Lists, PlyFile, as_indices, read_ply
from preprocessing.meshes.polygon_mesh import PolygonMesh, to_mesh
from preprocessing.meshes.textures import Textures
from utils.errors import UserError
from utils.mesh.mesh import Mesh

FACES = ("face", "faces", "polygon", "polygons", "triangle", "triangles")
STRIPS = ("tristrips", "tristrip", "triangle_strips")
INDICES = ("vertex_indices", "vertex_index", "vertex_indexes", "vertices", "indices", "index")
# red green blue, r g b, color_red ..., scalar_R ..., red_8 ...: the first of the three names
RED = re.compile(r"((?:\w*[_.])?)(red|r)([_.]?\d*)")
CHANNELS = {"red": ("red", "green", "blue"), "r": ("r", "g", "b")}
USUAL_REDS = ("red", "diffuse_red", "r")  # before all others; that of ambient light comes last
HIGHLIGHT = "specular"  # what begins with it is no colour of the surface
COLOUR_LIST = re.compile(r"(\w*_)?(colou?rs?|rgba?)")  # trimesh writes three or four, MeshLab three a corner
MATERIALS, MATERIAL_NUMBER = ("material", "materials"), ("material_index", "material_id", "material_indices")
PACKED = ("rgb", "rgba")  # one number of four bytes, 0xAARRGGBB, as PCL keeps colours
# s t, u v, texture_u texture_v, texcoord_s texcoord_t, u0 v0, ...: first coordinate -> second
FIRST_COORDINATE = re.compile(r"((?:tex|uv|st|map)\w*?[_.]?)?([us])([_.]?0)?")
SECOND = {"u": "v", "s": "t"}
CORNER_UV = re.compile(r"tex.*(coord|uv).*|uvs?|wedge_uvs?|s?t")
TEXTURE_NUMBER = re.compile(r"tex(ture)?_?(number|num|n|id|index)|material_(index|id)")
# TextureFile a.png, or texture a.png where that is the name of a picture
TEXTURE_FILE = re.compile(
    r"texture(?:\s?_?file(?:name)?(?:\s*[:=]\s*|\s+)(?P<any>\S.*)"
    r"|(?:\s*[:=]\s*|\s+)(?P<picture>\S.*\.(?:png|jpe?g|webp|bmp|tga|tiff?)))",
    re.IGNORECASE,
)
SPLATS = "f_dc_0"  # a property that only Gaussian splats have


def read_mesh(path: pathlib.Path) -> Mesh:
    """Read a .ply file.

    Warns of textures that cannot be used, and of several textures without a number for each face.
    UserError if the file is damaged or holds no triangles.
    """
    file = read_ply(path)
    vertex = file.elements.get("vertex") or file.elements.get("vertices")
    if vertex is None or not {"x", "y", "z"} <= vertex.scalars.keys():
        raise UserError(f"{path} has no vertices with x, y and z")
    face, indices = _faces(file)
    if not len(indices.sizes):
        what = "holds Gaussian splats, no triangles" if SPLATS in vertex.scalars else "holds no triangles"
        raise UserError(f"{path} {what}")
    face_colours = _colours(face)
    corner_uv, numbers, names = _corner_uv(face, indices), _texture_numbers(face, vertex, indices), _texture_names(file)
    apart = corners_and_numbers(file.elements, indices)
    if apart is not None and corner_uv is None:
        corner_uv, numbers = apart
        names = names or picture_names(path, numbers)
    polygons = PolygonMesh(
        vertices=_columns(vertex, ("x", "y", "z")).astype(np.float64),
        corners=indices.values,
        sizes=indices.sizes,
        normals=_columns(vertex, ("nx", "ny", "nz")) if {"nx", "ny", "nz"} <= vertex.scalars.keys() else None,
        colours=_colours(vertex),
        polygon_colours=face_colours if face_colours is not None else _material_colours(file, face),
        corner_colours=_corner_colours(face, indices),
        uv=_uv(vertex),
        corner_uv=corner_uv,
    )
    _add_textures(polygons, names, numbers, path)
    return to_mesh(polygons, path)


def _columns(element: Element, names: tuple[str, ...]) -> np.ndarray:
    return np.stack([element.scalars[name] for name in names], axis=1)


def _faces(file: PlyFile) -> tuple[Element, Lists]:
    """The element of the faces and the vertices of each; strips of triangles are cut into these."""
    strips = Element(0, {}, {}), Lists(np.zeros(0, np.int64), np.zeros(0, np.int64))
    for name, element in file.elements.items():
        indices = next((element.lists[name] for name in INDICES if name in element.lists), None)
        if indices is None and len(element.lists) == 1:
            (indices,) = element.lists.values()
        if indices is None or not element.count:
            continue
        if name in FACES:
            return element, Lists(as_indices(indices.values), indices.sizes)
        if name in STRIPS:
            triangles = _triangles_of_strips(indices)
            strips = Element(len(triangles), {}, {}), Lists(triangles.ravel(), np.full(len(triangles), 3))
    return strips


def _triangles_of_strips(strips: Lists) -> np.ndarray:
    """(T, 3) triangles of strips, each of which a -1 (or the largest number) may cut into more.

    Every other triangle of a strip is turned round, so that all wind as the first.
    """
    values = strips.values.astype(np.int64)
    if strips.values.dtype.kind == "u":
        values[strips.values == np.iinfo(strips.values.dtype).max] = -1
    ends = np.cumsum(strips.sizes)
    values = np.insert(values, ends, -1)  # a strip ends where its row does
    place = np.arange(len(values))
    since = place - np.maximum.accumulate(np.where(values < 0, place, -1)) - 1  # of the strip's start
    windows = np.stack([values[:-2], values[1:-1], values[2:]], axis=1)
    odd = since[:-2] % 2 == 1
    windows[odd] = windows[odd][:, [1, 0, 2]]
    a, b, c = windows.T
    return windows[(windows >= 0).all(1) & (a != b) & (b != c) & (c != a)]


def _colours(element: Element) -> np.ndarray | None:
    """(rows, 3) colours in [0, 1], or None. Alpha is left out: many programs write nonsense."""
    channels = []
    for first in element.scalars:
        match = RED.fullmatch(first)
        if match and not first.startswith(HIGHLIGHT):
            names = tuple(f"{match[1]}{channel}{match[3]}" for channel in CHANNELS[match[2]])
            if set(names) <= element.scalars.keys():
                channels.append(names)
    if channels:
        return of_any_depth(_columns(element, min(channels, key=_rank)))
    for name, colours in element.lists.items():
        widths = np.unique(colours.sizes)
        if COLOUR_LIST.fullmatch(name) and len(widths) == 1 and widths[0] in (3, 4):
            return of_any_depth(colours.values.reshape(-1, widths[0])[:, :3])
    return next((_unpacked(element.scalars[name]) for name in PACKED if name in element.scalars), None)


def _unpacked(numbers: np.ndarray) -> np.ndarray | None:
    """(N, 3) colours in [0, 1] of (N,) numbers that hold the bytes of one each; None of others."""
    if numbers.dtype.itemsize != 4:
        return None
    alpha, *rgb = (numbers.view(np.uint32) >> shift & 255 for shift in (24, 16, 8, 0))
    if numbers.dtype.kind == "f" and not np.isin(alpha, (0, 255)).all():  # usual floats
        return None
    return np.stack(rgb, axis=1) / 255


def _rank(names: tuple[str, ...]) -> int:
    """The place of a colour among several, by the name of its red."""
    if names[0] in USUAL_REDS:
        return USUAL_REDS.index(names[0])
    return len(USUAL_REDS) + names[0].startswith("ambient")


def _uv(vertex: Element) -> np.ndarray | None:
    """(V, 2) texture coordinates, or None."""
    for first in vertex.scalars:
        match = FIRST_COORDINATE.fullmatch(first)
        if match:
            second = (match[1] or "") + SECOND[match[2]] + (match[3] or "")
            if second in vertex.scalars:
                return _columns(vertex, (first, second))
    return None


def _material_colours(file: PlyFile, face: Element) -> np.ndarray | None:
    """(P, 3) colours of the materials that faces name, grey where there is none; or None."""
    material = next((file.elements[name] for name in MATERIALS if name in file.elements), None)
    colours = None if material is None else _colours(material)
    numbers = next((face.scalars[name] for name in MATERIAL_NUMBER if name in face.scalars), None)
    if colours is None or numbers is None:
        return None
    numbers = as_indices(numbers)
    known = (numbers >= 0) & (numbers < len(colours))
    return np.where(known[:, None], colours[np.where(known, numbers, 0)], UNCOLOURED) if len(colours) else None


def _corner_colours(face: Element, indices: Lists) -> np.ndarray | None:
    """(C, 3) colours of the corners of faces, grey where a face has none; or None."""
    for name, colours in face.lists.items():
        if COLOUR_LIST.fullmatch(name):
            values = _of_corners(Lists(of_any_depth(colours.values), colours.sizes), indices, 3)
            if values is not None:
                return np.where(np.isnan(values), UNCOLOURED, values)
    return None


def _corner_uv(face: Element, indices: Lists) -> np.ndarray | None:
    """(C, 2) texture coordinates of the corners of faces, NaN where a face has none; or None."""
    for name, coordinates in face.lists.items():
        if CORNER_UV.fullmatch(name) and (coordinates.sizes > 0).any():
            pairs, triples = (_of_corners(coordinates, indices, width) for width in (2, 3))
            if pairs is None:
                return np.full((len(indices.values), 2), np.nan) if triples is None else triples[:, :2]
            return pairs
    return None


def _of_corners(lists: Lists, indices: Lists, width: int) -> np.ndarray | None:
    """(C, width) values of corners; NaN where the list of a face is of another length; or None."""
    matching = lists.sizes == width * indices.sizes
    if not (matching & (indices.sizes > 0)).any():
        return None
    values = np.full((len(indices.values), width), np.nan)
    values[np.repeat(matching, indices.sizes)] = lists.values[np.repeat(matching, lists.sizes)].reshape(-1, width)
    return values


def _texture_names(file: PlyFile) -> list[str]:
    """The textures that comments name."""
    return [match["any"] or match["picture"] for match in map(TEXTURE_FILE.fullmatch, file.comments) if match]


def _texture_numbers(face: Element, vertex: Element, indices: Lists) -> np.ndarray | None:
    """(P,) number of the texture of each polygon, by itself or by its first corner; or None."""
    of_faces, of_vertices = (
        next((element.scalars[name] for name in element.scalars if TEXTURE_NUMBER.fullmatch(name)), None)
        for element in (face, vertex)
    )
    if of_faces is not None or of_vertices is None:
        return None if of_faces is None else as_indices(of_faces)
    starts = np.cumsum(indices.sizes) - indices.sizes
    first = np.append(indices.values, -1)[np.where(indices.sizes > 0, starts, -1)]
    exists = (first >= 0) & (first < vertex.count)
    return np.append(as_indices(of_vertices), -1)[np.where(exists, first, -1)]


def _add_textures(polygons: PolygonMesh, names: list[str], numbers: np.ndarray | None, path: pathlib.Path) -> None:
    """Give the faces the textures of these names; warns of those that cannot be used.

    `numbers`: (P,) which of them each polygon has; None: not known.
    """
    if not names:
        return
    if polygons.uv is None and polygons.corner_uv is None:
        warnings.warn(f"{path}: a texture is named, but there are no texture coordinates", stacklevel=3)
        return
    if numbers is None:
        if len(names) > 1:
            text = f"{path}: {len(names)} textures are named, but not for which faces: the first is used"
            warnings.warn(text, stacklevel=3)
        numbers = np.zeros(len(polygons.sizes), np.int64)
    elif (numbers >= len(names)).any():
        text = f"{path}: faces have texture {numbers.max()}, but {len(names)} are named from 0 on: they have none"
        warnings.warn(text, stacklevel=3)
    textures = Textures(path)
    place = np.full(len(names) + 1, -1)  # of each texture among those that can be used; the last is none
    for number in np.unique(numbers[(numbers >= 0) & (numbers < len(names))]):
        pixels = textures.from_file(names[number], opaque=True)  # as colours, without alpha
        if pixels is not None:
            place[number] = len(polygons.images)
            polygons.images.append(pixels)
    polygons.polygon_image = place[np.where((numbers >= 0) & (numbers < len(names)), numbers, -1)]
    textures.warn()
    if polygons.corner_uv is not None:
        owner = np.repeat(np.arange(len(polygons.sizes)), polygons.sizes)
        lacking = np.zeros(len(polygons.sizes), bool)
        lacking[owner[np.isnan(polygons.corner_uv).all(1)]] = True
        if (lacking & (polygons.polygon_image >= 0)).any():
            warnings.warn(f"{path}: a textured part has no texture coordinates", stacklevel=3)
            polygons.polygon_image[lacking] = -1
