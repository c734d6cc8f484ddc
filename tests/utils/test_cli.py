"""What commands share: flags that are refused in one line, exit codes, --debug."""

import io
import os
import signal
import sys

import pytest

from utils import cli
from utils.errors import DEBUG, PartialFailure, StorageError, UserError
from utils.signals import Stopped


def parse(*words, **options):
    flags = cli.parser("A command.")
    flags.add_argument("--x", **options)
    return flags.parse_args(words).x


def test_unknown_missing_and_malformed_flags_are_user_errors(capsys):
    for words, options, message in [
        (["--y", "1"], {}, "unrecognized arguments: --y 1; see --help"),
        ([], {"required": True}, "the following arguments are required: --x; see --help"),
        (["--x", "c"], {"choices": ["a", "b"]}, "argument --x: invalid choice: 'c'"),
        (["--x"], {}, "argument --x: expected one argument"),
    ]:
        with pytest.raises(UserError) as error:
            parse(*words, **options)
        assert str(error.value).startswith(message) and "\n" not in str(error.value)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("kind", "text", "value"), [
    (cli.whole_number(), "-3", -3), (cli.whole_number(1), "1", 1), (cli.whole_number(1, 8), "8", 8),
    (cli.real_number(), "-2.5", -2.5), (cli.real_number(least=0), "0", 0.0), (cli.real_number(most=1), "1", 1.0),
    (cli.real_number(above=-90, below=90), "89.9", 89.9), (cli.numbers_list(cli.whole_number(0)), "3", (3,)),
    (cli.numbers_list(cli.whole_number(0)), "0,3,6", (0, 3, 6)),
    (cli.numbers_list(cli.real_number()), "1,2.5", (1.0, 2.5)),
])  # fmt: skip
def test_numbers_within_bounds(kind, text, value):
    assert parse(f"--x={text}", type=kind) == value


@pytest.mark.parametrize(("kind", "text", "message"), [
    (cli.whole_number(), "1.5", "'1.5' is not a whole number"),
    (cli.whole_number(1), "0", "'0' is not a whole number (at least 1)"),
    (cli.whole_number(1, 8), "9", "'9' is not a whole number (at least 1, at most 8)"),
    (cli.real_number(), "a", "'a' is not a number"), (cli.real_number(), "nan", "'nan' is not a number"),
    (cli.real_number(), "inf", "'inf' is not a number"),
    (cli.whole_number(), "9" * 400, f"'{'9' * 400}' is not a whole number"),
    (cli.real_number(least=0), "-0.1", "'-0.1' is not a number (at least 0)"),
    (cli.real_number(above=0, most=1), "0", "'0' is not a number (above 0, at most 1)"),
    (cli.real_number(above=-90, below=90), "90", "'90' is not a number (above -90, below 90)"),
    (cli.numbers_list(cli.whole_number(0)), "3,-1", "'-1' is not a whole number (at least 0)"),
    (cli.numbers_list(cli.whole_number(0)), "3,", "'' is not a whole number (at least 0)"),
])  # fmt: skip
def test_numbers_out_of_bounds(kind, text, message):
    with pytest.raises(UserError) as error:
        parse(f"--x={text}", type=kind)
    assert str(error.value) == f"argument --x: {message}; see --help"


@pytest.mark.parametrize(("error", "code", "line"), [
    (UserError("no"), 1, "error: no\n"), (PartialFailure("no"), 3, "error: no\n"), (OSError("no"), 1, "error: no\n"),
    (KeyboardInterrupt(), 130, "interrupted; run the same command again to resume\n"),
    (Stopped(signal.SIGTERM), 143, "stopped by SIGTERM; run the same command again to resume\n"),
    (Stopped(signal.SIGHUP), 129, "stopped by SIGHUP; run the same command again to resume\n"),
    (StorageError("x cannot be written: full"), 1, "error: x cannot be written: full\n"),
])  # fmt: skip
def test_errors_are_one_line_and_an_exit_code(monkeypatch, capsys, error, code, line):
    def main(argv):
        assert argv == ["a"]
        raise error

    monkeypatch.setattr(sys, "argv", ["command", "a"])
    with pytest.raises(SystemExit) as caught:
        cli.run(main)
    assert caught.value.code == code
    assert capsys.readouterr().err == line


@pytest.mark.parametrize(("default", "shown"), [
    (None, "what it does\n"), ("", "what it does\n"), ((), "what it does\n"), (2, "what it does (default: 2)\n"),
    ([1.09375], "what it does (default: 1.09375)\n"), (["auto", 25.0], "what it does (default: auto 25)\n"),
])  # fmt: skip
def test_help_shows_defaults_as_they_would_be_typed(default, shown):
    flags = cli.parser("A command.")
    flags.add_argument("--x", default=default, help="what it does")
    assert flags.format_help().endswith(shown)


def test_an_interrupt_promises_to_resume_only_where_the_command_does(monkeypatch, capsys):
    def main(argv):
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "argv", ["command"])
    with pytest.raises(SystemExit):
        cli.run(main, resumes=False)
    assert capsys.readouterr().err == "interrupted; the same command begins anew\n"


def test_file_names_that_an_encoding_lacks_are_printed_all_the_same(monkeypatch):
    streams = [io.TextIOWrapper(io.BytesIO(), encoding, "strict") for encoding in ("utf-8", "ascii")]
    monkeypatch.setattr(sys, "argv", ["command"])
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])

    def main(argv):
        print(os.fsdecode(b"st\xfchl"))
        raise UserError("stühl")

    with pytest.raises(SystemExit):
        cli.run(main)
    for stream, text in zip(streams, (b"st\\udcfchl\n", b"error: st\\xfchl\n"), strict=True):
        stream.flush()
        assert stream.buffer.getvalue() == text


def test_debug_is_passed_on_to_worker_processes(monkeypatch):
    monkeypatch.setenv(DEBUG, "")
    monkeypatch.setattr(sys, "argv", ["command"])
    cli.run(lambda argv: None)
    assert not os.environ[DEBUG]
    monkeypatch.setattr(sys, "argv", ["command", "--debug"])
    cli.run(lambda argv: None)
    assert os.environ[DEBUG]


@pytest.mark.parametrize("value", ["-30,20", "-30,-20,2.5", "-.5,1e-3,2", "-7"])
def test_values_that_begin_with_a_minus_are_no_flags(value):
    flags = cli.parser("x")
    flags.add_argument("--camera")
    assert flags.parse_args(["--camera", value]).camera == value
    with pytest.raises(UserError, match="expected one argument"):
        flags.parse_args(["--camera", "--debug"])
