"""Tables of numbers in text files of any encoding, packed or not."""

import pytest

from utils.text_files import OPENERS, line_of_row, read_numbers


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
def test_numbers_of_text_files_with_byte_order_marks(tmp_path, encoding):
    mark = "\ufeff" if encoding == "utf-16-be" else ""  # the others write theirs
    (tmp_path / "a.txt").write_bytes((mark + "# x y\r\n1 2\r\n3 4e1\r\n").encode(encoding))
    assert read_numbers(tmp_path / "a.txt").tolist() == [[1, 2], [3, 40]]


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz", ".lzma"])
def test_numbers_of_packed_files_damaged_anywhere(ending, tmp_path):
    """Other numbers, or ValueError or OSError, as of a file that is not packed."""
    path, text = tmp_path / f"a.txt{ending}", "".join(f"{i} {i * i}\n" for i in range(200))
    with OPENERS[ending](path, "wt") as file:
        file.write(text)
    whole = path.read_bytes()
    assert read_numbers(path).shape == (200, 2)
    failed = 0
    for at in range(0, len(whole), 5):
        for damaged in (whole[:at], whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :]):
            path.write_bytes(damaged)
            try:
                read_numbers(path)
            except (ValueError, OSError) as error:
                assert str(error)
                failed += 1
    assert failed > len(whole) / 5
    path.write_text(text)  # renamed, not packed
    with pytest.raises((ValueError, OSError)):
        read_numbers(path)


@pytest.mark.parametrize("between", ["\n", "\r\n", "\n\n", "\r\n \t\r\n", "\r", "\n# a comment\n", "  # comment\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_line_of_a_row(between, encoding, tmp_path):
    path = tmp_path / "a.txt"
    rows = [f"{i} {i}" for i in range(5)]
    path.write_bytes((between + between.join(rows)).encode(encoding))
    lines = path.read_text(encoding).splitlines()
    for row, values in enumerate(read_numbers(path)):
        where = line_of_row(path, row, comments="#")
        number = int(where.removeprefix(f"{path}, line "))
        assert lines[number - 1].split()[:2] == [f"{v:g}" for v in values]
