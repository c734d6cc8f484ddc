"""The split of a category into training, validation and test: from lists of ids, or by hash.

A list is a file {train,val,test}_list_<category>.txt, or <category>_{train,val,test}.lst as DISN
has them; <category> is the name or the synset id. It holds one object id a line; blank lines and
everything after a # are skipped, unless the line as it stands is the id of an object. DISN has no
validation lists: a share of the training list, chosen by hash, takes their place.
"""

import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Collection, Mapping

from data import categories
from data.raw_layout import origin
from data.shard_format import SPLITS
from utils.errors import UserError
from utils.text_files import marked_encoding


@dataclasses.dataclass
class Lists:
    """The split of one category."""

    ids: dict[str, list[str]]  # split -> sorted ids of objects that are in the data set
    source: str  # where the split comes from, for messages
    absent: list[str]  # ids that are listed but not in the data set
    unlisted: int  # number of objects that are in the data set but in no list


def lists_of(folder: str | os.PathLike[str], split: str, category: str) -> list[pathlib.Path]:
    """The list files of a split that are there, under either spelling of the category."""
    names = [
        name
        for spelling in categories.spellings(category)
        for name in (f"{split}_list_{spelling}.txt", f"{spelling}_{split}.lst")
    ]
    return [path for name in names if (path := pathlib.Path(folder) / name).is_file()]


def find_list(folder: str | os.PathLike[str], split: str, category: str) -> pathlib.Path | None:
    """The list file of a split, under either spelling of the category; None if there is none."""
    paths = lists_of(folder, split, category)
    if len(paths) > 1:
        raise UserError(f"{paths[0]} and {paths[1]} are lists of the same category: remove one of them")
    return paths[0] if paths else None


def read_list(path: str | os.PathLike[str], known: Collection[str] = ()) -> list[str]:
    """Object ids of a list file in their order, each once.

    `known`: the ids of the data set; a line that is one of them is no comment in any part.
    """
    try:
        encoding = marked_encoding(path) or "utf-8"
        lines = pathlib.Path(path).read_text(encoding=encoding).split("\n")  # ids may hold other separators
    except (OSError, UnicodeError) as error:
        raise UserError(f"{path} cannot be read as text: {error}") from None
    ids = [line if line in known else line.split("#")[0].strip() for line in lines]
    return list(dict.fromkeys(object_id for object_id in ids if object_id))


def hash_split(object_ids: Collection[str], shares: Mapping[str, float]) -> dict[str, list[str]]:
    """Rank ids by their SHA-256 and cut them by shares {split: share}.

    The result is the same on every machine, without any file. With three objects or more, val and
    test have at least one each (unless their share is 0).
    """
    ranked = sorted(object_ids, key=lambda object_id: hashlib.sha256(object_id.encode()).hexdigest())
    least = 1 if len(ranked) >= 3 else 0
    val, test = (max(least, round(shares[split] * len(ranked))) if shares[split] else 0 for split in ("val", "test"))
    train = max(len(ranked) - val - test, 0)
    return {"train": ranked[:train], "val": ranked[train : train + val], "test": ranked[train + val :]}


def split_by_hash(object_ids: Collection[str], shares: Mapping[str, float]) -> dict[str, list[str]]:
    """hash_split of objects, sorted. Stretched copies are for training, with their object: those of
    the other objects are in no split, since a network that was trained on them has seen these.
    """
    parts = hash_split({origin(object_id) for object_id in object_ids}, shares)
    split_of = {object_id: split for split, ids in parts.items() for object_id in ids}
    ids: dict[str, list[str]] = {split: [] for split in parts}
    for object_id in sorted(object_ids):
        split = split_of[origin(object_id)]
        if split == SPLITS[0] or origin(object_id) == object_id:
            ids[split].append(object_id)
    return ids


def split_objects(
    category: str,
    object_ids: Collection[str],
    raw: str | os.PathLike[str],
    lst_dir: str | os.PathLike[str] | None,
    shares: Mapping[str, float],
) -> Lists:
    """The split of one category.

    Args:
        category: name or synset id.
        object_ids: the objects of the category that are in the data set.
        raw: the folder of the data set; lists in it are used if lst_dir is None.
        lst_dir: the folder of the lists, which must have all of them.
        shares: {split: share} of the split by hash, which is used where there are no lists.

    Raises:
        UserError: a list is missing or unreadable, or lists contradict each other.
    """
    folder = pathlib.Path(lst_dir or raw)
    paths = {split: find_list(folder, split, category) for split in SPLITS}
    if not lst_dir and not any(paths.values()):
        ids = split_by_hash(object_ids, shares)
        return Lists(ids, "hash of the ids", [], len(object_ids) - sum(map(len, ids.values())))
    without_val = paths["val"] is None and all(
        path and path.suffix == ".lst" for split, path in paths.items() if split != "val"
    )
    for split, path in paths.items():
        if path is None and not (split == "val" and without_val):
            names = " or ".join(f"{split}_list_{spelling}.txt" for spelling in categories.spellings(category))
            raise UserError(f"{folder / names} is missing: every category needs all of {', '.join(SPLITS)}")
    present = set(object_ids)
    listed = {split: read_list(path, present) if path else [] for split, path in paths.items()}
    split_of: dict[str, str] = {}
    for split, listed_ids in listed.items():
        for object_id in listed_ids:
            if object_id in split_of:
                both = f"{paths[split_of[object_id]]} and {paths[split]}"
                raise UserError(f"{object_id} is in two lists, {both}: remove it from one")
            split_of[object_id] = split
    ids = {split: sorted(present.intersection(listed_ids)) for split, listed_ids in listed.items()}
    source = f"lists in {folder}"
    if without_val:
        share = shares["val"] / max(shares["val"] + shares["train"], 1e-9)
        parts = split_by_hash(ids["train"], {"train": 1 - share, "val": share, "test": 0})
        ids |= {"train": parts["train"], "val": parts["val"]}
        source += ", validation by hash of the training ids"
    absent = [object_id for object_id in split_of if object_id not in present]
    return Lists(ids, source, absent, len(present - set(split_of)))
