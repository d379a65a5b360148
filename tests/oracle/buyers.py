"""When a customer starts and ends to be a buyer, and a repeated buyer, of each window (kpis.md, 28).

Rolling windows are levels: +1 in the slice of the purchase, -1 a window's length after the slice of the last one, so
that the sum of all slices before a window's end is the number of buyers in it::

    purchases        x     x                 x
    stays            |-----+--W---|          |--------W---|
    level            0  1  1  1  1  0  0  0  0  1  1  1  1  0

To-date windows, and `all`, are flows: the first (second) purchase of a period.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

from tests.oracle.periods import (
    RESOLUTION_OF_WINDOW,
    ROLLING_MS,
    SLICE_MS,
    TO_DATE,
    period_start,
    slice_start_ms,
    to_local,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tests.oracle.settings import OracleSettings

Step = tuple[str, int, int]


def buyer_steps(purchases: list[int], settings: OracleSettings) -> Iterator[Step]:
    """(measure, at_ms, delta) of one customer's purchases in one series, which are in order of time."""
    for window, length_ms in ROLLING_MS.items():
        yield from _levels(window, length_ms, purchases)
    for window in (*TO_DATE, "all"):
        yield from _flows(window, purchases, settings)


def _levels(window: str, length_ms: int, purchases: list[int]) -> Iterator[Step]:
    step_ms = SLICE_MS[RESOLUTION_OF_WINDOW[window]]
    slices = [at_ms - at_ms % step_ms for at_ms in purchases]
    stays = [(start, start + length_ms) for start in slices]
    # Two purchases are in the window from the slice of the later one until the earlier one leaves it.
    pairs = [(later, earlier + length_ms) for earlier, later in pairwise(slices)]
    for measure, intervals in (("buyers", stays), ("repeat_buyers", pairs)):
        for start, end in union(intervals):
            yield f"{measure}@{window}", start, 1
            yield f"{measure}@{window}", end, -1


def union(intervals: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Intervals `[start, end)`, in order of start, with the overlapping ones joined and the empty ones left out."""
    joined: list[tuple[int, int]] = []
    for start, end in intervals:
        if start >= end:
            continue
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _flows(window: str, purchases: list[int], settings: OracleSettings) -> Iterator[Step]:
    bought: Counter[datetime | None] = Counter()
    for at_ms in purchases:
        period = None if window == "all" else _period(window, at_ms, settings)
        bought[period] += 1
        if bought[period] == 1:
            yield f"buyers@{window}", at_ms, 1
        elif bought[period] == 2:
            yield f"repeat_buyers@{window}", at_ms, 1


def _period(window: str, at_ms: int, settings: OracleSettings) -> datetime:
    day_ms = slice_start_ms("1d", at_ms, settings.zone)
    return period_start(window, to_local(day_ms, settings.zone), settings.week_start)
