"""The categories of a database that are begun and not finished.

They are noted in a file of the database's folder, so that a killed run is noticed.
"""

import pathlib
from collections.abc import Set

from data.shard_format import UNFINISHED
from utils.errors import UserError
from utils.files import read_json_object, write_json


def begun(out: pathlib.Path) -> set[str]:
    """The categories that this run or a killed one began to build and that are not finished."""
    path = out / UNFINISHED
    if not path.exists():
        return set()
    categories = read_json_object(path, "categories").get("categories", [])
    if not isinstance(categories, list) or not all(isinstance(category, str) for category in categories):
        raise UserError(f"{path} is damaged: its categories are not names")
    return set(categories)


def begin(out: pathlib.Path, categories: Set[str]) -> None:
    """Note that these categories are being built, in addition to those noted already."""
    if not categories <= begun(out):
        write_json(out / UNFINISHED, {"categories": sorted(begun(out) | categories)})


def finish(out: pathlib.Path, categories: Set[str]) -> list[str]:
    """Note that these categories are finished. Returns the others, sorted.

    When none is left, the note is removed and the database is finished.
    """
    left = sorted(begun(out) - categories)
    if left:
        write_json(out / UNFINISHED, {"categories": left})
    else:
        (out / UNFINISHED).unlink(missing_ok=True)
    return left
