"""What is found with keyed measures, which cells keep as ``name#key``: percentiles, ABC classes, the lowest ratio."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from streams.sizes import class_value

Sums = Mapping[str, int]
Keyed = Mapping[str, Mapping[str, int]]
"""Keyed measure -> key -> sum."""


Sizes = Sequence[tuple[int, int]]
"""Size classes in ascending order, with how many values each has."""


@lru_cache(maxsize=1 << 16)
def split_name(name: str) -> tuple[str, str]:
    """Return measure and key (empty: it has none); some thousand names are asked for all the time."""
    measure, _, key = name.partition("#")
    return measure, key


Names = dict[str, dict[str, str]]
"""Keyed measure -> key -> the name they are kept under."""


def add_names(names: Names, new: Iterable[str]) -> None:
    """Add those of some names that are of keyed measures."""
    for name in new:
        if "#" in name:
            measure, key = split_name(name)
            names.setdefault(measure, {})[key] = name


def keyed(held: Sums) -> Keyed:
    """Sort out the keyed measures of what is held."""
    found: dict[str, dict[str, int]] = {}
    for name, count in held.items():
        if "#" in name:
            measure, key = split_name(name)
            found.setdefault(measure, {})[key] = count
    return found


def sizes_of(counts: Mapping[str, int]) -> Sizes:
    """Return the size classes that have values, from what a histogram counts by the class's number."""
    return sorted((int(size), count) for size, count in counts.items() if count > 0)


def percentile(sizes: Sizes, rank: int) -> int | None:
    """Return the nearest rank: the smallest value that at least ``rank`` per cent of the values do not exceed.

    Args:
        sizes: Size classes, as :func:`sizes_of` returns them.
        rank: Per cent.
    """
    wanted = -(-sum(count for _, count in sizes) * rank // 100)
    passed = 0
    for size, count in sizes:
        passed += count
        if passed >= wanted:
            return class_value(size)
    return None


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
