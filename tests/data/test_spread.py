"""A few objects for many."""

import types

import numpy as np

from data.spread import spread, spread_by_category


def test_the_objects_are_always_the_same_and_spread_over_all():
    """Also where their number is no multiple: of 7 objects, 4 are not the first 4."""
    assert spread(range(23), 4) == [0, 5, 11, 17] and spread(range(7), 4) == [0, 1, 3, 5]
    assert spread(range(23), 0) == spread([], 3) == []
    for size in range(1, 40):
        for count in range(1, 40):
            chosen = spread(range(size), count)
            assert len(chosen) == min(size, count) and chosen[0] == 0
            gaps = np.diff([*chosen, size])  # also to the first one of a next round
            assert gaps.min() >= 1 and gaps.max() - gaps.min() <= 1


def test_every_category_is_spread_by_itself():
    rng = np.random.default_rng(0)
    items = [types.SimpleNamespace(category=category) for category in rng.choice(list("abc"), 50)]
    chosen = spread_by_category(items, 4)
    for category in "abc":
        members = [item for item in items if item.category == category]
        assert [item for item in chosen if item.category == category] == spread(members, 4)
    assert len(chosen) == 12
