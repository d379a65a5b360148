"""History: what a series was in each hour and each day, for trends and the heat of the week.

A point is about one slice of local time and not about a window: the revenue of the hour from 14:00 to 15:00, the win
rate of the 3rd of March. The open slice has a point as well, which changes until the slice is over; a late event
changes the point of an old one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final, Literal

import msgspec

from schemas.windows import DAY_MS, HOUR_MS
from streams.time import Calendar, Span

HistoryStep = Literal["1h", "1d"]

HISTORY_DAYS: Final[dict[HistoryStep, int]] = {"1h": 8, "1d": 35}
"""Local days of which points are kept, the running one among them."""


class HistoryPoint(msgspec.Struct, frozen=True, gc=False):
    """What a series was in one slice.

    Args:
        kpi: Name of the KPI.
        dims: Dimension part of the series key; empty for the global series.
        step: Length of the slice: an hour or a local day.
        start_ms: Its start, UTC milliseconds; one of :func:`slices`.
        value: As of a KPI value: money in major units, None when unknown.
        numerator: As of a KPI value.
        denominator: As of a KPI value.
    """

    kpi: str
    dims: str
    step: HistoryStep
    start_ms: int
    value: float | int | None
    numerator: int | None
    denominator: int | None


class History(msgspec.Struct, frozen=True):
    """Everything that one owner of series has to say of their history at one moment.

    Args:
        owner: As of a :class:`streams.publication.Publication`.
        position: As of a publication; what is older than the owner's last publication is dropped.
        clock_ms: As of a publication; it decides which points are too old to keep.
        points: What changed, or everything that :func:`slices` names, when ``complete``.
        complete: Whether ``points`` is all there is (after a start, and to drop what is no more).
    """

    owner: int
    position: int
    clock_ms: int
    points: Sequence[HistoryPoint]
    complete: bool = False


def slices(step: HistoryStep, clock_ms: int, calendar: Calendar) -> list[Span]:
    """Return the slices that have a point, oldest first; the last one is open, it holds the clock.

    Hours are counted from local midnight, so a day of 23 or 25 hours has as many of them, and in a zone that is half an
    hour off they begin at the half hours of UTC.

    Args:
        step: An hour or a day.
        clock_ms: End of what counts, exclusive; UTC milliseconds.
        calendar: Of the business zone.
    """
    last = calendar.local(clock_ms - 1).date()
    days = [last - timedelta(days=back) for back in range(HISTORY_DAYS[step] - 1, -1, -1)]
    if step == "1d":
        return [_day(day, calendar) for day in days]
    hours = (hour for day in days for hour in _hours(_day(day, calendar)))
    return [hour for hour in hours if hour.start_ms < clock_ms]


def oldest_ms(step: HistoryStep, clock_ms: int) -> int:
    """Return the earliest start that any of :func:`slices` can have: a local day may last 25 hours."""
    return clock_ms - HISTORY_DAYS[step] * DAY_MS - HOUR_MS


def _day(day: date, calendar: Calendar) -> Span:
    return Span(calendar.midnight(day), calendar.midnight(day + timedelta(days=1)))


def _hours(day: Span) -> list[Span]:
    starts = range(day.start_ms, day.end_ms, HOUR_MS)
    return [Span(start_ms, min(start_ms + HOUR_MS, day.end_ms)) for start_ms in starts]
