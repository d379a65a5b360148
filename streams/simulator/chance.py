"""Chance: a generator of its own for every part of the floor, and weighted choices."""

import itertools
import random
from bisect import bisect
from collections.abc import Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")


def chance_for(part: str, seed: int) -> random.Random:
    """The generator of one part, so that a change in one leaves the others' draws as they were."""
    return random.Random(f"{part}-{seed}")  # noqa: S311 - simulated events, nothing to guess


class Pick(Generic[Item]):
    """A weighted choice, prepared once and drawn from often."""

    __slots__ = ("_draw", "_items", "_limits")

    def __init__(self, items: Sequence[Item], weights: Sequence[float], rng: random.Random) -> None:
        """Prepare the choice among `items` with the given relative weights."""
        total = sum(weights)
        self._items = tuple(items)
        self._limits = [limit / total for limit in itertools.accumulate(weights)][:-1]
        self._draw = rng.random

    def __call__(self) -> Item:
        """One item, by weight."""
        return self._items[bisect(self._limits, self._draw())]
