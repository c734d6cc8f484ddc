"""The statements of an OBJ file as arrays."""

import dataclasses
import pathlib
import warnings

import numpy as np

from preprocessing.meshes.no_numbers import as_nan
from preprocessing.meshes.obj.text_lines import read_lines
from preprocessing.meshes.obj.words import slashes_of_words, word_counts
from utils.errors import UserError

POLYPAINT = "#MRGB"  # a comment with colours by ZBrush: MMRRGGBB, a mask and bytes, for each vertex
FREE_FORM = {"curv", "curv2", "surf"}
KEYWORDS = {"v", "vt", "vn", "f", "fo", "usemtl", "mtllib", POLYPAINT, *FREE_FORM}  # elsewhere in capitals too
LARGEST_COORDINATE = 1e60  # the squares of areas stay finite
LARGEST = 2**53  # integers below it are exact as floats


@dataclasses.dataclass
class ObjFile:
    """The polygons of an OBJ file.

    Indices count from 0; -1 stands for a texture coordinate or a normal that a corner lacks.
    """

    vertices: np.ndarray  # (V, 3) float64
    colours: np.ndarray  # (V, 3) as in the file; not finite where a vertex has none
    uv: np.ndarray  # (T, 2)
    normals: np.ndarray  # (N, 3), of any length
    corners: np.ndarray  # (C, 3) int64: vertex, texture coordinate, normal; polygon after polygon
    sizes: np.ndarray  # (P,) corners of each polygon
    polygon_name: np.ndarray  # (P,) index into names
    names: list[str]  # of materials as usemtl has them; the first is "": none yet
    libraries: list[str]  # the arguments of the mtllib statements
    notes: list[str]  # what was left out


class _Statements:
    """The lines of an OBJ file by keyword, and what faces need to know of the lines before."""

    def __init__(self, lines: list[str]) -> None:
        self.vertices: list[str] = []
        self.uv: list[str] = []
        self.normals: list[str] = []
        self.faces: list[str] = []
        self.polypaint: list[str] = []
        self.relative: list[tuple[int, int, int, int]] = []  # face, numbers of v, vt and vn before it
        self.materials: list[tuple[int, str]] = [(0, "")]  # number of faces before, name
        self.libraries: list[str] = []
        self.free_form = False
        numeric = {"v": self.vertices, "vt": self.uv, "vn": self.normals}
        for line in lines:
            words = line.split(None, 1)
            if not words:
                continue
            keyword, rest = words[0], words[1] if len(words) == 2 else ""
            keyword = keyword if keyword in KEYWORDS else keyword.lower()
            if keyword in numeric:
                numeric[keyword].append(rest)
            elif keyword in ("f", "fo"):
                if "-" in rest:
                    self.relative.append((len(self.faces), len(self.vertices), len(self.uv), len(self.normals)))
                self.faces.append(rest)
            elif keyword == "usemtl":
                self.materials.append((len(self.faces), " ".join(rest.split())))
            elif keyword == "mtllib":
                self.libraries.append(rest.strip())
            elif keyword == POLYPAINT:
                self.polypaint.append(rest)
            elif keyword in FREE_FORM:
                self.free_form = True


def read_obj(path: pathlib.Path) -> ObjFile:
    """Read an OBJ file; lines, points and whatever is no polygon are left out.

    Raises:
        UserError: a statement is malformed, or a face refers to a vertex that does not exist.
    """
    statements = _Statements(read_lines(path))
    vertices, colours = _vertices(statements.vertices, path)
    uv = _rows(statements.uv, "vt", 1, path)
    normals = _rows(statements.normals, "vn", 3, path)[:, :3]
    faces = _without_comments(statements.faces)
    sizes = word_counts(faces)
    indices = _indices(faces, path)
    _make_absolute(indices, sizes, statements.relative)
    notes = ["free-form curves and surfaces are left out"] if statements.free_form else []
    if statements.polypaint and not np.isfinite(colours).any():
        paint = _polypaint(statements.polypaint)
        if len(paint) == len(vertices):
            colours = paint
        else:
            notes.append(f"its polypaint is left out: {len(paint)} colours for {len(vertices)} vertices")
    _check(indices, sizes, faces, (len(vertices), len(uv), len(normals)), path, notes)
    names, polygon_name = _names(statements.materials, len(sizes))
    if uv.shape[1] == 1:
        uv = np.concatenate([uv, np.zeros_like(uv)], 1)
    return ObjFile(
        vertices, colours, uv[:, :2], normals, indices - 1, sizes, polygon_name, names, statements.libraries, notes
    )


def _without_comments(texts: list[str]) -> list[str]:
    return [text.partition("#")[0] for text in texts] if "#" in "".join(texts) else texts


def _vertices(texts: list[str], path: pathlib.Path) -> tuple[np.ndarray, np.ndarray]:
    """(V, 3) positions, NaN where they are too large, and (V, 3) colours, NaN where none is.

    A fourth number alone is a weight, which polygons do not use; three or four more are a colour.
    """
    rows = _rows(texts, "v", 3, path)
    colours = rows[:, 3:6] if rows.shape[1] >= 6 else np.full((len(rows), 3), np.nan)
    return np.where(np.abs(rows[:, :3]) < LARGEST_COORDINATE, rows[:, :3], np.nan), colours


