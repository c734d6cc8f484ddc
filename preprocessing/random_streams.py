"""Random numbers that depend on the object they are drawn for, not on the order of the work."""

import hashlib

import numpy as np

from data.categories import name


def object_rng(category: str, object_id: str, *seed: int) -> np.random.Generator:
    """The random generator of one object; it depends on its category, its id and the seed alone.

    Both spellings of a category (name and WordNet id) give the same numbers.
    """
    digest = hashlib.sha256(f"{name(category)}/{object_id}".encode()).digest()
    return np.random.default_rng([*seed, *digest])
