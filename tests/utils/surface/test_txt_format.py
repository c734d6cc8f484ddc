"""The txt file: fields come back, older files are read, errors name the line and the cause."""

import re

import numpy as np
import pytest

from utils import text_files
from utils.errors import UserError
from utils.geometry import frames
from utils.surface import field_grid, txt_format
from utils.surface.field_grid import FieldGrid
from utils.surface.txt_format import read_txt, write_txt


def random_field(resolution, seed=0):
    rng = np.random.default_rng(seed)
    geometry = rng.normal(scale=30, size=resolution**3).astype(np.float32)
    colours = rng.random((resolution**3, 3)).astype(np.float32)
    colours[geometry <= 0] = -1
    return FieldGrid(resolution, geometry, colours)


@pytest.mark.parametrize("resolution", [2, 8, 64])
def test_round_trip(tmp_path, resolution):
    field = random_field(resolution)
    write_txt(tmp_path / "a.txt", field)
    back = read_txt(tmp_path / "a.txt")
    assert back.resolution == resolution
    np.testing.assert_array_equal(back.geometry, field.geometry)
    np.testing.assert_array_equal(back.coloured(), field.coloured())
    np.testing.assert_allclose(back.colours, field.colours, atol=0.5001e-4)
    np.testing.assert_allclose(back.line, field.line, atol=1e-7)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_files_that_windows_programs_saved(tmp_path, encoding):
    field = random_field(4)
    write_txt(tmp_path / "a.txt", field)
    text = (tmp_path / "a.txt").read_text()
    (tmp_path / "b.txt").write_bytes(text.replace("\n", "\r\n").encode(encoding))
    np.testing.assert_array_equal(read_txt(tmp_path / "b.txt").geometry, field.geometry)
    (tmp_path / "c.txt").write_bytes((text + "1 2 x\n").encode(encoding))
    with pytest.raises(UserError, match=r"c\.txt, line 65 "):
        read_txt(tmp_path / "c.txt")


def test_rows_are_those_of_the_contract(tmp_path):
    write_txt(tmp_path / "a.txt", random_field(64))
    table = np.loadtxt(tmp_path / "a.txt")
    z, y, x = np.meshgrid(*[np.arange(-32, 32)] * 3, indexing="ij")
    np.testing.assert_array_equal(table[:, :3], np.stack([x, y, z], -1).reshape(-1, 3))  # integers at R = 64
    assert (table[table[:, 6] <= 0, 3:6] == -1).all()
    write_txt(tmp_path / "b.txt", random_field(8))
    np.testing.assert_allclose(np.loadtxt(tmp_path / "b.txt")[:8, 0], 64 * (np.arange(8) + 0.5) / 8 - 32.5)


def test_points_and_grid_agree_with_the_frame():
    field = random_field(6)
    np.testing.assert_allclose(field.points(np.ones(6**3, bool)), frames.voxel_centres(6), atol=1e-12)
    x, y, z = 4, 1, 3
    assert field.grid()[x, y, z] == field.geometry[(z * 6 + y) * 6 + x]
    np.testing.assert_allclose(field.points(np.array([(z * 6 + y) * 6 + x])), [field.line[[x, y, z]]])


@pytest.mark.parametrize("resolution", [5, 40, 64])
def test_six_columns_and_the_original_grid(tmp_path, resolution):
    """x y z r g b on linspace(-32, 31, R): g0 is +1 where there is colour, -1 elsewhere.

    Colours above 1 are clipped.
    """
    rng = np.random.default_rng(2)
    line = np.linspace(-32, 31, resolution)
    z, y, x = np.meshgrid(line, line, line, indexing="ij")
    colours = rng.random((resolution**3, 3)) * 1.5
    colours[rng.random(resolution**3) < 0.7] = -1
    np.savetxt(tmp_path / "old.txt", np.column_stack([x.ravel(), y.ravel(), z.ravel(), colours]), fmt="%.4f")
    field = read_txt(tmp_path / "old.txt")
    np.testing.assert_array_equal(field.geometry, np.where(colours[:, 0] >= 0, 1, -1))
    np.testing.assert_allclose(field.colours, np.minimum(colours, 1), atol=1e-4)
    np.testing.assert_allclose(frames.to_voxel(field.line), line, atol=1e-5)
    write_txt(tmp_path / "new.txt", field)  # the grid is kept
    np.testing.assert_allclose(read_txt(tmp_path / "new.txt").line, field.line, atol=1e-6)


