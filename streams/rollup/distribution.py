"""What is found with keyed measures, which cells keep as ``name#key``: percentiles, ABC classes, the lowest ratio."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from streams.time import class_value

Sums = Mapping[str, int]
_RANKED: Final = ("ranked_customers", "ranked_revenue", "ranked_amount", "ranked_deals")


Keyed = Mapping[str, Mapping[str, int]]
"""Keyed measure -> key -> sum."""


def keyed(held: Sums, later: Sums) -> Keyed:
    """Sort out the keyed measures of what is held less what came later; one pass for all of them."""
    found: dict[str, dict[str, int]] = {}
    for name, count in held.items():
        measure, hash_sign, key = name.partition("#")
        if hash_sign:
            found.setdefault(measure, {})[key] = count
    for name, count in later.items():
        measure, hash_sign, key = name.partition("#")
        if hash_sign:
            of_measure = found.setdefault(measure, {})
            of_measure[key] = of_measure.get(key, 0) - count
    return found


def percentile(counts: Mapping[str, int], rank: int) -> int | None:
    """Return the nearest rank: the smallest value that at least ``rank`` per cent of the values do not exceed.

    Args:
        counts: Size class -> how many values it has.
        rank: Per cent.
    """
    sizes = sorted((int(size), count) for size, count in counts.items() if count > 0)
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


def class_sums(levels: Keyed, shares: tuple[int, int]) -> Mapping[str, tuple[int, int, int]]:
    """Split the levels of measures that are keyed by revenue into A, B and C.

    The highest size classes come first: a customer is in A while the revenue *before* it is less than the first share
    (per cent) of all, in B until the second is reached as well, else in C. Within a size class (1 % wide) customers are
    taken as equal.

    Args:
        levels: Every keyed measure; ``ranked_customers`` and ``ranked_revenue`` say where the borders are.
        shares: Per cent of A, and of B.

    Returns:
        Measure -> its three parts.
    """
    revenues, counts = levels.get("ranked_revenue", {}), levels.get("ranked_customers", {})
    sizes = sorted((size for size in revenues if revenues[size]), key=int, reverse=True)
    everything = sum(revenues.values())
    borders = (shares[0] * everything, (shares[0] + shares[1]) * everything)
    split = {measure: [0, 0, 0] for measure in _RANKED}
    ahead = 0
    for size in sizes:
        customers, revenue = counts.get(size, 0), revenues[size]
        passed = 0
        for place in range(3):
            until = customers if place == 2 else _within(borders[place] - 100 * ahead, customers, revenue)
            until = max(until, passed)
            for measure in _RANKED if until > passed else ():
                # By differences of running shares, so that the classes add up to the whole.
                amount = levels.get(measure, {}).get(size, 0)
                split[measure][place] += amount * until // customers - amount * passed // customers
            passed = until
        ahead += revenue
    return {measure: (parts[0], parts[1], parts[2]) for measure, parts in split.items()}


def _within(room: int, customers: int, revenue: int) -> int:
    """How many customers of a size class, each with its mean, have less than ``room`` hundredths before them."""
    if room <= 0 or revenue <= 0:
        return 0
    return min(customers, -(-room * customers // (100 * revenue)))
