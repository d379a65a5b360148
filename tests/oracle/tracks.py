"""Contributions in order of time, so that a window's sum is the difference of two running sums."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from itertools import accumulate
from typing import TYPE_CHECKING

from tests.oracle.periods import ROLLING_MS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.oracle.contributions import Contribution

Span = tuple[int, int]


class _Track:
    """One measure of one series: times, deltas and the sums before each of them."""

    def __init__(self, steps: list[tuple[int, int]]) -> None:
        steps.sort()
        self.times = [at_ms for at_ms, _ in steps]
        self.deltas = [delta for _, delta in steps]
        self.before = [0, *accumulate(self.deltas)]

    def until(self, end_ms: int) -> int:
        return self.before[bisect_left(self.times, end_ms)]

    def between(self, span: Span) -> list[int]:
        return self.deltas[bisect_left(self.times, span[0]) : bisect_left(self.times, span[1])]


class Tracks:
    """All measures of all series."""

    def __init__(self, found: Iterable[Contribution]) -> None:
        """Sort the contributions by measure, series and time."""
        steps: dict[str, dict[str, list[tuple[int, int]]]] = defaultdict(lambda: defaultdict(list))
        for measure, dims, at_ms, delta in found:
            steps[measure][dims].append((at_ms, delta))
        self._tracks = {
            measure: {dims: _Track(series) for dims, series in by_dims.items()} for measure, by_dims in steps.items()
        }

    def dims(self, measure: str) -> Mapping[str, _Track]:
        """The series in which a measure was ever counted (by their dims)."""
        return self._tracks.get(measure, {})

    def sum(self, measures: Mapping[str, int], dims: str, window: str, span: Span) -> int:
        """Weighted sum over `span`; a measure ending in "@" is that of the window, a level if it is a rolling one."""
        total = 0
        for measure, weight in measures.items():
            level = measure.endswith("@") and window in ROLLING_MS
            track = self.dims(measure + window if measure.endswith("@") else measure).get(dims)
            if track is not None:
                total += weight * (track.until(span[1]) - (0 if level else track.until(span[0])))
        return total

    def percentile(self, measure: str, dims: str, span: Span, percent: int) -> int | None:
        """Nearest rank among the contributions in `span`, each one sample; None if there are none."""
        track = self.dims(measure).get(dims)
        samples = sorted(track.between(span)) if track else []
        return samples[-(-percent * len(samples) // 100) - 1] if samples else None
