"""Contributions in order of time, so that a window's sum is the difference of two running sums.

Formulas name measures by terms: "calls" is what was added within the window, "buyers@" is the window's own measure
(for a rolling window a level, taken at its end), "customers>" is all that was added before the window's end, and
"<customers" before its start.
"""

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


class Track:
    """One measure of one series: times, deltas and the sums before each of them."""

    def __init__(self, steps: list[tuple[int, int]]) -> None:
        """Sort (event time, delta) by time."""
        steps.sort()
        self.times = [at_ms for at_ms, _ in steps]
        self.deltas = [delta for _, delta in steps]
        self._before = [0, *accumulate(self.deltas)]

    def until(self, end_ms: int) -> int:
        """Everything before an instant."""
        return self._before[bisect_left(self.times, end_ms)]

    def places(self, span: Span) -> slice:
        """Where the steps of a span are."""
        return slice(bisect_left(self.times, span[0]), bisect_left(self.times, span[1]))


NOTHING = Track([])


class Tracks:
    """All measures of all series."""

    def __init__(self, found: Iterable[Contribution]) -> None:
        """Sort the contributions by measure, series and time."""
        steps: dict[str, dict[str, list[tuple[int, int]]]] = defaultdict(lambda: defaultdict(list))
        for measure, dims, at_ms, delta in found:
            steps[measure][dims].append((at_ms, delta))
        self._tracks = {
            measure: {dims: Track(series) for dims, series in by_dims.items()} for measure, by_dims in steps.items()
        }

    def dims(self, term: str, window: str) -> Mapping[str, Track]:
        """The series in which a term's measure was ever counted, by their dims."""
        measure = term.strip("<>")
        return self._tracks.get(measure + window if measure.endswith("@") else measure, {})

    def get(self, measure: str, dims: str) -> Track:
        """One measure of one series."""
        return self._tracks.get(measure, {}).get(dims, NOTHING)

    def sum(self, terms: Mapping[str, int], dims: str, window: str, span: Span) -> int:
        """Weighted sum of terms over a span."""
        return sum(weight * self._term(term, dims, window, span) for term, weight in terms.items())

    def _term(self, term: str, dims: str, window: str, span: Span) -> int:
        track = self.dims(term, window).get(dims, NOTHING)
        if term.startswith("<"):
            return track.until(span[0])
        if term.endswith(">") or (term.endswith("@") and window in ROLLING_MS):
            return track.until(span[1])
        return track.until(span[1]) - track.until(span[0])

    def percentile(self, measure: str, dims: str, span: Span, percent: int) -> int | None:
        """Nearest rank among the contributions in a span, each one sample; None if there are none."""
        track = self.get(measure, dims)
        samples = sorted(track.deltas[track.places(span)])
        return samples[-(-percent * len(samples) // 100) - 1] if samples else None
