"""Command lines: every flag of every command with values that it may not take."""

import contextlib
import functools
import importlib
import io
import json
import pathlib
from collections.abc import Sequence

from hypothesis import strategies as st

from tests.fuzz.mutations import WORDS
from tests.fuzz.targets.target import Target
from tests.test_docs import COMMANDS, parser_of

PARSERS = [command for command in COMMANDS if not command.startswith("benchmarks/")]
GOOD = ("0", "1", "2", "5", "0.5", "64", "128", "0,1,2", "30,20", "auto", "all", "none", "chair", "a.glb", "out", "est")
HARD = ("--", "-", "--help", "--debug", "-1,-1", "1,,2", "1e3", "9" * 5000, "1,2,3,4,5", "--no-colour", "=", "--=")


@functools.cache
def options_of(command: str) -> tuple[str, ...]:
    """The flags of a command."""
    actions = parser_of(command)._actions
    return tuple(text for action in actions for text in action.option_strings)


@st.composite
def command_lines(draw) -> list[str]:
    """A command and words: flags with good and bad values."""
    command = draw(st.sampled_from(PARSERS))
    flag = st.sampled_from(options_of(command))
    word = st.one_of(st.sampled_from(GOOD), st.sampled_from(GOOD), st.sampled_from(WORDS), st.sampled_from(HARD))
    pair = st.one_of(
        st.tuples(flag, word), st.builds(lambda f, w: (f"{f}={w}",), flag, word), st.tuples(word), st.tuples(flag),
        st.tuples(flag, word, word),
    )  # fmt: skip
    required = [
        word for action in parser_of(command)._actions if action.required and action.option_strings
        for word in (action.option_strings[0], "out")
    ]  # fmt: skip
    words = [word for words in draw(st.lists(pair, max_size=4)) for word in words]
    places = ["x"] * draw(st.integers(0, 2))
    return [command, *(required if draw(st.integers(0, 9)) else []), *places, *words]


def _checked(command: str, module: object, words: Sequence[str]) -> None:
    """Parse words as the command does, with the checks that come before any work."""
    name = pathlib.PurePath(command).stem
    if name in ("gen_db", "make_lists", "render_views"):
        parse = importlib.import_module("preprocessing.database.flags").parse if name == "gen_db" else module.parse  # type: ignore[attr-defined]
        parse(list(words), "") if name == "gen_db" else parse(list(words))
        return
    args = parser_of(command).parse_args(list(words))
    for check in ("check", "validate"):
        if hasattr(module, check) and name in ("eval", "reconstruct"):
            getattr(module, check)(args)
    if name in ("train_sdf", "train_cam"):
        args.log_dir = "/nonexistent"
        args.restore_modelcnn = "none"
        if hasattr(args, "restore_model"):
            args.restore_model = ""
        module.plan(args)  # type: ignore[attr-defined]


def read(folder: pathlib.Path) -> None:
    command, *words = json.loads((folder / "words.json").read_text())
    module = importlib.import_module(command.removesuffix(".py").replace("/", "."))
    words = [word.replace("\0", "") for word in words]  # a command line has none
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            _checked(command, module, words)
    except SystemExit as error:
        assert not error.code and ("--help" in words or "-h" in words), error.code


def _write(folder: pathlib.Path) -> None:
    (folder / "words.json").write_text(json.dumps(["eval/to_mesh.py", "field.txt", "--out", "a.glb"]))


TARGETS = [
    Target(
        "flags", "flags", _write, read,
        [command_lines().map(lambda words: {"words.json": json.dumps(words).encode()})], ("words.json",),
    )
]  # fmt: skip
