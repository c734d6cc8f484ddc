"""The documentation is valid: its commands, flags, links, file names and `make` targets exist.

Commands are parsed by the parsers of the commands themselves, without running them.
"""

import argparse
import ast
import functools
import importlib
import pathlib
import re
import shlex

import pytest

from utils.errors import UserError

ROOT = pathlib.Path(__file__).parents[1]
DOCS = sorted((ROOT / "docs").glob("*.md"))
CARD = ROOT / "models/pretrained/MODEL_CARD.md"
PAGES = [ROOT / "README.md", *DOCS, CARD, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
PACKAGES = ("utils", "data", "models", "preprocessing", "train", "eval")
COMMANDS = [
    path.relative_to(ROOT).as_posix()
    for package in ("preprocessing", "train", "eval", "benchmarks")
    for path in sorted((ROOT / package).glob("*.py"))
    if "__main__" in path.read_text()
]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
SUFFIXES = r"(?:py|md|json|toml|yml|yaml|cff|txt|png|npz|h5)"


class Stop(BaseException):
    """Carries the parser of a command out of its main()."""


@functools.cache
def parser_of(script):
    """The parser that the main() of a command uses."""
    module = importlib.import_module(script.removesuffix(".py").replace("/", "."))

    def stop(parser, *_):
        raise Stop(parser)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, "parse_args", stop)
        with pytest.raises(Stop) as stopped:
            module.main([])
    return stopped.value.args[0]


def code_blocks(text):
    """The lines of fenced and indented code blocks; lines that end with a backslash are joined."""
    lines, fenced, previous = [], False, ""
    for line in text.splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif fenced or (line.startswith("    ") and (not previous.strip() or previous.startswith("    "))):
            if lines and lines[-1].endswith("\\"):
                lines[-1] = lines[-1][:-1] + line.strip()
            else:
                lines.append(line.strip())
        previous = line
    return lines


def spans(text):
    """Inline code outside code blocks."""
    blocks = re.compile(r"^```.*?^```|^    .*?$", re.MULTILINE | re.DOTALL)
    return [span.replace("\n", " ") for span in re.findall(r"`([^`]+)`", blocks.sub("", text))]


def commands(text):
    """(script, arguments) of every `python x.py ...` of a page."""
    for line in [*code_blocks(text), *spans(text)]:
        if re.match(r"(\.venv/bin/)?python \w+/\w+\.py", line):
            _, script, *arguments = shlex.split(line, comments=True)
            yield script, arguments


def check_commands(text, wanted):
    """Defects of the commands whose script satisfies `wanted`."""
    defects = []
    for script, arguments in filter(lambda command: wanted(command[0]), commands(text)):
        line = shlex.join([script, *arguments])
        if script not in COMMANDS:
            defects.append(f"{line}: there is no such command")
            continue
        if not arguments and script in spans(text):  # a mention, not a call
            continue
        try:
            parser_of(script).parse_args(arguments)
        except (SystemExit, UserError) as error:
            defects.append(f"{line}: {error}")
    return defects


def own_part(text, path):
    """The text about this project: of the page of the originals, the last columns of its tables."""
    if path.name != "original.md":
        return text
    return "\n".join(line.rsplit(" | ", 1)[-1] for line in text.splitlines() if line.startswith("|"))


def check_flags(text):
    """Defects of the flags in inline code: `--flag ...`, `x.py --flag ...`."""
    defects = []
    known = {script: parser_of(script)._option_string_actions for script in COMMANDS if "benchmarks" not in script}
    for span in spans(text):
        match = re.match(r"(?:(\w+\.py) )?(--[\w-]+)(?=[ =]|$)", span)
        if not match:
            continue
        name, flag = match.groups()
        options = [o for script, o in known.items() if name is None or script.endswith(f"/{name}")]
        if not any(flag in of_command for of_command in options):
            defects.append(f"`{span}`: no command has {flag}")
    return defects


