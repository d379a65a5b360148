"""An owner's series on their way to the present: each is brought there before it is valued."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from schemas.windows import HOUR_MS, WINDOWS
from streams.rollup.series import Series
from streams.rollup.timeline import Timeline
from streams.rollup.valuation import CLASSES, Valuation
from streams.rollup.worklist import EVERY_WINDOW, Worklist
from streams.time import ceil_to

_ALL_TIME: Final = WINDOWS.index("all")


class Windows:
    """Brings series of an owner to the present, and puts on the worklist what is to be computed for that.

    Args:
        series: The series by dimension key; new ones are added.
        timeline: The windows at present.
        worklist: Gets what changed.
        valuation: Knows which measures matter beyond their own window.
    """

    def __init__(self, series: dict[str, Series], timeline: Timeline, worklist: Worklist, valuation: Valuation) -> None:
        self._series = series
        self._timeline = timeline
        self._worklist = worklist
        self._valuation = valuation
        self._changed: dict[str, None] = {}
        self._tidied_ms = 0
        self._untidy: list[Series] = []

    def series_of(self, dims: str) -> Series:
        """Return the series of a dimension key, a new one if need be."""
        series = self._series.get(dims)
        if series is None:
            series = self._series[dims] = Series(dims)
            self._worklist.move(dims, EVERY_WINDOW)
            if not dims:
                self._worklist.move(CLASSES, EVERY_WINDOW)
        return series

    def note(self, dims: str) -> None:
        """Take note that a series changed."""
        self._changed[dims] = None
        self._worklist.touch(dims)

    def settle(self, dims: str) -> None:
        """Bring a series to the present: once, before it is valued, however often it changed and time moved on."""
        dims = "" if dims == CLASSES else dims
        if dims in self._changed:
            del self._changed[dims]
            self._list(dims, self._series[dims].bring_to(self._timeline.moment))

    def at_present(self, dims: str) -> Series | None:
        """Return a series brought to the present; None where nothing was counted yet."""
        self.settle(dims)
        return self._series.get(dims)

    def advance(self, now_ms: int) -> None:
        """Let time move on."""
        moved = self._timeline.advance(now_ms)
        if not moved:
            return
        self._changed = dict.fromkeys(self._series)
        for dims, series in self._series.items():
            self._worklist.move(dims, moved)
            if series.grouping in self._valuation.of_the_present:
                for window in EVERY_WINDOW:
                    self._worklist.change(dims, window, ("now_s",))
        if "" in self._series:
            self._worklist.move(CLASSES, moved)

    def tidy(self) -> int | None:
        """Let series forget slices that no window reaches any more: each of them once an hour of event time.

        Returns:
            The end of the windows; None when they did not move since the last time.
        """
        end_ms = self._timeline.end_ms
        if end_ms is None or end_ms <= self._tidied_ms:
            return None
        passed_ms = min(HOUR_MS, end_ms - self._tidied_ms)
        self._tidied_ms = end_ms
        for _ in range(ceil_to(len(self._series) * passed_ms, HOUR_MS) // HOUR_MS):
            if not self._untidy:
                self._untidy = list(self._series.values())
            self._untidy.pop().tidy()
        return end_ms

    def _list(self, dims: str, changed: Mapping[int, set[str]]) -> None:
        """Put on the worklist what changed of a series: measures by window."""
        for window, measures in changed.items():
            self._note_changed(dims, window, measures)
            if window == _ALL_TIME:
                # What stands at a window's end is a total: a change from before all windows changes it as well.
                of_totals = measures & self._valuation.of_totals
                for each in EVERY_WINDOW:
                    self._note_changed(dims, each, of_totals)

    def _note_changed(self, dims: str, window: int, names: set[str]) -> None:
        if names:
            self._worklist.change(dims, window, names)
        if not dims and not names.isdisjoint(self._valuation.of_classes):
            self._worklist.change(CLASSES, window, names)
