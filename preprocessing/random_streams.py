"""Random numbers that depend on what they are for, not on the order of the work."""

import hashlib

import numpy as np

from data.categories import name


def object_rng(category, object_id, *seed):
    """The random generator of one object: it depends on the seed (integers) and the object's name alone.

    Either spelling of a category gives the same numbers.
    """
    digest = hashlib.sha256(f"{name(category)}/{object_id}".encode()).digest()
    return np.random.default_rng([*seed, *digest])
