"""The statements of MTL files: material libraries of OBJ files."""

import dataclasses
import itertools
import pathlib
import re

from preprocessing.meshes.obj.text_lines import read_lines
from preprocessing.meshes.side_files import find_side_file

NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
OPTIONS = "blendu|blendv|bm|boost|cc|clamp|imfchan|mm|o|s|t|texres|type"  # each with a word or up to three numbers
OPTION = re.compile(rf"(?<!\S)-({OPTIONS})\s+((?:{NUMBER}(?=\s)\s*){{1,3}}|\S+\s*)", re.IGNORECASE)
UNKNOWN = re.compile(r"-[a-z]\w*\s", re.IGNORECASE)  # such as -colorspace sRGB
LONGEST = 1000  # letters of a statement that is searched for unknown options
NO_NUMBER = re.compile(r"[-+]?(nan|inf|1\.#)\S*", re.IGNORECASE)  # what programs write where they divided by 0
COLOURS, OPACITIES = ("Kd", "Ke", "Ka"), ("d", "Tr")
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
        return [float(word) for word in itertools.takewhile(re.compile(NUMBER).fullmatch, self._words(keyword))]

    def colour(self, keyword: str) -> list[float] | None:
        """The three numbers of a colour, which may be given as one; None if they cannot be read."""
        numbers = self.numbers(keyword)
        if len(numbers) < 3 and len(self._words(keyword)) != 1:  # such as 0.8 0,7 0,6
            return None
        return (numbers if len(numbers) >= 3 else numbers * 3)[:3] or None

    def _words(self, keyword: str) -> list[str]:
        """The words of a statement, without a comment and what stands before its numbers."""
        text = self.statements.get(keyword, "").partition("#")[0]
        return re.sub(r"^(-halo|xyz)\s", "", text).split()

    def is_xyz(self, keyword: str) -> bool:
        """Whether a statement gives a colour as CIE XYZ."""
        return self.statements.get(keyword, "").startswith("xyz")

    def unreadable(self) -> str | None:
        """A statement of a colour or an opacity whose numbers cannot be read; None without any."""
        for keyword in (*COLOURS, *OPACITIES):
            name = keyword.lower()
            words = self._words(name)
            read = self.numbers(name) if keyword in OPACITIES else self.colour(name)
            if read or not words or words[0] == "spectral" or all(map(NO_NUMBER.fullmatch, words)):
                continue
            return f"{keyword} {' '.join(self.statements[name].split())[:60]}"
        return None

    def map(self, keyword: str, mesh: pathlib.Path) -> Map | None:
        """The picture of a statement such as map_Kd; None if the statement is absent or empty."""
        text = self.statements.get(keyword, "").strip()
        options: list[tuple[str, str]] = []
        trailing = TRAILING.search(text)
        if trailing and not text.startswith("-"):  # options should stand first
            text = f"{text[trailing.start() :].strip()} {text[: trailing.start()]}"
        while match := OPTION.match(text):
            options.append((match[1], match[2]))
            text = text[match.end() :]
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
