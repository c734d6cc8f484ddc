"""Every public function, method and dataclass field has type hints."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PACKAGES = ("utils", "data", "models", "preprocessing", "train", "eval")
FILES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))] + [ROOT / "texdisn.py"]


def public(nodes, inside=""):
    """(name, node) of the public functions and the methods of public classes."""
    for node in nodes:
        name = getattr(node, "name", "_")
        if name.startswith("_") and name not in ("__init__", "__call__"):
            continue
        if isinstance(node, ast.FunctionDef):
            yield inside + name, node
        elif isinstance(node, ast.ClassDef):
            yield from public(node.body, f"{inside}{name}.")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_public_functions_have_hints(path):
    lacking = []
    for name, node in public(ast.parse(path.read_text()).body):
        arguments = node.args
        named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        unhinted = [arg.arg for arg in named if arg and arg.annotation is None and arg.arg not in ("self", "cls")]
        if node.returns is None and not name.endswith("__init__"):
            unhinted.append("the result")
        if unhinted:
            lacking.append(f"line {node.lineno}: {name}: {', '.join(unhinted)}")
    assert not lacking, "\n".join(lacking)
