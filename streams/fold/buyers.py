"""Buyers of every window: what a purchase adds to them.

A buyer of a rolling window is a level: in at the purchase's slice, out a window's length later; buying again moves the
exit. Of a to-date window it is a flow: the first (second) purchase of the period.
"""

from __future__ import annotations

from typing import Final

from schemas.windows import ROLLING_MS, SLICE_MS, TO_DATE, WINDOW_RESOLUTION
from streams.counting import CountingPlan
from streams.time import Calendar

_TEN_SECONDS: Final = SLICE_MS["10s"]

Moves = dict[int, dict[str, int]]
"""Start of the 10 s slice -> measure -> what is added."""


class Buyers:
    """Which windows count buyers, and those that bought again.

    Args:
        plan: Which measures there are.
        calendar: Days and periods of the business zone.
    """

    def __init__(self, plan: CountingPlan, calendar: Calendar) -> None:
        self._calendar = calendar
        once, again = _measures(plan, "buyer"), _measures(plan, "repeat_buyer")
        self._rolling = [(SLICE_MS[WINDOW_RESOLUTION[w]], ROLLING_MS[w], m) for w, m in once if w in ROLLING_MS]
        self._to_date = [(w, m) for w, m in once if w not in ROLLING_MS]
        self._again_rolling = [(SLICE_MS[WINDOW_RESOLUTION[w]], ROLLING_MS[w], m) for w, m in again if w in ROLLING_MS]
        self._again_to_date = [(w, m) for w, m in again if w not in ROLLING_MS]

    def moves(self, at_ms: int, last_ms: int | None, before_ms: int | None) -> Moves:
        """Return what a purchase adds, under a key that it was made under.

        Args:
            at_ms: Event time of the purchase.
            last_ms: Event time of the account's purchase before it under the same key.
            before_ms: And of the one before that.
        """
        moves: Moves = {}
        for slice_ms, length_ms, measure in self._rolling:
            start = at_ms - at_ms % slice_ms
            out = last_ms - last_ms % slice_ms + length_ms if last_ms is not None else None
            _stay(moves, measure, start, start + length_ms, out)
        for window, measure in self._to_date:
            if self._is_first(window, at_ms, last_ms):
                _add(moves, at_ms, measure, 1)
        if last_ms is not None:
            self._again(moves, at_ms, last_ms, before_ms)
        return moves

    def _again(self, moves: Moves, at_ms: int, last_ms: int, before_ms: int | None) -> None:
        for slice_ms, length_ms, measure in self._again_rolling:
            start, last = at_ms - at_ms % slice_ms, last_ms - last_ms % slice_ms
            if last + length_ms > start:
                before = before_ms - before_ms % slice_ms if before_ms is not None else None
                out = before + length_ms if before is not None and before + length_ms > last else None
                _stay(moves, measure, start, last + length_ms, out)
        for window, measure in self._again_to_date:
            if not self._is_first(window, at_ms, last_ms) and self._is_first(window, at_ms, before_ms):
                _add(moves, at_ms, measure, 1)

    def _is_first(self, window: str, at_ms: int, earlier_ms: int | None) -> bool:
        if earlier_ms is None:
            return True
        if window == "all":
            return False
        return self._calendar.period_start(window, earlier_ms) != self._calendar.period_start(window, at_ms)


def _stay(moves: Moves, measure: str, start_ms: int, end_ms: int, running_end_ms: int | None) -> None:
    """Add a stay in a level; a stay that is still running at its start is made longer instead."""
    if running_end_ms is not None and running_end_ms >= start_ms:
        _add(moves, running_end_ms, measure, 1)
    else:
        _add(moves, start_ms, measure, 1)
    _add(moves, end_ms, measure, -1)


def _add(moves: Moves, at_ms: int, measure: str, delta: int) -> None:
    sums = moves.setdefault(at_ms - at_ms % _TEN_SECONDS, {})
    sums[measure] = sums.get(measure, 0) + delta


def _measures(plan: CountingPlan, fact: str) -> list[tuple[str, str]]:
    """Windows, and what their measure of a fact is stored as."""
    return [
        (window, f"{measure.name}@{window}")
        for measure in plan.measures.values()
        if measure.fact == fact and plan.groupings[measure.name]
        for window in (*ROLLING_MS, *TO_DATE, "all")
    ]