@pytest.mark.parametrize("resolution", [64, 100, 128, 256])
@pytest.mark.parametrize("original", [True, False])
def test_coordinates_of_two_decimals_are_those_of_the_grid(resolution, original):
    exact = np.linspace(-32, 31, resolution) if original else frames.to_voxel(field_grid.cell_centres(resolution))
    line = np.round(exact, 2).astype(np.float32)
    points = np.stack([axis.ravel() for axis in np.meshgrid(line, line, line, indexing="ij")[::-1]], 1)
    found = txt_format._grid_line("a.txt", points)
    np.testing.assert_allclose(frames.to_voxel(found), exact, atol=1e-5)


def test_noise_around_0_and_1_is_clipped_and_leaves_no_hole(tmp_path):
    field = random_field(6)
    write_txt(tmp_path / "a.txt", field)
    rows = np.loadtxt(tmp_path / "a.txt")
    coloured = rows[:, 3] >= 0
    noisy = np.round(rows[:, 3:6]) + np.random.default_rng(1).uniform(-0.04, 0.04, (len(rows), 3))
    rows[:, 3:6] = np.where(coloured[:, None], noisy, rows[:, 3:6])
    assert (rows[coloured, 3:6] < 0).all(1).any() and (rows[:, 3:6] > 1).any()
    np.savetxt(tmp_path / "b.txt", rows)
    back = read_txt(tmp_path / "b.txt")
    np.testing.assert_array_equal(back.coloured(), coloured)
    np.testing.assert_allclose(back.colours[coloured], np.clip(rows[coloured, 3:6], 0, 1), atol=1e-6)


def good_lines(tmp_path):
    write_txt(tmp_path / "good.txt", random_field(4))
    return (tmp_path / "good.txt").read_text().splitlines()


def replaced(lines, row, text):
    return [*lines[:row], text, *lines[row + 1 :]]


def coloured_rows(lines, colour):
    """The lines with another colour where they have one."""
    rows = [line.split() for line in lines]
    assert any(row[3] != "-1" for row in rows)
    return [" ".join([*row[:3], *(row[3:6] if row[3] == "-1" else [colour]), row[6]]) for row in rows]


