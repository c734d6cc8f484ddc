"""One line for every error, and the traceback of an unexpected one with --debug."""

import pytest

from utils.errors import DEBUG, UserError, first_of, reason_of


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
