"""What is known of one series in one interval, as formulas ask for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from streams.rollup.distribution import Classes, Names, Sizes, Sums, add_names, sizes_of


class WindowSums(NamedTuple):
    """What is known of one series in one interval.

    Args:
        flow: Sums of the slices in the interval.
        tail: Sums of the slices from the interval's end on, for ever.
        total: Sums of all slices.
        end_s: End of the interval, in seconds.
        now_s: The present, rounded up to 10 s, in seconds.
        memo: What was found out of these sums once, for several KPIs.
        names: The names of keyed measures that were ever counted; None: those in these sums.
    """

    flow: Sums
    tail: Sums
    total: Sums
    end_s: int
    now_s: int
    memo: dict[str, Any]
    names: Names | None = None

    def keys(self, measure: str) -> Iterable[str]:
        """Return the keys that a measure was ever counted under; one that was taken back to 0 is none."""
        total = self.total
        return [key for key, name in self._names().get(measure, {}).items() if total.get(name, 0) > 0]

    def keyed(self, measure: str, *, whole: bool) -> Mapping[str, int]:
        """Return a keyed measure by its keys: of the interval, or of everything until its end."""
        names = self._names().get(measure, {})
        if whole:
            total, tail = self.total, self.tail
            return {key: total.get(name, 0) - tail.get(name, 0) for key, name in names.items()}
        flow = self.flow
        return {key: flow[name] for key, name in names.items() if name in flow}

    def sizes(self, measure: str, *, whole: bool) -> Sizes:
        """Return the sizes of a measure that is a histogram, with how many there are of each."""
        name = f"sizes {measure}"  # of one window a histogram is asked for in one way only
        found: Sizes | None = self.memo.get(name)
        if found is None:
            found = self.memo[name] = sizes_of(self.keyed(measure, whole=whole))
        return found

    def classes(self, by: tuple[str, ...], shares: tuple[int, int]) -> Classes:
        """Return what splits the measures of a distribution at the interval's end into classes."""
        name = f"classes {by}"
        found: Classes | None = self.memo.get(name)
        if found is None:
            levels = {measure: self.keyed(measure, whole=True) for measure in self._names()}
            found = self.memo[name] = Classes(levels, by, shares)
        return found

    def _names(self) -> Names:
        names: Names | None = self.names if self.names is not None else self.memo.get("names")
        if names is None:
            names = self.memo["names"] = {}
            for sums in (self.total, self.tail, self.flow):
                add_names(names, sums)
        return names