BROKEN = {
    "missing row": (lambda rows: rows[:20] + rows[21:], r"line 21: the row of a grid point is missing"),
    "missing row in the first line": (lambda rows: rows[:2] + rows[3:], r"line 3: "),
    "duplicate": (lambda rows: rows[:21] + rows[20:], r"line 22: .*repeated"),
    "cut off": (lambda rows: rows[:40], r"40 rows, its grid has 4\^3 = 64 points: its end is missing"),
    "twice": (lambda rows: rows + rows, r"more than one field"),
    "extra row": (lambda rows: [*rows, "99 99 99 -1 -1 -1 1"], r"line 65: more rows than the grid has points"),
    "swapped rows": (lambda rows: [rows[1], rows[0], *rows[2:]], r"line 1: "),
    "z fastest": (
        lambda rows: [rows[16 * (i % 4) + 4 * (i // 4 % 4) + i // 16] for i in range(64)],
        r"line 2: z runs fastest",
    ),
    "off the grid": (lambda rows: replaced(rows, 9, "1.5 2.5 3.5 -1 -1 -1 0"), r"line 10: the point is off the grid"),
    "five columns": (lambda rows: [" ".join(row.split()[:5]) for row in rows], r"has 5 columns"),
    "eight columns": (lambda rows: [row + " 0" for row in rows], r"has 8 columns"),
    "ragged": (lambda rows: replaced(rows, 5, rows[5] + " 7"), r"line 6 \(8 columns instead of 7\)"),
    "nan": (lambda rows: replaced(rows, 7, rows[7].rsplit(" ", 1)[0] + " nan"), r"line 8: .*finite"),
    "infinite": (lambda rows: replaced(rows, 7, rows[7].rsplit(" ", 1)[0] + " -inf"), r"line 8: .*finite"),
    "text": (lambda rows: replaced(rows, 3, "x y z r g b g0"), r"line 4 cannot be read"),
    "header": (lambda rows: ["x y z r g b g0", *rows], r"line 1 cannot be read"),
    "binary rubbish": (lambda rows: ["\x89PNG\x00\xff\xfe"], r"line 1 cannot be read"),
    "half a colour": (
        lambda rows: replaced(rows, 2, " ".join(rows[2].split()[:3] + ["0.5", "-1", "0.5", "1"])),
        r"line 3: colour .* neither",
    ),
    "colours of 0..255": (lambda rows: coloured_rows(rows, "200 30 30"), r"line \d+: colour 200 30 30 .*by 255"),
    "one channel of 0..255": (lambda rows: coloured_rows(rows, "0.5 127.5 0"), r"line \d+: colour .*by 255"),
    "colours of -1..1": (lambda rows: coloured_rows(rows, "-0.5 -0.4 -0.9"), r"line \d+: colour .* neither"),
    "empty is -255": (lambda rows: coloured_rows(rows, "-255 -255 -255"), r"line \d+: colour .* neither"),
    "empty": (lambda rows: [], r"is empty"),
    "one row": (lambda rows: rows[:1], r"."),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_files_are_refused(tmp_path, kind):
    lines, (spoil, message) = good_lines(tmp_path), BROKEN[kind]
    path = tmp_path / "bad.txt"
    path.write_text("\n".join(spoil(lines)) + ("\n" if lines else ""), encoding="latin1")
    with pytest.raises(UserError) as error:
        read_txt(path)
    text = str(error.value)
    assert "bad.txt" in text
    assert "\n" not in text
    assert re.search(message, text), text


@pytest.mark.parametrize("kind", [kind for kind, (_, message) in BROKEN.items() if message.startswith("line ")])
def test_blank_lines_do_not_shift_the_line_that_is_named(tmp_path, kind):
    lines, (spoil, _) = good_lines(tmp_path), BROKEN[kind]
    (tmp_path / "plain.txt").write_text("\n".join(spoil(lines)), encoding="latin1")
    (tmp_path / "blank.txt").write_text("\n\n" + "\n \n".join(spoil(lines)), encoding="latin1")

    def number(name):
        with pytest.raises(UserError) as error:
            read_txt(tmp_path / name)
        return int(re.search(r"line (\d+)", str(error.value))[1])

    assert number("blank.txt") == 2 * number("plain.txt") + 1


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz"])
def test_packed_files_are_read_and_damaged_ones_named(tmp_path, ending):
    field = random_field(4)
    write_txt(tmp_path / "a.txt", field)
    path = tmp_path / f"a.txt{ending}"
    with text_files.OPENERS[ending](path, "wb") as file:
        file.write((tmp_path / "a.txt").read_bytes())
    np.testing.assert_array_equal(read_txt(path).geometry, field.geometry)
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[: len(whole) // 2] + bytes(9) + whole[len(whole) // 2 + 9 :]):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=re.escape(path.name)) as error:
            read_txt(path)
        assert "\n" not in str(error.value)


def test_missing_file(tmp_path):
    with pytest.raises(UserError, match="missing"):
        read_txt(tmp_path / "none.txt")
    with pytest.raises(UserError, match="is a folder"):
        read_txt(tmp_path)


def test_a_field_that_is_not_finite_leaves_no_file(tmp_path):
    field = random_field(3)
    field.geometry[5] = np.nan
    with pytest.raises(UserError, match="finite"):
        write_txt(tmp_path / "a.txt", field)
    assert not list(tmp_path.iterdir())


def test_mode_and_iso_value():
    """Inferred from g0 of coloured and empty cells; the iso value is 0 if that separates them."""

    def field(empty, coloured):
        colours = np.concatenate([np.full((4, 3), -1), np.full((4, 3), 0.5)]).astype(np.float32)
        return FieldGrid(2, np.array(empty + coloured, np.float32), colours)

    above, shifted = field([-3, -2, -1, 0], [1, 2, 3, 4]), field([-3, -2, -1, 2], [4, 5, 6, 7])
    assert (field_grid.infer_mode(above), field_grid.infer_iso(above, True)) == ("binary", 0)
    assert (field_grid.infer_mode(shifted), field_grid.infer_iso(shifted, True)) == ("binary", 3)
    below, shifted = field([0, 1, 2, 3], [-1, -2, -3, -4]), field([4, 5, 6, 7], [2, 1, 0, -1])
    assert (field_grid.infer_mode(below), field_grid.infer_iso(below, False)) == ("sdf", 0)
    assert (field_grid.infer_mode(shifted), field_grid.infer_iso(shifted, False)) == ("sdf", 3)
    mixed = field([-1, 1, 2, 3], [0, 1, 2, 3])
    assert field_grid.infer_mode(mixed) is None
    assert field_grid.infer_iso(mixed, True) == 0
    blank = FieldGrid(2, np.zeros(8, np.float32), np.full((8, 3), -1, np.float32))
    assert field_grid.infer_mode(blank) is None