def _polypaint(texts: list[str]) -> np.ndarray:
    """(N, 3) colours in [0, 1] of the texts of POLYPAINT comments; none if one is malformed."""
    try:
        return np.frombuffer(bytes.fromhex(" ".join(texts)), np.uint8).reshape(-1, 4)[:, 1:] / 255
    except ValueError:
        return np.zeros((0, 3))


def _rows(texts: list[str], keyword: str, least: int, path: pathlib.Path) -> np.ndarray:
    """The numbers of statements of one keyword, (N, M >= least); NaN after the end of a row."""
    if any("#" in text for text in texts):
        texts = _without_comments([as_nan(text) for text in texts])
    lengths = word_counts(texts)
    values, bad = _numbers(" ".join(texts), int(lengths.sum())), None
    if values is None:
        bad = next(row for row, text in enumerate(texts) if _numbers(text, len(text.split())) is None)
    elif len(lengths) and lengths.min() < least:
        bad = int(np.argmin(lengths))
    if values is None or bad is not None:
        raise UserError(f"{path}: '{keyword} {_shown(texts[bad or 0])}' cannot be read: {least} numbers belong there")
    width = min(int(lengths.max(initial=least)), 8)
    if (lengths == width).all():
        return values.reshape(-1, width)
    rows = np.full((len(texts), width), np.nan)
    columns = np.arange(len(values)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    kept = columns < width
    rows[np.repeat(np.arange(len(texts)), lengths)[kept], columns[kept]] = values[kept]
    return rows


def _numbers(text: str, count: int, kind: type = np.float64) -> np.ndarray | None:
    """The `count` numbers of a text; None if it is anything else."""
    try:
        with warnings.catch_warnings(action="error"):  # NumPy before 2.3 warns where others raise
            values: np.ndarray = np.fromstring(text, kind, sep=" ") if text.strip() else np.zeros(0, kind)
    except (ValueError, DeprecationWarning):
        return None
    return values if len(values) == count else None


def _shown(text: str) -> str:
    """A statement for a message of one line."""
    return " ".join(text.split())[:60]


def _indices(faces: list[str], path: pathlib.Path) -> np.ndarray:
    """(C, 3) numbers of the corners v, v/vt, v//vn or v/vt/vn as in the file; 0: absent."""
    text = " ".join(faces)
    try:
        slashes = slashes_of_words(text)
        if len(slashes) and (slashes == slashes[0]).all() and slashes[0] <= 2:
            count = int(slashes[0]) + 1
            plain = text.replace("//", "/0/").replace("/", " ")
            numbers = _numbers(plain, count * len(slashes), np.int64)
            if numbers is None:  # such as 1.0
                numbers = _numbers(plain, count * len(slashes))
            if numbers is not None and (np.abs(numbers) < LARGEST).all() and (numbers == np.rint(numbers)).all():
                indices = np.zeros((len(slashes), 3), np.int64)
                indices[:, :count] = numbers.reshape(-1, count)
                return indices
        return np.array([_corner(word) for word in text.split()], np.int64).reshape(-1, 3)
    except (ValueError, OverflowError):
        bad = next(face for face in faces if not _is_face(face))
        raise UserError(f"{path}: 'f {_shown(bad)}' is not a face") from None


def _corner(word: str) -> tuple[int, int, int]:
    """The numbers of one corner; ValueError if it is none."""
    v, vt, vn = (int(number) if number else 0 for number in (word.split("/") + ["", ""])[:3])
    return v, vt, vn


def _is_face(face: str) -> bool:
    try:
        np.array([_corner(word) for word in face.split()], np.int64)
    except (ValueError, OverflowError):
        return False
    return True


def _make_absolute(indices: np.ndarray, sizes: np.ndarray, relative: list[tuple[int, int, int, int]]) -> None:
    """Replace negative numbers, which count back from the line of their face (-1: the last)."""
    if not relative:
        return
    before = np.zeros((len(sizes), 3), np.int64)
    rows = np.array(relative, np.int64)
    before[rows[:, 0]] = rows[:, 1:]
    counts = np.repeat(before, sizes, axis=0)
    negative = indices < 0
    absolute = indices + counts + 1
    # a number that leads before the first must not become 0, which means absent
    indices[negative] = np.where(absolute > 0, absolute, np.minimum(indices, -1))[negative]


def _check(
    indices: np.ndarray,
    sizes: np.ndarray,
    faces: list[str],
    counts: tuple[int, int, int],
    path: pathlib.Path,
    notes: list[str],
) -> None:
    """UserError for vertices that do not exist; texture coordinates and normals become 0."""
    wrong = (indices > np.array(counts)) | (indices < 0)
    wrong[:, 0] |= indices[:, 0] == 0
    polygon = np.repeat(np.arange(len(sizes)), sizes)
    if wrong[:, 0].any():
        face = _shown(faces[polygon[np.argmax(wrong[:, 0])]])
        raise UserError(f"{path}: 'f {face}' refers to a vertex that does not exist, the file has {counts[0]}")
    for column, what in ((1, "texture coordinates"), (2, "normals")):
        if wrong[:, column].any():
            notes.append(f"some faces refer to {what} that do not exist")
            indices[wrong[:, column], column] = 0


def _names(materials: list[tuple[int, str]], count: int) -> tuple[list[str], np.ndarray]:
    """The distinct names, "" first, and the index of each of `count` faces."""
    names = list(dict.fromkeys(name for _, name in materials))
    place = {name: index for index, name in enumerate(names)}
    starts = np.array([start for start, _ in materials] + [count])
    return names, np.repeat([place[name] for _, name in materials], np.diff(starts))
