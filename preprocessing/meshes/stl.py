"""STL files, binary and ASCII: triangles without textures, rarely with colours."""

import codecs
import pathlib
import re
import warnings

import numpy as np

from preprocessing.meshes.colours import UNCOLOURED
from preprocessing.meshes.polygon_mesh import PolygonMesh, to_mesh
from utils.errors import UserError
from utils.mesh.mesh import Mesh

HEADER = 84  # bytes: 80 of any text, the number of triangles
TRIANGLE = np.dtype([("normal", "<f4", 3), ("points", "<f4", (3, 3)), ("attribute", "<u2")])
CORNER = re.compile(rb"\bvertex\s+(\S+)\s+(\S+)\s+(\S+)|\bendloop\b", re.IGNORECASE)  # or the end of a face
OWN_COLOUR = 0x8000  # bit of the attribute: in VisCAM's files the triangle has a colour, in Magics' it has none


def read_mesh(path: pathlib.Path) -> Mesh:
    """Read an .stl file; equal points become one vertex, so that normals are smooth.

    The colours that VisCAM, SolidView and Magics put into binary files are read. Warns if there
    are none, and of more triangles than the header declares. UserError if the file is damaged or
    holds no triangles.
    """
    raw = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    colours = None
    if _is_text(raw):
        points, sizes = _read_text(raw, path)
    else:
        table = _read_binary(raw, path)
        points, sizes = table["points"], np.full(len(table), 3)
        colours = _colours(table["attribute"], raw[:80])
    if colours is None and len(points):
        warnings.warn(f"{path}: an STL file without colours: it becomes grey", stacklevel=3)
    flat = points.reshape(-1, 3) + 0.0  # -0 and 0 are one number
    _, first, corners = np.unique(_as_keys(flat), return_index=True, return_inverse=True)
    vertices = flat[first].astype(np.float64)
    return to_mesh(PolygonMesh(vertices, corners.ravel(), sizes, polygon_colours=colours), path)


def _as_keys(points: np.ndarray) -> np.ndarray:
    """(N, 3) points -> (N,) values that are equal where all bytes are."""
    points = np.ascontiguousarray(points)
    return points.view(f"V{points.itemsize * 3}").ravel()


def _is_text(raw: bytes) -> bool:
    """Whether an STL file is ASCII; binary ones may begin with the same word."""
    if len(raw) >= HEADER and len(raw) == HEADER + _declared(raw) * TRIANGLE.itemsize:
        return False
    return raw.lstrip()[:5].lower() == b"solid" and b"\0" not in raw


def _declared(raw: bytes) -> int:
    """The number of triangles in the header of a binary file."""
    return int.from_bytes(raw[HEADER - 4 : HEADER], "little")


def _read_text(raw: bytes, path: pathlib.Path) -> tuple[np.ndarray, np.ndarray]:
    """(C, 3) corners of the faces of an ASCII file, and the (F,) number of corners of each.

    Some programs write polygons, or faces of one or two points, though STL is for triangles.
    """
    matches = CORNER.findall(raw)
    ends = np.flatnonzero([not words[0] for words in matches])
    words = [words for words in matches if words[0]]
    sizes = np.diff(ends - np.arange(len(ends)), prepend=0) if len(ends) else np.full(len(words) // 3, 3)
    try:
        points = np.array(words or np.zeros((0, 3))).astype(np.float64)
    except ValueError:
        raise UserError(f"{path} cannot be read: its vertices are not three numbers each") from None
    if sizes.sum() != len(points):
        raise UserError(f"{path} cannot be read: its last face is cut off")
    return points, sizes


def _read_binary(raw: bytes, path: pathlib.Path) -> np.ndarray:
    """(T,) TRIANGLE of a binary file. Warns of more than its header declares."""
    count, (held, rest) = _declared(raw), divmod(max(0, len(raw) - HEADER), TRIANGLE.itemsize)
    if len(raw) < HEADER or count > held:
        raise UserError(f"{path} cannot be read: it declares {count} triangles, but has room for {held}")
    if count < held and not rest:  # otherwise it is something else, such as a comment
        text = f"{path} declares {count} triangles, but has {held}: those beyond are left out"
        warnings.warn(text, stacklevel=3)
    return np.frombuffer(raw, TRIANGLE, count, HEADER)


def _colours(attribute: np.ndarray, header: bytes) -> np.ndarray | None:
    """(T, 3) colours in [0, 1] from the (T,) attributes, five bits each, or None.

    VisCAM and SolidView store blue in the lowest bits. Magics stores red there, and in the header
    the colour of the triangles that have none of their own.
    """
    channels = (attribute[:, None] >> np.array([0, 5, 10], np.uint16) & 31) / 31
    marked = attribute[:, None] & OWN_COLOUR != 0
    whole = re.search(rb"COLOR=(.)(.)(.)", header, re.DOTALL)
    if whole:
        colour = np.array([channel[0] for channel in whole.groups()]) / 255
        return np.where(marked | (attribute == 0).all(), colour, channels)
    return np.where(marked, channels[:, ::-1], UNCOLOURED) if marked.any() else None
