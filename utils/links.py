"""Links of the file system that lead nowhere."""

import os
import pathlib

from utils.errors import UserError


def check_links(folder: str | os.PathLike[str], what: str) -> None:
    """UserError, which begins with `what`, if a folder is a link to nothing, or below one."""
    folder = pathlib.Path(folder)
    for path in (folder, *folder.absolute().parents):
        if path.is_symlink() and not path.exists():
            raise UserError(f"{what}: {path} is a link to {os.readlink(path)}, which is not there")
