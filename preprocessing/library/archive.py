"""The files of a zip archive from anywhere: found by name, unpacked within limits."""

import hashlib
import json
import lzma
import os
import pathlib
import posixpath
import shutil
import zipfile
import zlib

from utils.errors import UserError
from utils.files import folded

MOST_FILES = 100_000
MOST_BYTES = 4 << 30  # of all files, unpacked: the largest libraries have some 100 MB
LARGEST_RATIO = 1000  # of unpacked to packed bytes; deflate reaches 1032, with repeated bytes alone
SMALL = 1 << 26  # bytes: files that may have any ratio
CATALOGUE = ".properties"
BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    RuntimeError,
    NotImplementedError,
    OSError,
    ValueError,
)


class Archive:
    """A zip file whose names are relative paths with forward slashes.

    Attributes:
        path: the zip file.
        rejected: phrases about the files that are left out: their name leads out of the archive,
            or they unpack to suspiciously much.
    """

    def __init__(self, path: pathlib.Path) -> None:
        """UserError if the file is not a zip, or if it would fill the disk."""
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except BROKEN as error:
            raise UserError(f"{path} is not a zip file that can be read: {error}") from None
        infos = [info for info in self._zip.infolist() if not info.is_dir()]
        size = sum(info.file_size for info in infos)
        if len(infos) > MOST_FILES or size > MOST_BYTES:
            raise UserError(
                f"{path} holds {len(infos)} files of {size / 1e9:.1f} GB, "
                f"more than {MOST_FILES} or {MOST_BYTES / 1e9:.1f} GB: it is not opened"
            )
        self.rejected: list[str] = []
        self._members: dict[str, zipfile.ZipInfo] = {}
        for info in infos:
            name = _relative(info.filename)
            if name is None:
                self.rejected.append(f"{info.filename!r} leads out of the archive")
            elif info.file_size > max(SMALL, LARGEST_RATIO * info.compress_size):
                self.rejected.append(f"{name} unpacks from {info.compress_size} to {info.file_size} bytes")
            else:
                self._members[name] = info
        self._folded = {folded(name): name for name in self._members}
        self._checksums: dict[str, str] = {}  # by folder

    @property
    def names(self) -> list[str]:
        """The names of all files, in the order of the archive."""
        return list(self._members)

    def find(self, name: str) -> str | None:
        """The file that `name` means, by its `folded` name if need be; None if there is none."""
        relative = _relative(name.lstrip("/\\"))
        if relative is None or relative in self._members:
            return relative
        return self._folded.get(folded(relative))

    def read(self, name: str) -> bytes:
        """The contents of a file; UserError if they are damaged."""
        try:
            return self._zip.read(self._members[name])
        except BROKEN as error:
            raise UserError(f"{self.path}: {name} cannot be unpacked: {error}") from None

    def checksum(self, folder: str) -> str:
        """A hash of the names and contents of all files in a folder and below it but catalogues.

        Catalogues (.properties) change often, and no model takes them.
        """
        if folder not in self._checksums:
            prefix = f"{folder}/" if folder else ""
            names = sorted(name for name in self._members if name.startswith(prefix) and not name.endswith(CATALOGUE))
            content = [(name, self._members[name].file_size, self._members[name].CRC) for name in names]
            self._checksums[folder] = hashlib.sha256(json.dumps(content).encode()).hexdigest()
        return self._checksums[folder]

    def unpack(self, folder: pathlib.Path) -> list[str]:
        """Write all files below `folder`; returns a phrase for every file that is damaged."""
        damaged = []
        for name, info in self._members.items():
            target = folder / name
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                with self._zip.open(info) as source, open(target, "xb") as out:
                    shutil.copyfileobj(source, out)
            except BROKEN as error:
                if isinstance(error, OSError) and shutil.disk_usage(folder).free < info.file_size:
                    raise
                target.unlink(missing_ok=True)
                damaged.append(f"{name} cannot be unpacked: {error}")
        return damaged


def _relative(name: str) -> str | None:
    """A name with forward slashes and without dots; None if it leads out of the archive."""
    name = name.replace("\\", "/")
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or ":" in parts[0] or "\0" in name:
        return None
    path = posixpath.normpath(name)
    return None if path in ("", os.curdir) else path
