"""One line for every error, and the traceback of an unexpected one with --debug."""

import pytest

from utils.errors import DEBUG, STORAGE, StorageError, UserError, first_of, reason_of, writing


@pytest.mark.parametrize(("debug", "shown"), [("", False), ("1", True)])
def test_reasons_are_one_line_and_debug_shows_the_traceback(monkeypatch, capsys, debug, shown):
    monkeypatch.setenv(DEBUG, debug)
    try:
        raise ValueError("two\nlines")
    except ValueError as error:
        assert reason_of(error) == "ValueError: two lines"
        assert reason_of(error, "a.png") == "a.png: ValueError: two lines"
    assert ("test_errors.py" in capsys.readouterr().err) == shown
    assert reason_of(UserError("a.png is empty"), "a.png") == "a.png is empty"
    assert reason_of(UserError("it is empty"), "a.png") == "a.png: it is empty"
    assert capsys.readouterr().err == ""


def test_first_of_many_problems():
    assert first_of(["a", "b"]) == "a; b"
    assert first_of(list("abcdefgh")) == "a; b; c; d; e; f; g; h"
    assert first_of(list("abcdefghij")) == "a; b; c; d; e; f; g; h; and 2 more"
    assert first_of(list("abc"), 1) == "a; and 2 more"


@pytest.mark.parametrize("number", STORAGE)
def test_a_full_disk_is_no_reason_to_leave_one_input_out(number):
    with pytest.raises(StorageError, match="b.png.*cannot be written"), writing("b.png"):
        raise OSError(number, "full")
    for error in (OSError(number, "full"), StorageError("a.png cannot be written: full")):
        with pytest.raises(StorageError, match="a.png.*cannot be written"):
            reason_of(error, "a.png")
    with pytest.raises(FileNotFoundError), writing("b.png"):
        raise FileNotFoundError
    assert reason_of(FileNotFoundError(2, "gone"), "a.png").startswith("a.png: FileNotFoundError")
