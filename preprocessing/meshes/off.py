"""OFF files and their variants: COFF, NOFF, CNOFF, STOFF, 4OFF."""

import pathlib
import re
import warnings
from typing import NamedTuple

import numpy as np

from preprocessing.meshes.colours import UNCOLOURED, of_any_depth
from preprocessing.meshes.no_numbers import as_nan
from preprocessing.meshes.polygon_mesh import PolygonMesh, to_mesh
from utils.errors import UserError
from utils.mesh.mesh import Mesh
from utils.text_files import marked_encoding

KEYWORD = re.compile(r"((?:ST|C|N|4|n)*)OFF")


class _Header(NamedTuple):
    letters: str  # what stands before OFF
    vertices: int
    faces: int
    first: int  # line of the first vertex


class _Rows(NamedTuple):
    """Lines of numbers."""

    numbers: np.ndarray  # all of them
    starts: np.ndarray  # (rows,) where each line begins in `numbers`
    counts: np.ndarray  # (rows,)


def read_mesh(path: pathlib.Path) -> Mesh:
    """Read an .off file with the colours of its vertices or faces, which COFF need not announce.

    Texture coordinates are ignored, since the format names no texture. Warns of colours that are
    numbers in a table, which no file contains, and of more faces than the header declares.
    UserError if the file is damaged, binary or holds no triangles.
    """
    encoding = marked_encoding(path)
    text = as_nan(path.read_bytes().decode(encoding or "latin-1", "replace"))
    if "\0" in text:
        raise UserError(f"{path} is a binary OFF file, which cannot be read: export it as text")
    # str.splitlines would also split at bytes of letters in comments, such as 0x85
    lines = [line for line in (line.partition("#")[0].strip() for line in re.split("[\r\n]+", text)) if line]
    try:
        header = _read_header(lines, path)
        split = header.first + header.vertices
        vertices = _rows(lines[header.first : split])
        faces, left = _rows(lines[split : split + header.faces]), len(lines) - split - header.faces
        if (vertices.counts != vertices.counts[:1]).any() or len(faces.counts) < header.faces or not _are_faces(faces):
            vertices, faces, left = _without_lines(lines[header.first :], header)
        table = vertices.numbers.reshape(header.vertices, -1)
        polygons = PolygonMesh(*_positions(table, header.letters), *_corners(faces))
    except (ValueError, IndexError):
        raise UserError(f"{path} cannot be read: it is damaged or cut off, or its header has wrong numbers") from None
    if left:
        text = f"{path} declares {header.faces} faces, but has {header.faces + left}: those beyond are left out"
        warnings.warn(text, stacklevel=2)
    polygons.normals, polygons.colours = _normals_and_colours(table, header.letters)
    polygons.polygon_colours = _face_colours(faces, polygons.sizes, path)
    return to_mesh(polygons, path)


def _read_header(lines: list[str], path: pathlib.Path) -> _Header:
    """The keyword, which may be missing or touch the numbers, and the numbers of things."""
    line, first = lines[0], 1
    match = KEYWORD.match(line) or KEYWORD.match(line.upper())
    if match:
        line = line[match.end() :]
    if "BINARY" in line.upper():
        raise UserError(f"{path} is a binary OFF file, which cannot be read: export it as text")
    letters = match[1] if match else ""
    if "n" in letters:
        raise UserError(f"{path} is an nOFF file, with points of any dimension: export it as OFF")
    words = line.split()
    # the numbers may lie on any lines; where a longer line, a vertex, follows, the last is missing
    while len(words) < 2 or (len(words) == 2 and len(lines[first].split()) == 1):
        words += lines[first].split()
        first += 1
    vertices, faces = int(words[0]), int(words[1])
    if vertices < 0 or faces < 0 or vertices > sum(map(len, lines)):
        raise ValueError
    if len(words) > 3 and len(lines) - first < vertices + faces:  # all things are in one line
        first -= 1
        lines[first] = " ".join(words[3:])
    return _Header(letters, vertices, faces, first)


def _rows(lines: list[str]) -> _Rows:
    """Lines of numbers; ValueError if they hold anything else."""
    counts = np.array([len(line.split()) for line in lines], np.int64)
    numbers = np.fromstring(" ".join(lines), np.float64, sep=" ") if lines else np.zeros(0)
    if len(numbers) != counts.sum():
        raise ValueError
    return _Rows(numbers, np.cumsum(counts) - counts, counts)


