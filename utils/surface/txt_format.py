"""The txt file of a predicted field: one row per point of an R^3 grid, x fastest, then y, then z.

    x y z r g b g0

x y z    voxel frame, at v = 64 (i + 0.5)/R - 32.5: the integers -32..31 where R = 64
r g b    in [0, 1], or -1 -1 -1 where the field is empty
g0       logit of class 1 minus class 0 (binary mode), or the signed distance in object-frame
         length, negative inside (SDF mode)

There is no header line. A colour may be a little outside [0, 1], where it is rounded or the sum of
several outputs of a network: from -0.05 to 2 it is clipped. Beyond that the file is refused, since
its colours have another unit, such as 0..255.

Two older kinds of file can be read as well: those of six columns, without g0, which becomes +1
where there is a colour and -1 elsewhere; and those with a grid of linspace(-32, 31, R), whose cells
are a little closer together where R > 64.
"""

import contextlib
import lzma
import os
import pathlib
import zlib

import numpy as np

from utils import files
from utils.errors import UserError
from utils.geometry import frames
from utils.surface.field_grid import FieldGrid
from utils.text_files import line_of_row, numbered_lines, read_numbers

COLUMNS = "x y z r g b g0"
ENCODING = "latin1"  # which any bytes are text in, for messages that name the line
LEAST, MOST = -0.05, 2.0  # colours that are clipped to [0, 1]: noise; the sum of two sigmoids
TOLERANCE = 0.01  # share of a cell that a coordinate may be off by
ROUNDED = 0.0051  # and voxels, where that is more: files of two decimals still fit


def write_txt(path: str | os.PathLike[str], field: FieldGrid) -> None:
    """Write a field, whole or not at all. g0 comes back exactly, colours to 4 decimals.

    Takes 0.2 s at 64^3. UserError if a value is not finite.
    """
    R = field.resolution
    if field.geometry.shape != (R**3,) or field.colours.shape != (R**3, 3):
        raise ValueError(f"a field of {R}^3 cells has {field.geometry.shape} values and {field.colours.shape} colours")
    if not np.isfinite(field.geometry).all():
        raise UserError(f"{path} is not written: the field has values that are not finite")
    coordinates = [f"{v:.9g}" for v in frames.to_voxel(field.line)]
    rows = [f"{x} {y} " for y in coordinates for x in coordinates]  # the same for every z
    geometry, colours = field.geometry.reshape(R, -1), field.colours.reshape(R, -1, 3)
    with files.replacing(path) as temporary, open(temporary, "w") as out:
        for z, values, rgb in zip(coordinates, geometry, colours, strict=True):
            coloured = np.flatnonzero((rgb >= 0).all(1))
            z_and_colour = [z + " -1 -1 -1 "] * len(rows)
            texts = _format(z + " %.4f %.4f %.4f ", np.minimum(rgb[coloured], 1))
            for i, text in zip(coloured, texts, strict=True):
                z_and_colour[i] = text
            g0 = _format("%.9g\n", values)
            out.write("".join([a + b + c for a, b, c in zip(rows, z_and_colour, g0, strict=True)]))


def _format(pattern: str, numbers: np.ndarray) -> list[str]:
    """One string for each of (N,) numbers or (N, C) rows.

    All are formatted in one operation, which is several times faster than N of them.
    """
    return (f"{pattern}\0" * len(numbers) % tuple(numbers.ravel().tolist())).split("\0")[:-1]


def read_txt(path: str | os.PathLike[str]) -> FieldGrid:
    """Read a field; UserError names the file, the line and the cause."""
    table = _table(path)
    if table.shape[1] not in (6, 7):
        raise UserError(f"{path} has {table.shape[1]} columns, expected {COLUMNS} (or the first six of them)")
    bad = ~np.isfinite(table).all(1)
    if bad.any():
        raise UserError(f"{line_of_row(path, bad.argmax(), ENCODING)}: a value is not a finite number")
    line = _grid_line(path, table[:, :3])
    colours = table[:, 3:6]
    empty = np.all(np.abs(colours + 1) <= 0.01, axis=1)
    wrong = ~empty & ((colours < LEAST) | (colours > MOST)).any(1)
    if wrong.any():
        row = wrong.argmax()
        remedy = "; divide colours of 0..255 by 255" if colours[row].max() > MOST else ""
        where = line_of_row(path, row, ENCODING)
        raise UserError(f"{where}: colour {_text(colours[row])} is neither in [0, 1] nor -1 -1 -1{remedy}")
    colours = np.where(empty[:, None], -1, np.clip(colours, 0, 1)).astype(np.float32)
    geometry = table[:, 6] if table.shape[1] == 7 else np.where(empty, -1, 1)
    return FieldGrid(len(line), geometry.astype(np.float32), colours, line)


