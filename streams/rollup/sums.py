"""What is known of one series in one interval, as formulas ask for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import repeat
from operator import sub
from typing import Any

import msgspec

from streams.rollup.distribution import Classes, Histogram, Keys, Names, Sums, add_names


class WindowSums(msgspec.Struct, frozen=True, gc=False):
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
        return [key for key, name in self._keys(measure).items() if total.get(name, 0) > 0]

    def keyed(self, measure: str, *, whole: bool) -> Mapping[str, int]:
        """Return a keyed measure by its keys: of the interval, or of everything until its end."""
        names = self._keys(measure)
        if whole:
            total, tail = self.total, self.tail
            return {key: total.get(name, 0) - tail.get(name, 0) for key, name in names.items()}
        flow = self.flow
        return {key: flow[name] for key, name in names.items() if name in flow}

    def histogram(self, measure: str, *, whole: bool) -> Histogram:
        """Return a measure that is a histogram: of the interval, or of everything until its end."""
        name = f"histogram {measure}"  # of one window a histogram is asked for in one way only
        found: Histogram | None = self.memo.get(name)
        if found is None:
            names = self._keys(measure).by_size()
            counts = map((self.total if whole else self.flow).get, names, repeat(0))
            if whole:
                counts = map(sub, counts, map(self.tail.get, names, repeat(0)))
            found = self.memo[name] = Histogram.of(names, list(counts))
        return found

    def classes(self, by: tuple[str, ...], shares: tuple[int, int]) -> Classes:
        """Return what splits the measures of a distribution at the interval's end into classes."""
        name = f"classes {by}"
        found: Classes | None = self.memo.get(name)
        if found is None:
            levels = {measure: self.keyed(measure, whole=True) for measure in self._names()}
            found = self.memo[name] = Classes(levels, by, shares)
        return found

    def _keys(self, measure: str) -> Keys:
        return self._names().get(measure) or Keys()

    def _names(self) -> Names:
        names: Names | None = self.names if self.names is not None else self.memo.get("names")
        if names is None:
            names = self.memo["names"] = {}
            for sums in (self.total, self.tail, self.flow):
                add_names(names, sums)
        return names
