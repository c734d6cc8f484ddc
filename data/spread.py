"""A few objects or views that stand for many: evenly spaced ones, always the same."""

from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


def spread(items: Sequence[Item], count: int) -> list[Item]:
    """At most `count` of the items, evenly spaced over all of them, the first one first.

    Objects are sorted by category: those of the first categories alone would not stand for all.
    """
    count = min(count, len(items))
    return [items[i * len(items) // count] for i in range(count)]
