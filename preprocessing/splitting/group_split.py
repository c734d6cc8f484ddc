"""Groups of objects -> training, validation and test, the same on every machine."""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from data.raw_layout import origin
from data.shard_format import SPLITS

LARGEST = 0.05  # share of all objects: a larger group is for training, it would be most of a split
SMALLEST = 3  # objects: so few are never too many, however few all are


def too_large(members: int, objects: int) -> bool:
    """Whether a group of so many of the objects is for training alone."""
    return members > max(SMALLEST, LARGEST * objects)


def split_groups(ids: Sequence[str], groups: np.ndarray, shares: Mapping[str, float]) -> list[str]:
    """The split of every object; a group stays together.

    Groups are ranked by the SHA-256 of their first id and fill test, then validation, up to their
    shares; the rest is for training. With three objects or more there is room for one in both, as
    in the split by hash (data/lists.py), unless a share is 0. Stretched copies count for nothing:
    only those of training objects are used.

    Args:
        ids: of the objects.
        groups: (N,) number of the group of each.
        shares: {split: share of the objects}.

    Returns:
        A name of data.shard_format.SPLITS for every object.
    """
    members: dict[int, list[int]] = {}
    for i, group in enumerate(groups.tolist()):
        members.setdefault(group, []).append(i)
    originals = [origin(object_id) for object_id in ids]
    objects = len(set(originals))
    ranked = sorted(members.values(), key=lambda m: hashlib.sha256(min(originals[i] for i in m).encode()).hexdigest())
    result = [SPLITS[0]] * len(ids)
    least = 1 if objects >= SMALLEST else 0
    room = {split: max(least, round(shares[split] * objects)) if shares[split] else 0 for split in ("test", "val")}
    for group in ranked:
        size = len({originals[i] for i in group})
        if too_large(size, objects):
            continue
        split = next((split for split, left in room.items() if left >= size), None)
        if split:
            room[split] -= size
            for i in group:
                result[i] = split
    return result
