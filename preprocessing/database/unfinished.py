"""Which categories of a database have been begun and are not finished; kept in the folder, so that a killed run is noticed."""

from data.shards import UNFINISHED
from utils.files import read_json, write_json


def begun(out):
    """The categories that a run, this or a killed one, began to build in the folder and that are not finished: a set."""
    path = out / UNFINISHED
    return set(read_json(path).get("categories", [])) if path.exists() else set()


def begin(out, categories):
    """Note that these categories (a set) are being built, beside those noted already."""
    if not categories <= begun(out):
        write_json(out / UNFINISHED, {"categories": sorted(begun(out) | categories)})


def finish(out, categories):
    """Strike these categories (a set) off; without any left the database is finished. Returns those left, sorted."""
    left = sorted(begun(out) - categories)
    if left:
        write_json(out / UNFINISHED, {"categories": left})
    else:
        (out / UNFINISHED).unlink(missing_ok=True)
    return left
