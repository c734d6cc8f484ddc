"""The layers of docs/architecture.md, by the imports of every file: each may import what lies below
it, at its top.
"""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
BELOW = {  # package: those it may import; nothing imports the entry points, benchmarks, examples and tests
    "utils": set(),
    "data": {"utils"},
    "preprocessing": {"data", "utils"},
    "models": {"data", "utils"},
    "texdisn": {"models", "data", "utils"},
    "train": {"texdisn", "models", "data", "utils"},
    "eval": {"texdisn", "models", "data", "utils"},
}
ROOMS = {  # package: its rooms from below; rooms of one row do not import each other
    "utils": [
        ["errors"],
        ["links"],
        ["files", "processes", "provenance", "quiet", "signals", "stages"],
        ["hdf5", "out_folder", "text_files"],
        ["hdf5_limits"],
        ["cli"],
        ["engines"],
        ["engine_flags"],
        ["geometry"],
        ["images", "mesh"],
        ["surface", "rendering"],
        ["metrics"],
        ["reports"],
        ["web"],
    ],
    "models": [
        ["settings", "choices"],
        ["shared_settings"],
        ["config"],
        ["presets"],
        ["networks"],
        ["weights"],
        ["inference"],
        ["training"],
    ],
    "preprocessing": [
        ["random_streams", "shapes", "meshes"],
        ["rendering", "recovery", "library", "survey", "splitting"],
        ["readers"],
        ["database"],
        ["make_shapes", "import_library", "check_meshes", "render_views", "make_lists", "check_db", "gen_db"],
    ],
}
LAZY = {
    "distributed",
    "gradio",
    "rembg",
    "xatlas",
    "open3d",
    "playwright",
}  # optional, or slow to import and seldom needed
ENTRY = {"train", "eval"}  # their main() imports TensorFlow late, so that --help and wrong flags do not wait for it
PROJECT = {*BELOW, "benchmarks", "examples", "tests"}
FILES = [path for package in BELOW if package != "texdisn" for path in sorted((ROOT / package).rglob("*.py"))] + [
    ROOT / "texdisn.py"
]


def imported(tree):
    """(dotted module, line, whether at the top) of every import."""
    top = set(map(id, tree.body))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno, id(node) in top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((f"{node.module}.{alias.name}", node.lineno, id(node) in top) for alias in node.names)


def row(package, room):
    return next((i for i, rooms in enumerate(ROOMS[package]) if room in rooms), None)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_downwards_and_stand_at_the_top(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    package, room, wrong = parts[0], parts[1] if len(parts) > 1 else None, []
    for name, line, top in imported(ast.parse(path.read_text())):
        target, *rest = name.split(".")
        if target in PROJECT and target != package and target not in BELOW[package]:
            wrong.append(f"line {line}: {package} may not import {name}")
        if target == package and package in ROOMS and room != "__init__":
            ours, theirs = row(package, room), row(package, rest[0])
            if rest[0] != room and (theirs is None or ours is None or theirs >= ours):
                wrong.append(f"line {line}: {package}/{room} may not import {name}")
        if not top and target not in LAZY and package not in ENTRY:
            wrong.append(f"line {line}: {name} is imported inside a function")
    assert not wrong, "\n".join(wrong)


def test_every_room_has_a_place():
    for package, rows in ROOMS.items():
        there = {
            path.stem
            for path in (ROOT / package).iterdir()
            if path.suffix == ".py" or (path.is_dir() and list(path.glob("*.py")))
        }
        assert there - {"__init__"} == {room for rooms in rows for room in rooms}, package


def test_folders_of_entry_points_do_not_hide_packages():
    """python eval/x.py puts eval/ first on the path: a folder eval/utils would take the place of
    utils.
    """
    for package in ("preprocessing", "train", "eval"):
        assert not {path.stem for path in (ROOT / package).iterdir()} & (set(BELOW) - {package}), package
