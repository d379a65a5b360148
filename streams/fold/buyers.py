"""Buyers of every window: what a purchase adds to them.

A buyer of a rolling window is a level: in at the purchase's slice, out a window's length later; buying again moves the
exit. Of a to-date window it is a flow: the first (second) purchase of the period.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from schemas.windows import RESOLUTIONS, ROLLING_MS, SLICE_MS, WINDOW_RESOLUTION, WINDOWS
from streams.counting import CountingPlan
from streams.time import Calendar

_TEN_SECONDS: Final = SLICE_MS["10s"]

Moves = dict[tuple[int, int], dict[str, int]]
"""Index of the finest resolution that has cells of it, start of the 10 s slice -> measure -> what is added."""


class _Counted(NamedTuple):
    """A measure of one window; ``length_ms`` is None where the window is no rolling one."""

    measure: str
    window: str
    finest: int
    slice_ms: int
    length_ms: int | None


class Buyers:
    """Which windows count buyers, and those that bought again.

    Args:
        plan: Which measures there are.
        calendar: Days and periods of the business zone.
    """

    def __init__(self, plan: CountingPlan, calendar: Calendar) -> None:
        self._calendar = calendar
        self._buyer = _counted(plan, "buyer")
        self._repeat_buyer = _counted(plan, "repeat_buyer")

    def moves(self, at_ms: int, last_ms: int | None, before_ms: int | None) -> Moves:
        """Return what a purchase adds, under a key that it was made under.

        Args:
            at_ms: Event time of the purchase.
            last_ms: Event time of the account's purchase before it under the same key.
            before_ms: And of the one before that.
        """
        moves: Moves = {}
        for it in self._buyer:
            if it.length_ms is not None:
                start = at_ms - at_ms % it.slice_ms
                out = last_ms - last_ms % it.slice_ms + it.length_ms if last_ms is not None else None
                _stay(moves, it, start, start + it.length_ms, out)
            elif self._is_first(it.window, at_ms, last_ms):
                _add(moves, it, at_ms, 1)
        if last_ms is not None:
            self._again(moves, at_ms, last_ms, before_ms)
        return moves

    def _again(self, moves: Moves, at_ms: int, last_ms: int, before_ms: int | None) -> None:
        for it in self._repeat_buyer:
            if it.length_ms is not None:
                start, last = at_ms - at_ms % it.slice_ms, last_ms - last_ms % it.slice_ms
                if last + it.length_ms > start:
                    before = before_ms - before_ms % it.slice_ms if before_ms is not None else None
                    out = before + it.length_ms if before is not None and before + it.length_ms > last else None
                    _stay(moves, it, start, last + it.length_ms, out)
            elif not self._is_first(it.window, at_ms, last_ms) and self._is_first(it.window, at_ms, before_ms):
                _add(moves, it, at_ms, 1)

    def _is_first(self, window: str, at_ms: int, earlier_ms: int | None) -> bool:
        if earlier_ms is None:
            return True
        if window == "all":
            return False
        return self._calendar.period_start(window, earlier_ms) != self._calendar.period_start(window, at_ms)


def _stay(moves: Moves, it: _Counted, start_ms: int, end_ms: int, running_end_ms: int | None) -> None:
    """Add a stay in a level; a stay that is still running at its start is made longer instead."""
    if running_end_ms is not None and running_end_ms >= start_ms:
        _add(moves, it, running_end_ms, 1)
    else:
        _add(moves, it, start_ms, 1)
    _add(moves, it, end_ms, -1)


def _add(moves: Moves, it: _Counted, at_ms: int, delta: int) -> None:
    sums = moves.setdefault((it.finest, at_ms - at_ms % _TEN_SECONDS), {})
    sums[it.measure] = sums.get(it.measure, 0) + delta


def _counted(plan: CountingPlan, fact: str) -> list[_Counted]:
    return [
        _Counted(
            f"{measure.name}@{window}",
            window,
            RESOLUTIONS.index(WINDOW_RESOLUTION[window]),
            SLICE_MS[WINDOW_RESOLUTION[window]],
            ROLLING_MS.get(window),
        )
        for measure in plan.measures.values()
        if measure.fact == fact and plan.groupings[measure.name]
        for window in WINDOWS
    ]
