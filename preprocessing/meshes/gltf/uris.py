"""The bytes that a URI of a glTF file stands for."""

import base64
import binascii
import os
import pathlib
import posixpath
import re
import stat
from urllib.parse import unquote, unquote_to_bytes

from preprocessing.meshes.side_files import USUAL_FOLDERS, find_below, record
from utils.errors import UserError

SHOWN = 100  # characters of a URI in messages
OUTSIDE = re.compile(r"/|\.\.(/|$)|[A-Za-z][\w+.-]*:")  # names with a colon are URLs or drives


def read_uri(uri: str, mesh: pathlib.Path, limit: int) -> bytes:
    """The bytes of a data URI, or of a file in the folder of the mesh.

    A mesh may come from anywhere, so a URI leads to regular files in its own folder only.

    Args:
        uri: as the header has it; percent-encoded, as the specification asks for, or not.
        mesh: the mesh file.
        limit: bytes, at most.

    Raises:
        UserError: begins with the URI and says why it cannot be read.
    """
    shown = " ".join(uri.split())[:SHOWN]
    if uri[:5].lower() == "data:":
        data = _data_uri(uri)
        if len(data) > limit:
            raise UserError(f"{shown[:20]}... holds more than {limit // 1_000_000} MB")
        return data
    path = _find(uri, shown, mesh.parent)
    record(os.path.relpath(path, mesh.parent))
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # reading a named pipe would wait for ever
            raise UserError(f"{shown} is not a file")
        if status.st_size > limit:
            raise UserError(f"{shown} is larger than {limit // 1_000_000} MB")
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{shown} cannot be read ({error.strerror})") from None


def _find(uri: str, shown: str, folder: pathlib.Path) -> pathlib.Path:
    """The file that a URI names.

    Absolute paths belong to the computer of the author, and files get moved: of a URI that leads
    nowhere, or out of the folder, the last part is looked for in the folder and its usual ones.
    """
    # many exporters leave names as they are; a backslash is a separator on Windows only
    names = [posixpath.normpath(name.replace("\\", "/")) for name in dict.fromkeys((unquote(uri), uri))]
    inside = [name for name in names if not OUTSIDE.match(name) and "\0" not in name]
    last = [posixpath.basename(name) for name in names if "\0" not in name]
    moved = [posixpath.join(around, name) for name in last for around in USUAL_FOLDERS if name not in ("", "..")]
    for place in dict.fromkeys(inside + moved):
        try:
            path = find_below(folder, place)
            if path is not None and path.exists():
                return path
            record(place)
        except OSError:  # too long a name, a folder that cannot be listed
            continue
    if len(inside) < len(names):
        raise UserError(f"{shown} is outside the folder of the mesh: put the file beside the mesh")
    raise UserError(f"{shown} is missing")


def _data_uri(uri: str) -> bytes:
    """The bytes of data:[type][;base64],..."""
    kind, comma, content = uri.partition(",")
    if not comma:
        raise UserError(f"{uri[:20]} is not a data URI")
    if not kind.rstrip().lower().endswith(";base64"):
        return unquote_to_bytes(content)
    plain = re.sub(r"\s", "", unquote(content) if "%" in content else content).translate(str.maketrans("-_", "+/"))
    try:
        return base64.b64decode(plain.rstrip("=") + "=" * (-len(plain.rstrip("=")) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise UserError(f"{uri[:20]}... is not valid base64") from None
