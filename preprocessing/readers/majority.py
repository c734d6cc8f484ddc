"""Conventions that a data set keeps to but does not state: a majority of its objects decides."""

import collections
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from preprocessing.recovery import dlt
from utils.errors import reason_of

VOTERS = 16  # objects that vote


@dataclasses.dataclass(frozen=True)
class Convention:
    """One such convention.

    Attributes:
        option: the field of Options that it sets.
        default: the value where no object can tell.
        read: object -> its value; an error where this object cannot tell.
        decided: (value, number of objects it is for) -> the outcome in words.
        undecided: printed where no object can tell; "" prints nothing.
        concerns: object -> whether the convention matters to it; only such objects vote.
    """

    option: str
    default: Any
    read: Callable[[Any], Any]
    decided: Callable[[Any, int], str]
    undecided: str = ""
    concerns: Callable[[Any], bool] = lambda source: True


def axes_convention(
    read: Callable[[Any], dlt.Axes], subject: str, concerns: Callable[[Any], bool] = lambda source: True
) -> Convention:
    """The axes A of volumes (p = A q).

    Args:
        read: object -> its axes; UserError where this object cannot tell.
        subject: the first words of the outcome; {} stands for the number of objects.
        concerns: object -> whether its axes are unknown.
    """

    def decided(axes: dlt.Axes, count: int) -> str:
        unchanged = axes == dlt.IDENTITY
        done = "as they are" if unchanged else f"turned: (x, y, z) = ({dlt.describe(axes)}) of the file"
        return f"{subject.format(count)} {done}"

    return Convention("axes", dlt.IDENTITY, read, decided, concerns=concerns)


def decide(convention: Convention, objects: Sequence[Any]) -> Any:
    """The value that most objects have; prints the outcome."""
    concerned = [source for source in objects if convention.concerns(source)]
    if not concerned:
        return convention.default
    votes = _votes(convention, concerned)
    if not votes:
        if convention.undecided:
            print(convention.undecided)
        return convention.default
    value, count = collections.Counter(votes).most_common(1)[0]
    print(f"{convention.decided(value, len(concerned))} ({count} of {len(votes)} objects agree)")
    return value


def _votes(convention: Convention, objects: Sequence[Any]) -> list[Any]:
    """The values of up to VOTERS objects in random order; those that cannot tell are skipped."""
    votes: list[Any] = []
    with tqdm(total=min(VOTERS, len(objects)), desc=convention.option, unit="object") as bar:
        for at in np.random.default_rng(0).permutation(len(objects)):
            try:
                votes.append(convention.read(objects[at]))
            except Exception as error:  # reported when the object itself is read
                reason_of(error)
                continue
            bar.update()
            if len(votes) == VOTERS:
                break
    return votes
