"""The lines of text files of any encoding, as OBJ and MTL files are."""

import pathlib
import re

from utils.text_files import marked_encoding

CONTINUED = re.compile(r"\\[ \t]*\n")


def read_lines(path: pathlib.Path) -> list[str]:
    """The lines of a text file, with those that a backslash at the end continues made one.

    The encoding is that of the byte order mark, else UTF-8, else Latin-1; lines may end as on any
    system. OSError if the file cannot be read.
    """
    raw = path.read_bytes()
    encoding = marked_encoding(path)
    if encoding is None:
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
    else:
        text = raw.decode(encoding, "replace")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if CONTINUED.search(text):  # in comments a backslash is mostly the end of a path; #MRGB has colours
        text = re.sub(r"(?m)^[ \t]*#(?!MRGB).*\n", "\n", text)
        text = CONTINUED.sub(" ", text)
    return text.split("\n")
