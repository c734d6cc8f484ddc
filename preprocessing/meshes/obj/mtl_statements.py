"""The statements of MTL files: material libraries of OBJ files."""

import dataclasses
import pathlib
import re

from preprocessing.meshes.obj.text_lines import read_lines
from preprocessing.meshes.side_files import find_side_file

NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
OPTIONS = "blendu|blendv|bm|boost|cc|clamp|imfchan|mm|o|s|t|texres|type"  # each with a word or up to three numbers
OPTION = re.compile(rf"(?<!\S)-({OPTIONS})\s+((?:{NUMBER}(?=\s)\s*){{1,3}}|\S+\s*)", re.IGNORECASE)
UNKNOWN = re.compile(r"-[a-z]\w*\s", re.IGNORECASE)  # such as -colorspace sRGB
LONGEST = 1000  # letters of a statement that is searched for unknown options
TRAILING = re.compile(rf"\s-(?:{OPTIONS})\s", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Map:
    """A picture that an MTL statement names, and how it lies on the surface."""

    name: str
    within: str  # folder that the name refers to, relative to that of the mesh
    scale: tuple[float, float] = (1.0, 1.0)
    offset: tuple[float, float] = (0.0, 0.0)
    clamp: bool = False
    levels: tuple[float, float] = (0.0, 1.0)  # what is added to its values in [0, 1], after a factor


@dataclasses.dataclass
class MtlMaterial:
    """One material: its statements by keyword in small letters, the last of each kind."""

    statements: dict[str, str]
    within: str  # folder of the library, relative to that of the mesh

    def numbers(self, keyword: str) -> list[float]:
        """The numbers that a statement begins with; none if it is absent or says it otherwise."""
        text = re.sub(r"^(-halo|xyz)\s", "", self.statements.get(keyword, ""))
        found = re.match(rf"\s*((?:{NUMBER}(?=\s|$)\s*)*)", text)
        return [float(number) for number in found[1].split()] if found else []

    def is_xyz(self, keyword: str) -> bool:
        """Whether a statement gives a colour as CIE XYZ."""
        return self.statements.get(keyword, "").startswith("xyz")

    def decimal_commas(self) -> str | None:
        """A statement of a colour or an opacity with commas in its numbers; None without any."""
        for keyword in ("Kd", "Ke", "Ka", "d", "Tr"):
            text = self.statements.get(keyword.lower(), "").partition("#")[0]
            if re.search(r"\d,\d", text):
                return f"{keyword} {' '.join(text.split())[:60]}"
        return None

    def map(self, keyword: str, mesh: pathlib.Path) -> Map | None:
        """The picture of a statement such as map_Kd; None if the statement is absent or empty."""
        text = self.statements.get(keyword, "").strip()
        options: list[tuple[str, str]] = []
        trailing = TRAILING.search(text)
        if trailing and not text.startswith("-"):  # options should stand first
            text = f"{text[trailing.start() :].strip()} {text[: trailing.start()]}"
        while found := OPTION.match(text):
            options.append((found[1], found[2]))
            text = text[found.end() :]
        if UNKNOWN.match(text) and find_side_file(text, mesh, self.within) is None:
            name = self._file_name(text, mesh)
            options += OPTION.findall(text[: len(text) - len(name)])
            text = name
        name, known = text.strip(), {option.lower(): value for option, value in options}
        if " #" in name and find_side_file(name, mesh, self.within) is None:
            name = name.partition(" #")[0].strip()
        if not name:
            return None
        clamp = known.get("clamp", "").strip().lower() == "on"
        scale, offset, levels = _pair(known.get("s"), 1, 1), _pair(known.get("o"), 0, 0), _pair(known.get("mm"), 0, 1)
        return Map(name, self.within, scale, offset, clamp, levels)

    def _file_name(self, text: str, mesh: pathlib.Path) -> str:
        """The longest end of a text that names a file, from one of its words on; else all of it."""
        starts = [space.end() for space in re.finditer(r"\s+", text)] if len(text) <= LONGEST else []
        ends = (text[start:] for start in starts)
        return next((end for end in ends if find_side_file(end, mesh, self.within) is not None), text)


def _pair(text: str | None, first: float, second: float) -> tuple[float, float]:
    """The first two of the numbers of an option; those that are left out have these defaults."""
    try:
        numbers = [*map(float, (text or "").split())]
    except ValueError:
        numbers = []
    a, b = (numbers + [first, second][len(numbers) :])[:2]
    return a, b


def read_mtl(path: pathlib.Path, within: str) -> dict[str, MtlMaterial]:
    """The materials of a library by name; OSError if it cannot be read."""
    materials: dict[str, MtlMaterial] = {}
    current: dict[str, str] = {}
    for line in read_lines(path):
        keyword, rest = (*line.split(None, 1), "", "")[:2]
        if keyword.lower() == "newmtl":
            current = {}
            materials[" ".join(rest.split())] = MtlMaterial(current, within)
        elif keyword and not keyword.startswith("#"):
            current[keyword.lower()] = rest.strip()
    return materials
