"""A few objects or views that stand for many: evenly spaced ones, always the same."""

from collections.abc import Sequence
from typing import Protocol, TypeVar


class Categorised(Protocol):
    """An object, or a file of one, with its category."""

    @property
    def category(self) -> str: ...


Item = TypeVar("Item")
Member = TypeVar("Member", bound=Categorised)


def spread(items: Sequence[Item], count: int) -> list[Item]:
    """At most `count` of the items, evenly spaced over all of them, the first one first.

    Objects are sorted by category: those of the first categories alone would not stand for all.
    """
    count = min(count, len(items))
    return [items[i * len(items) // count] for i in range(count)]


def spread_by_category(items: Sequence[Member], count: int) -> list[Member]:
    """At most `count` of the items of every category, evenly spaced over its items."""
    categories: dict[str, list[Member]] = {}
    for item in items:
        categories.setdefault(item.category, []).append(item)
    return [item for members in categories.values() for item in spread(members, count)]