def _without_lines(lines: list[str], header: _Header) -> tuple[_Rows, _Rows, int]:
    """Vertices and faces of a file whose lines end anywhere, and the number of lines after them.

    Faces can have colours if each is in a line of its own. ValueError if the numbers do not fit.
    """
    rows = _rows(lines)
    numbers, announced = rows.numbers, _width(header.letters)
    for width in [announced, announced - 1] if "C" in header.letters else [announced]:  # colours have alpha or not
        end = header.vertices * width
        vertices = _Rows(numbers[:end], np.arange(header.vertices) * width, np.full(header.vertices, width))
        first = int(np.searchsorted(rows.starts, end))
        if width < announced and (rows.counts[:first] % width).any():  # some vertices have no colour
            continue
        if first < len(rows.starts) and rows.starts[first] == end:
            last = first + header.faces
            faces = _Rows(numbers[end:], rows.starts[first:last] - end, rows.counts[first:last])
            if len(faces.starts) == header.faces and _are_faces(faces):
                return vertices, faces, len(rows.starts) - last
        starts = [end]
        while len(starts) <= header.faces and starts[-1] < len(numbers) and 0 <= numbers[starts[-1]] <= len(numbers):
            starts.append(starts[-1] + 1 + int(numbers[starts[-1]]))
        if len(starts) > header.faces and starts[-1] == len(numbers):
            bounds = np.array(starts, np.int64) - end
            return vertices, _Rows(numbers[end:], bounds[:-1], np.diff(bounds)), 0
    raise ValueError


def _are_faces(rows: _Rows) -> bool:
    """Whether each row begins with how many vertices follow in it."""
    if not rows.counts.all():
        return False
    declared = rows.numbers[rows.starts]
    return bool(((declared == np.rint(declared)) & (declared >= 0) & (declared < rows.counts)).all())


def _width(letters: str) -> int:
    """Numbers per vertex that the keyword announces; a colour has 4."""
    return 3 + ("4" in letters) + 3 * ("N" in letters) + 4 * ("C" in letters) + 2 * ("ST" in letters)


def _positions(table: np.ndarray, letters: str) -> tuple[np.ndarray]:
    """(V, 3) positions; those of 4OFF are homogeneous."""
    if table.shape[1] < 3 + ("4" in letters):
        raise ValueError
    if "4" in letters:
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return (table[:, :3] / table[:, 3:4],)
    return (table[:, :3],)


def _corners(faces: _Rows) -> tuple[np.ndarray, np.ndarray]:
    """The vertices of all faces, one face after another, and their number for each face."""
    if not _are_faces(faces):
        raise ValueError
    sizes = faces.numbers[faces.starts].astype(np.int64)
    before = np.cumsum(sizes) - sizes
    places = np.repeat(faces.starts + 1 - before, sizes) + np.arange(sizes.sum())
    corners = faces.numbers[places]
    if (corners != np.rint(corners)).any() or (np.abs(corners) > 2**53).any():
        raise ValueError
    return corners.astype(np.int64), sizes


def _normals_and_colours(table: np.ndarray, letters: str) -> tuple[np.ndarray | None, np.ndarray | None]:
    """(V, 3) normals and (V, 3) colours of the vertices, or None.

    What a line has beyond the position counts, whatever the keyword says: two numbers at the end of
    ST are texture coordinates, three or four a colour, more than that a normal and a colour.
    """
    rest = table[:, 3 + ("4" in letters) :]
    if "ST" in letters or rest.shape[1] in (2, 5, 8, 9):
        rest = rest[:, :-2]
    normal = "N" in letters or rest.shape[1] in (6, 7) or (rest.shape[1] == 3 and bool((rest < 0).any()))
    normals = rest[:, :3] if normal and rest.shape[1] >= 3 else None
    colours = rest[:, 3:] if normal else rest
    return normals, _rgb(colours) if colours.shape[1] in (3, 4) else None


def _rgb(colours: np.ndarray) -> np.ndarray:
    """(N, 3 or 4) colours of a file -> (N, 3) in [0, 1].

    Beside whole numbers, the alpha helps to tell whether white is 1 or 255: 1 1 1 255 is nearly
    black. Fractions may be counted up to 1 and their alpha up to 255.
    """
    whole = (colours[:, :3] == np.rint(colours[:, :3])).all()
    return of_any_depth(colours if whole else colours[:, :3])[:, :3]


def _face_colours(faces: _Rows, sizes: np.ndarray, path: pathlib.Path) -> np.ndarray | None:
    """(P, 3) colours of the faces, grey where one has none; None if no face has one.

    `sizes`: (P,) number of corners.
    """
    extra = faces.counts - 1 - sizes
    if (extra == 1).any():
        text = f"{path}: colours of faces are numbers in a table that the file does not contain: they are grey"
        warnings.warn(text, stacklevel=3)
    coloured = np.flatnonzero(extra >= 3)
    if not len(coloured):
        return None
    channels = 4 if (extra[coloured] >= 4).all() else 3
    places = (faces.starts + 1 + sizes)[coloured, None] + np.arange(channels)
    colours = np.full((len(sizes), 3), UNCOLOURED)
    colours[coloured] = _rgb(faces.numbers[places])
    return colours
