"""The words of the code: messages of libraries name no command-line flags, since a notebook and the
web page show them too; variables are called after what they hold.
"""

import ast
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PARSERS = {
    "models/training/flags.py",
    "preprocessing/database/flags.py",
    "utils/cli.py",
    "utils/engine_flags.py",
}  # they make the flags
FILES = [
    path
    for package in ("utils", "data", "models", "preprocessing")
    for path in sorted((ROOT / package).rglob("*.py"))
    if str(path.relative_to(ROOT)) not in PARSERS and not (package == "preprocessing" and path.parent.name == package)
]


def strings(tree):
    """Every string of the code that is not a docstring."""
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.lineno, node.value


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_messages_name_no_flags(path):
    wrong = [f"line {line}: {text}" for line, text in strings(ast.parse(path.read_text())) if re.search(r"--\w", text)]
    assert not wrong, "\n".join(wrong)


VAGUE = {"each", "found", "there", "of_one"}
CODE = [
    path
    for package in ("utils", "data", "models", "preprocessing", "train", "eval", "benchmarks")
    for path in sorted((ROOT / package).rglob("*.py"))
]


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_variables_are_called_after_what_they_hold(path):
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = [(node.lineno, node.id) for node in nodes if isinstance(node, ast.Name)]
    names += [(node.lineno, node.arg) for node in nodes if isinstance(node, ast.arg)]
    wrong = [f"line {line}: {name}" for line, name in names if name in VAGUE]
    assert not wrong, "\n".join(wrong)