def _table(path: str | os.PathLike[str]) -> np.ndarray:
    """(N, columns) float32 of a file of numbers."""
    if not pathlib.Path(path).is_file():
        raise UserError(f"{path} is {'a folder, not a file' if pathlib.Path(path).is_dir() else 'missing'}")
    try:
        table = read_numbers(path, ENCODING, dtype=np.float32, comments=None)
    except (ValueError, OSError) as error:
        raise UserError(f"{path}{_broken_line(path)} cannot be read as rows of numbers {COLUMNS}: {error}") from None
    if not table.size:
        raise UserError(f"{path} is empty, expected rows of {COLUMNS}")
    return table


def _broken_line(path: str | os.PathLike[str]) -> str:
    """', line N' of the first line that is not numbers, or has not as many as the first line."""
    columns = None
    with contextlib.suppress(OSError, EOFError, zlib.error, lzma.LZMAError):  # it cannot be unpacked
        for number, line in numbered_lines(path, ENCODING):
            words = line.split()
            columns = columns or len(words)
            try:
                list(map(float, words))
            except ValueError:
                return f", line {number}"
            if len(words) != columns:
                return f", line {number} ({len(words)} columns instead of {columns})"
    return ""


def _grid_line(path: str | os.PathLike[str], points: np.ndarray) -> np.ndarray:
    """(N, 3) voxel-frame points in file order -> (R,) object-frame cell centres along an axis.

    UserError if the points are not a grid.
    """
    resolution = _resolution(points)
    candidates = [
        frames.VOXELS * (np.arange(resolution) + 0.5) / resolution - 32.5,
        np.linspace(-32, 31, resolution),
    ]
    low, high = points[:, 0].min(), points[:, 0].max()
    line = min(candidates, key=lambda v: abs(v[0] - low) + abs(v[-1] - high))
    tolerance = max(TOLERANCE * (line[1] - line[0]), ROUNDED)
    if len(points) == resolution**3:  # the usual case needs no second array of the file's size
        columns = points.T.reshape((3,) + (resolution,) * 3)  # x, y, z, indexed [z, y, x]
        axes = (line, line[:, None], line[:, None, None])
        if all((abs(column - axis) <= tolerance).all() for column, axis in zip(columns, axes, strict=True)):
            return frames.from_voxel(line)
    i = np.arange(len(points))
    # modulo: rows beyond the cube are compared too, so that the message names an extra row
    expected = np.stack(
        [line[i % resolution], line[i // resolution % resolution], line[i // resolution**2 % resolution]], 1
    )
    off = (abs(points - expected) > tolerance).any(1)
    if off.any():
        row = off.argmax()
        cause = _cause(points, expected, row, resolution, tolerance)
        grid = f"a {resolution}^3 grid (x fastest, then y, then z)"
        where = line_of_row(path, row, ENCODING)
        raise UserError(f"{where}: {cause}; found {_text(points[row])}, expected {_text(expected[row])} of {grid}")
    cause = "its end is missing" if len(points) < resolution**3 else "it holds more than one field"
    raise UserError(f"{path} has {len(points)} rows, its grid has {resolution}^3 = {resolution**3} points: {cause}")


def _resolution(points: np.ndarray) -> int:
    """R of (N, 3) points in file order, some of which may be missing.

    The cube root of N if N is a cube; else the number of rows over which x usually rises.
    """
    root = max(round(len(points) ** (1 / 3)), 2)
    falls = np.flatnonzero(np.diff(points[:, 0]) < 0)
    if len(points) == root**3 or len(falls) < 2:
        return root
    return max(int(np.bincount(np.diff(falls)).argmax()), 2)


def _cause(points: np.ndarray, expected: np.ndarray, row: int, resolution: int, tolerance: float) -> str:
    """Why a row differs from the grid, in a few words.

    Args:
        points: (N, 3) points of the file, voxel frame.
        expected: (N, 3) points of the grid.
        row: index of the first row that differs.
        resolution: R of the grid.
        tolerance: difference of a coordinate that is accepted.
    """

    def same(a, b):
        return (abs(a - b) <= tolerance).all()

    if row >= resolution**3:
        return "more rows than the grid has points"
    if row and same(points[row], points[row - 1]):
        return "the point of the line before is repeated"
    if row + 1 < len(expected) and same(points[row], expected[row + 1]):
        return "the row of a grid point is missing"
    swapped = expected[row][::-1]
    return "z runs fastest" if same(points[row], swapped) else "the point is off the grid"


def _text(values: np.ndarray) -> str:
    return " ".join(f"{v:.6g}" for v in values)