def defines(name):
    """Whether package.module.attribute names something in a file of this project."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:end])
        if path.with_suffix(".py").is_file():
            tree = ast.parse(path.with_suffix(".py").read_text())
            names = {getattr(node, "name", None) for node in tree.body} | {
                target.id
                for node in tree.body
                if isinstance(node, (ast.Assign, ast.AnnAssign))
                for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
                if isinstance(target, ast.Name)
            }
            return end == len(parts) or parts[end] in names
    return ROOT.joinpath(*parts).is_dir()


def check_names(text, path):
    """Defects of files and modules in inline code."""
    tops, defects = {entry.name for entry in ROOT.iterdir()}, []
    files = {file.name for package in (*PACKAGES, "benchmarks", "examples") for file in (ROOT / package).rglob("*.py")}
    for span in spans(text):
        if re.fullmatch(rf"[\w.-]+(/[\w.-]+)*(/|\.{SUFFIXES})", span) and "/" in span and span.split("/")[0] in tops:
            if not (ROOT / span).exists() and not (path.parent / span).exists():
                defects.append(f"`{span}`: there is no such file")
        elif re.fullmatch(r"\w+\.py", span) and span not in files:
            defects.append(f"`{span}`: no file has this name")
        elif re.fullmatch(rf"({'|'.join(PACKAGES)})(\.\w+)+", span) and not re.search(rf"\.{SUFFIXES}$", span):
            defects += [] if defines(span) else [f"`{span}`: there is no such module or name"]
    return defects


def slug(heading):
    """The anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def check_links(text, path):
    """Defects of relative links and their anchors."""
    defects = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?:", target):
            continue
        file, _, anchor = target.partition("#")
        linked = path.parent / file if file else path
        if not linked.exists():
            defects.append(f"{target}: there is no such file")
        elif anchor and anchor not in map(slug, re.findall(r"^#+ (.+)$", linked.read_text(), re.MULTILINE)):
            defects.append(f"{target}: there is no such heading")
    return defects


def check_python(text):
    """Defects of Python code: its syntax, names of the module texdisn."""
    defects, known = [], importlib.import_module("texdisn").__all__
    for code in re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        try:
            ast.parse(code)
        except SyntaxError as error:
            defects.append(f"{code.splitlines()[0]} ...: {error}")
    names = set(re.findall(r"\btexdisn\.(\w+)\b(?!\.)", text)) - {"py", "ipynb"}
    return defects + [f"texdisn.{name}: there is no such name" for name in sorted(names - set(known))]


def check_targets(text):
    """Defects of `make x`."""
    called = [re.match(r"make ([a-z-]+)", line) for line in [*code_blocks(text), *spans(text)]]
    return [f"make {match[1]}: no such target" for match in called if match and match[1] not in TARGETS]


def check_lines(text):
    """Defects of the lines: their width, paths outside the project."""
    defects, fenced = [], False
    for number, line in enumerate(text.splitlines(), 1):
        fenced ^= line.startswith("```")
        if len(line) > 100 and not fenced and not line.startswith(("|", "    ", "![")):
            defects.append(f"line {number}: {len(line)} columns")
        if re.search(r"(^|[\s`])\.\./|/(work|root|tmp|home)/", line):
            defects.append(f"line {number}: a path outside the project: {line}")
    return defects


@pytest.fixture(params=PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def page(request):
    return request.param


def test_commands(page):
    assert not check_commands(page.read_text(), lambda script: "benchmarks" not in script)


@pytest.mark.slow  # imports TensorFlow
def test_commands_of_benchmarks(page):
    assert not check_commands(page.read_text(), lambda script: "benchmarks" in script)


def test_flags(page):
    assert not check_flags(own_part(page.read_text(), page))


def test_files_and_modules(page):
    assert not check_names(own_part(page.read_text(), page), page)


def test_links_and_targets(page):
    assert not check_links(page.read_text(), page) + check_targets(page.read_text())


def test_lines(page):
    assert not check_lines(page.read_text())


@pytest.mark.slow  # imports TensorFlow
def test_python(page):
    assert not check_python(page.read_text())


def test_readme_is_short():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 150 and len(text.split()) <= 1300


def test_index_lists_every_page():
    index = (ROOT / "docs/README.md").read_text()
    assert not [path.name for path in DOCS if path.name != "README.md" and f"({path.name})" not in index]


def test_architecture_names_every_room():
    text = (ROOT / "docs/architecture.md").read_text()
    rooms = {
        path.parent.relative_to(ROOT).as_posix() for package in PACKAGES for path in (ROOT / package).rglob("*.py")
    }
    assert not sorted(room for room in rooms if f"`{room}/" not in text)


BROKEN = """
# Page

    python eval/eval.py --restore_model runs/all --no_such_flag
    python eval/evaluate.py runs/all
    python preprocessing/render_views.py --meshes meshes --out raw \\
        --views many

`python train/train_sdf.py --log_dir runs/all --preset medium`, `--no_such_flag`, `eval.py --raw`,
```python
texdisn.load_nothing(
```

`utils/nothing.py`, `nothing.py`, `utils.errors.Nothing`, `make nothing`, [page](nothing.md),
[heading](#nothing), `../elsewhere/meshes`.
"""


@pytest.mark.slow
def test_defects_of_python_are_found():
    assert len(check_python(BROKEN)) == 2


def test_defects_are_found():
    path = ROOT / "docs/broken.md"
    assert len(check_commands(BROKEN, lambda script: True)) == 4
    assert len(check_flags(BROKEN)) == 2
    assert len(check_names(BROKEN, path)) == 3
    assert len(check_targets(BROKEN)) == 1
    links = check_links(BROKEN.replace("(#nothing)", "(README.md#nothing)"), path)
    assert len(links) == 2
    assert len(check_lines(BROKEN + "x" * 101)) == 2
