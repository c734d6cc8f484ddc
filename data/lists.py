"""Which objects are for training, validation and test: lists of object ids, or a split by hash.

File {train,val,test}_list_<category>.txt, or <category>_{train,val,test}.lst as DISN has them, <category> the name or the
synset id, one object id a line; blank lines and what follows a # are skipped. DISN has no validation lists: then a share
of the training list by hash takes their place.
"""

import dataclasses
import hashlib
import pathlib

from data import categories
from data.shards import SPLITS
from utils.errors import UserError


@dataclasses.dataclass
class Lists:
    """The split of one category."""

    ids: dict  # split -> sorted object ids that are there
    source: str  # where the split comes from, for messages
    absent: list  # ids that are listed but not there
    unlisted: int  # objects that are there but in no list


def find_list(folder, split, category):
    """The list file of a split, under either spelling of the category; None if there is none."""
    names = [(f"{split}_list_{spelling}.txt", f"{spelling}_{split}.lst") for spelling in categories.spellings(category)]
    found = [path for name in sum(names, ()) if (path := pathlib.Path(folder) / name).is_file()]
    if len(found) > 1:
        raise UserError(f"{found[0]} and {found[1]} are lists of the same category: remove one of them")
    return found[0] if found else None


def read_list(path):
    """Object ids of a list file in their order, each once."""
    try:
        lines = pathlib.Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as text: {error}") from None
    ids = [line.split("#")[0].strip() for line in lines]
    return list(dict.fromkeys(object_id for object_id in ids if object_id))


def hash_split(object_ids, shares):
    """Ids ranked by their SHA-256 and cut by shares {split: share}: the same on every machine, without any file.

    Of three objects on, val and test have at least one each (if their share is not 0).
    """
    ranked = sorted(object_ids, key=lambda object_id: hashlib.sha256(object_id.encode()).hexdigest())
    least = 1 if len(ranked) >= 3 else 0
    val, test = (max(least, round(shares[split] * len(ranked))) if shares[split] else 0 for split in ("val", "test"))
    train = max(len(ranked) - val - test, 0)
    return {"train": ranked[:train], "val": ranked[train : train + val], "test": ranked[train + val :]}


def split_objects(category, object_ids, raw, lst_dir, shares):
    """Lists of one category whose objects are object_ids.

    lst_dir given: its lists, which must be there. Else the lists in `raw`; if it has none, a split by hash.
    """
    folder = pathlib.Path(lst_dir or raw)
    paths = {split: find_list(folder, split, category) for split in SPLITS}
    if not lst_dir and not any(paths.values()):
        return Lists(
            {split: sorted(ids) for split, ids in hash_split(object_ids, shares).items()}, "hash of the ids", [], 0
        )
    without_val = paths["val"] is None and all(
        path and path.suffix == ".lst" for split, path in paths.items() if split != "val"
    )
    for split, path in paths.items():
        if path is None and not (split == "val" and without_val):
            names = " or ".join(f"{split}_list_{spelling}.txt" for spelling in categories.spellings(category))
            raise UserError(f"{folder / names} is missing: every category needs all of {', '.join(SPLITS)}")
    listed = {split: read_list(path) if path else [] for split, path in paths.items()}
    first = {}
    for split, ids in listed.items():
        for object_id in ids:
            if object_id in first:
                raise UserError(
                    f"{object_id} is in two lists, {paths[first[object_id]]} and {paths[split]}: remove it from one"
                )
            first[object_id] = split
    there = set(object_ids)
    ids = {split: sorted(there.intersection(ids)) for split, ids in listed.items()}
    source = f"lists in {folder}"
    if without_val:
        share = shares["val"] / max(shares["val"] + shares["train"], 1e-9)
        parts = hash_split(ids["train"], {"train": 1 - share, "val": share, "test": 0})
        ids |= {"train": sorted(parts["train"]), "val": sorted(parts["val"])}
        source += ", validation by hash of the training ids"
    return Lists(ids, source, [object_id for object_id in first if object_id not in there], len(there - set(first)))
