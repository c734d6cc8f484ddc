"""The lines of text files of any encoding, as OBJ and MTL files are."""

import pathlib
import re

MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe\0\0": "utf-32", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
CONTINUED = re.compile(r"\\[ \t]*\n")


def read_lines(path: pathlib.Path) -> list[str]:
    """The lines of a text file, with those that a backslash at the end continues made one.

    The encoding is that of the byte order mark, else UTF-8, else Latin-1; lines may end as on any
    system. OSError if the file cannot be read.
    """
    raw = path.read_bytes()
    encoding = next((name for mark, name in MARKS.items() if raw.startswith(mark)), None)
    if encoding is None:
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
    else:
        text = raw.decode(encoding, "replace").removeprefix("\ufeff")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if CONTINUED.search(text):  # in comments a backslash is mostly the end of a path; #MRGB has colours
        text = re.sub(r"(?m)^[ \t]*#(?!MRGB).*\n", "\n", text)
        text = CONTINUED.sub(" ", text)
    return text.split("\n")
