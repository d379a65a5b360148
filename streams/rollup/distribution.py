"""What is found with keyed measures, which cells keep as ``name#key``: percentiles, ABC classes, the lowest ratio."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from streams.time import class_value

Sums = Mapping[str, int]


def level(name: str, total: Sums, tail: Sums) -> int:
    """Return how much is in a state at the end of an interval."""
    return total.get(name, 0) - tail.get(name, 0)


def keyed_counts(measure: str, held: Sums, later: Sums) -> list[tuple[int, int]]:
    """Return the size classes of a histogram with their counts, of what is held less what came later."""
    counts = ((int(key), level(name, held, later)) for key, name in _keys(measure, held))
    return sorted((size, count) for size, count in counts if count > 0)


def percentile(counts: Sequence[tuple[int, int]], rank: int) -> int | None:
    """Return the nearest rank: the smallest value that at least ``rank`` per cent of the values do not exceed.

    Args:
        counts: Size classes, the smallest first, and how many values each has.
        rank: Per cent.
    """
    wanted = -(-sum(count for _, count in counts) * rank // 100)
    passed = 0
    for size, count in counts:
        passed += count
        if passed >= wanted:
            return class_value(size)
    return None


def lowest(over: str, under: str, ever: Sums, held: Sums, later: Sums) -> tuple[int, int, str] | None:
    """Return numerator, denominator and key of the lowest ratio of two keyed measures.

    Only keys count that the numerator ever had. Of equal ratios the one with most in the denominator is taken, then
    the first by name. None: no denominator is above 0.

    Args:
        over: The keyed measure of the numerators.
        under: That of the denominators.
        ever: Sums of all slices.
        held: What the ratio is of.
        later: What is to be taken off it.
    """
    found: list[tuple[float, int, str, int]] = []
    for key, name in _keys(over, ever):
        parts = level(name, held, later), level(f"{under}#{key}", held, later)
        if parts[1] > 0:
            found.append((parts[0] / parts[1], -parts[1], key, parts[0]))
    if not found:
        return None
    _, denominator, key, numerator = min(found)
    return numerator, -denominator, key


def class_sums(measure: str, total: Sums, tail: Sums, shares: tuple[int, int]) -> tuple[int, int, int]:
    """Split the level of a measure that is keyed by revenue into A, B and C.

    The highest size classes come first: a customer is in A while the revenue *before* it is less than the first share
    (per cent) of all, in B until the second is reached as well, else in C. Within a size class (1 % wide) customers are
    taken as equal.
    """
    # Who left a size class since is in the tail alone.
    sizes = sorted({int(key) for sums in (total, tail) for key, _ in _keys("ranked_revenue", sums)}, reverse=True)
    rows = [
        tuple(level(f"{name}#{size}", total, tail) for name in ("ranked_customers", "ranked_revenue", measure))
        for size in sizes
    ]
    everything = sum(revenue for _, revenue, _ in rows)
    borders = (shares[0] * everything, (shares[0] + shares[1]) * everything)
    split = [0, 0, 0]
    ahead = 0
    for customers, revenue, amount in rows:
        passed = 0
        for place in range(len(split)):
            until = customers if place == len(borders) else _within(borders[place] - 100 * ahead, customers, revenue)
            until = max(until, passed)
            # By differences of running shares, so that the classes add up to the whole.
            split[place] += amount * until // customers - amount * passed // customers if customers else 0
            passed = until
        ahead += revenue
    return split[0], split[1], split[2]


def _within(room: int, customers: int, revenue: int) -> int:
    """How many customers of a size class, each with its mean, have less than ``room`` hundredths before them."""
    if room <= 0 or revenue <= 0:
        return 0
    return min(customers, -(-room * customers // (100 * revenue)))


def _keys(measure: str, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The keys that a keyed measure has among names, each with its name."""
    prefix = f"{measure}#"
    for name in names:
        if name.startswith(prefix):
            yield name[len(prefix) :], name
