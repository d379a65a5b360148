"""How a number spreads over its window: a readable number of slices that add up to it.

::

    5m by the minute, 1h by five, 24h and today by the hour, 7d to mtd by the day, qtd by the week, ytd by the month;
    all: by the coarsest of day, month, quarter and year that gives at most two dozen, and what was before day cells

Rolling windows begin within a slice, which is then cut; so is the last one, at the window's end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Final, NamedTuple

from schemas.windows import HOUR_MS, MINUTE_MS, WINDOW_RESOLUTION
from streams.explain.anatomy import Intervals, Reading, stored_in
from streams.rollup.series import Series
from streams.time import Calendar, Span

_STEPS: Final[dict[str, str]] = {
    "5m": "minute",
    "1h": "5 minutes",
    **dict.fromkeys(("24h", "today"), "hour"),
    **dict.fromkeys(("7d", "30d", "wtd", "mtd"), "day"),
    "qtd": "week",
    "ytd": "month",
}
_LENGTH_MS: Final[dict[str, int]] = {"minute": MINUTE_MS, "5 minutes": 5 * MINUTE_MS, "hour": HOUR_MS}
_PERIODS: Final[dict[str, str]] = {"day": "today", "week": "wtd", "month": "mtd", "quarter": "qtd", "year": "ytd"}
_MOST: Final = 24

Sums = dict[str, int]


class Slice(NamedTuple):
    """Some of a window: sums by label; of levels by how much they changed. ``span`` starts at 0 for all before."""

    span: Span
    sums: Sums


class Spread(NamedTuple):
    """A window slice by slice.

    Args:
        step: How long a slice is, in words.
        slices: Oldest first.
        starts: What levels were at the start of the first slice, by label.
    """

    step: str
    slices: tuple[Slice, ...]
    starts: Mapping[str, int]


def sum_of_span(series: Series, calendar: Calendar, span: Span, resolution: str) -> Sums:
    """Add up the cells of an interval aligned to a resolution, by stored measure."""
    sums: Sums = {}
    for part in calendar.cover(span, resolution):
        _add(sums, series.sum_between(part.start_ms, part.end_ms, part.resolution))
    return sums


def sum_until(series: Series, calendar: Calendar, end_ms: int, resolution: str) -> Sums:
    """Return everything until a time aligned to a resolution: the whole less what comes later."""
    sums = dict(series.total)
    for part in calendar.tail(end_ms, resolution):
        later = series.sum_between(part.start_ms, part.end_ms, part.resolution)
        _add(sums, {name: -value for name, value in later.items()})
    return sums


def read(series: Series, calendar: Calendar, readings: Mapping[str, Reading], window: str) -> Sums:
    """Return what readings come to in the cells of a series, by label; 0 included."""
    resolution = WINDOW_RESOLUTION[window]
    found: Sums = dict.fromkeys(readings, 0)
    by_span: dict[Span, list[Reading]] = {}
    for reading in readings.values():
        by_span.setdefault(reading.span, []).append(reading)
    for span, those in by_span.items():
        if span.start_ms < 0:
            sums = sum_until(series, calendar, span.end_ms, resolution) if span.end_ms > 0 else {}
        else:
            sums = sum_of_span(series, calendar, span, resolution)
        found.update(stored_in(those, sums))
    return found


def spread(series: Series, calendar: Calendar, readings: Mapping[str, Reading], intervals: Intervals) -> Spread:
    """Cut a window into slices; readings of other intervals than the window's are left out.

    Returns:
        Slices whose sums add up to the readings; to those of levels together with what they were at the start.
    """
    window, span, _, _ = intervals
    resolution = WINDOW_RESOLUTION[window]
    shown = {label: found for label, found in readings.items() if found.span.end_ms == span.end_ms}
    step, cuts = _cuts(series, calendar, intervals)
    slices = []
    for start_ms, end_ms in pairwise(cuts):
        sums = sum_of_span(series, calendar, Span(start_ms, end_ms), resolution)
        slices.append(Slice(Span(start_ms, end_ms), stored_in(tuple(shown.values()), sums)))
    levels = tuple(reading for reading in shown.values() if reading.level)
    starts = stored_in(levels, sum_until(series, calendar, cuts[0], resolution)) if levels else {}
    if window == "all" and starts:
        # Older than day cells are kept; it is as much of the number as any slice.
        slices.insert(0, Slice(Span(0, cuts[0]), starts))
        starts = {}
    return Spread(step, tuple(slices), {label: starts.get(label, 0) for label in (r.label for r in levels) if starts})


def _cuts(series: Series, calendar: Calendar, intervals: Intervals) -> tuple[str, list[int]]:
    """Return the step in words, and where slices begin; the last is the window's end."""
    window, span, _, _ = intervals
    step = _STEPS.get(window)
    if step is not None:
        return step, _bounds(calendar, span, step)
    kept = [start for start in series.days if start < span.end_ms]
    whole = Span(calendar.day_start(min(kept)) if kept else calendar.day_start(span.end_ms - 1), span.end_ms)
    for step in ("day", "month", "quarter"):
        cuts = _bounds(calendar, whole, step)
        if len(cuts) <= _MOST + 1:
            return step, cuts
    return "year", _bounds(calendar, whole, "year")


def _bounds(calendar: Calendar, span: Span, step: str) -> list[int]:
    return [span.start_ms, *_between(calendar, span, step), span.end_ms]


def _between(calendar: Calendar, span: Span, step: str) -> Iterator[int]:
    length = _LENGTH_MS.get(step)
    if length is not None:
        # Local hours are whole ones of UTC but for a few zones; theirs are cut where the clock shows :00.
        shift = calendar.local(span.start_ms).minute * MINUTE_MS - span.start_ms % HOUR_MS // MINUTE_MS * MINUTE_MS
        at = span.start_ms - (span.start_ms + shift) % length
    else:
        at = calendar.period(_PERIODS[step], span.start_ms).start_ms
    while True:
        at = at + length if length is not None else calendar.period(_PERIODS[step], at).end_ms
        if at >= span.end_ms:
            return
        yield at


def _add(sums: Sums, more: Mapping[str, int]) -> None:
    for name, value in more.items():
        sums[name] = sums.get(name, 0) + value
