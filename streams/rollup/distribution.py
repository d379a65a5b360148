"""What is found with keyed measures, which cells keep as ``name#key``: percentiles, ABC classes, the lowest ratio."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate

import msgspec

from streams.sizes import class_value

Sums = Mapping[str, int]
Keyed = Mapping[str, Mapping[str, int]]
"""Keyed measure -> key -> sum."""


@lru_cache(maxsize=1 << 16)
def split_name(name: str) -> tuple[str, str]:
    """Return measure and key (empty: it has none); some thousand names are asked for all the time."""
    measure, _, key = name.partition("#")
    return measure, key


class Keys(dict[str, str]):
    """The keys of one keyed measure, with the name that each is kept under; none is ever taken out."""

    __slots__ = ("_by_size",)

    def __init__(self) -> None:
        super().__init__()
        self._by_size: list[str] = []

    def by_size(self) -> Sequence[str]:
        """Return the names of a histogram, whose keys are numbers of size classes, in ascending order."""
        if len(self._by_size) < len(self):
            self._by_size = [self[key] for key in sorted(self, key=int)]
        return self._by_size


Names = dict[str, Keys]
"""Keyed measure -> its keys."""


def add_names(names: Names, new: Iterable[str]) -> None:
    """Add those of some names that are of keyed measures."""
    for name in new:
        if "#" in name:
            measure, key = split_name(name)
            keys = names.get(measure)
            if keys is None:
                keys = names[measure] = Keys()
            keys[key] = name


def keyed(held: Sums) -> Keyed:
    """Sort out the keyed measures of what is held."""
    found: dict[str, dict[str, int]] = {}
    for name, count in held.items():
        if "#" in name:
            measure, key = split_name(name)
            found.setdefault(measure, {})[key] = count
    return found


class Histogram(msgspec.Struct, frozen=True, gc=False):
    """How many values of each size there are.

    Args:
        names: Of the size classes, in ascending order.
        until: How many values each of them and all before it have.
    """

    names: Sequence[str]
    until: Sequence[int]

    @classmethod
    def of(cls, names: Sequence[str], counts: Sequence[int]) -> Histogram:
        """Return the histogram of some counts, of which those below 0 say that there is none."""
        if min(counts, default=0) < 0:
            counts = [max(0, count) for count in counts]
        return cls(names, list(accumulate(counts)))

    def percentile(self, rank: int) -> int | None:
        """Return the nearest rank: the smallest value that at least ``rank`` per cent of the values do not exceed.

        Args:
            rank: Per cent.
        """
        wanted = -(-self.until[-1] * rank // 100) if self.until else 0
        if not wanted:
            return None
        return class_value(int(split_name(self.names[bisect_left(self.until, wanted)])[1]))


def lowest(over: Mapping[str, int], under: Mapping[str, int], keys: Iterable[str]) -> tuple[int, int, str] | None:
    """Return numerator, denominator and key of the lowest ratio of two keyed measures.

    Of equal ratios the one with most in the denominator is taken, then the first by name. None: no denominator is
    above 0.

    Args:
        over: Numerators by key.
        under: Denominators by key.
        keys: Those that count.
    """
    found: list[tuple[float, int, str, int]] = []
    for key in keys:
        parts = over.get(key, 0), under.get(key, 0)
        if parts[1] > 0:
            found.append((parts[0] / parts[1], -parts[1], key, parts[0]))
    if not found:
        return None
    _, denominator, key, numerator = min(found)
    return numerator, -denominator, key


class Classes:
    """What splits keyed measures into A, B and C.

    The highest keys come first: a member is in A while what the members *before* it weigh is less than the first share
    (per cent) of all, in B until the second is reached as well, else in C. Within a key, a size class 1 % wide, members
    are taken as equal.

    Args:
        levels: Every keyed measure.
        by: The one that counts members, and the one they weigh by; the key is the class of that size.
        shares: Per cent of A, and of B.
    """

    def __init__(self, levels: Keyed, by: tuple[str, ...], shares: tuple[int, int]) -> None:
        members, weight = by
        self._levels = levels
        weights, counts = levels.get(weight, {}), levels.get(members, {})
        everything = sum(weights.values())
        borders = (shares[0] * everything, (shares[0] + shares[1]) * everything)
        self._borders: list[tuple[str, int, tuple[int, int, int]]] = []
        ahead = 0
        for size in sorted((size for size in weights if weights[size]), key=int, reverse=True):
            count = counts.get(size, 0)
            of_a, of_b = (_within(border - 100 * ahead, count, weights[size]) for border in borders)
            self._borders.append((size, count, (of_a, max(of_a, of_b), count)))
            ahead += weights[size]

    def parts(self, measure: str) -> tuple[int, int, int]:
        """Return a measure's three parts, which add up to the whole."""
        amounts = self._levels.get(measure, {})
        parts = [0, 0, 0]
        for size, count, until in self._borders:
            amount, passed = amounts.get(size, 0), 0
            for place, members in enumerate(until):
                if members > passed:
                    # By differences of running shares, so that the classes add up to the whole.
                    parts[place] += amount * members // count - amount * passed // count
                    passed = members
        return parts[0], parts[1], parts[2]


def _within(room: int, members: int, weight: int) -> int:
    """How many members of a size class, each with its mean, have less than ``room`` hundredths before them."""
    if room <= 0 or weight <= 0:
        return 0
    return min(members, -(-room * members // (100 * weight)))
