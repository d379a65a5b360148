"""Slices, windows and covers: pure arithmetic on UTC milliseconds in one business zone.

::

    a cover of [start, end): 15 min slices to the first local midnight, whole local days, 15 min slices to the end

    start                                                                        end
      |-15m-15m-15m-|------ 1d ------|------ 1d ------|------ 1d ------|-15m-15m-|
                 midnight         midnight         midnight         midnight

Intervals are ``[start, end)``; a slice is named by its start.
"""

from __future__ import annotations

import zoneinfo
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

from schemas.windows import RESOLUTIONS, ROLLING_MS, SLICE_MS, WINDOW_RESOLUTION

FOREVER_MS: Final = 1 << 53
"""Later than any event time."""
LAST_DAY: Final = date(9998, 12, 31)
"""The last day whose periods have an end that Python can name."""
LAST_MS: Final = int(datetime.combine(LAST_DAY, time.min, UTC).timestamp()) * 1000
"""A time that lies in that day, or in the one before it, in every zone."""

_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Span(NamedTuple):
    """An interval ``[start_ms, end_ms)``."""

    start_ms: int
    end_ms: int


class Range(NamedTuple):
    """The slices of one resolution that start in ``[start_ms, end_ms)``."""

    resolution: str
    start_ms: int
    end_ms: int


Cover = tuple[Range, ...]
"""Disjoint ranges of slices that together make up an interval."""


@lru_cache(maxsize=1 << 12)
def iso(ms: int) -> str:
    """Return a time as RFC 3339 in UTC, with milliseconds only where there are any."""
    return fixed_width(ms).replace(".000Z", "Z")


def fixed_width(ms: int) -> str:
    """Return a time as RFC 3339 in UTC, always with milliseconds: such texts sort as their times do."""
    moment = datetime.fromtimestamp(ms // 1000, UTC).replace(microsecond=ms % 1000 * 1000)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Calendar:
    """Days and periods of one business zone.

    Args:
        zone: IANA name. A local day has 23, 24 or 25 hours.
        week_start: Weekday on which a week begins.
    """

    def __init__(self, zone: str = "UTC", week_start: str = "monday") -> None:
        self.zone = zoneinfo.ZoneInfo(zone)
        self._week_start = _WEEKDAYS.index(week_start)
        self._midnights: dict[date, int] = {}
        self._day_of_quarter_hour: dict[int, int] = {}
        self._period_starts: dict[tuple[str, int], int] = {}

    def local(self, ms: int) -> datetime:
        """Return the naive local time of an instant."""
        return datetime.fromtimestamp(ms / 1000, self.zone).replace(tzinfo=None)

    def instant(self, local: datetime) -> int:
        """Return the UTC ms of a naive local time; in a gap or an overlap of summer time the first reading."""
        return round(local.replace(tzinfo=self.zone, fold=0).timestamp() * 1000)

    def midnight(self, day: date) -> int:
        """Return the UTC ms at which a local day begins."""
        found = self._midnights.get(day)
        if found is None:
            found = self._midnights[day] = self.instant(datetime.combine(day, time.min))
        return found

    def day_start(self, ms: int) -> int:
        """Return the start of the local day that holds an instant (zones change offset in steps of 15 min)."""
        quarter = ms - ms % SLICE_MS["15m"]
        found = self._day_of_quarter_hour.get(quarter)
        if found is None:
            if len(self._day_of_quarter_hour) > 200_000:
                self._day_of_quarter_hour.clear()
            found = self._day_of_quarter_hour[quarter] = self.midnight(self.local(quarter).date())
        return found

    def next_day(self, ms: int) -> int:
        """Return the start of the local day after the one that holds an instant."""
        return self.midnight(self.local(self.day_start(ms)).date() + timedelta(days=1))

    def slice_start(self, resolution: str, ms: int) -> int:
        """Return the start of the slice of a resolution that holds an instant; 0 for ``all``."""
        length = SLICE_MS.get(resolution)
        if length is not None:
            return ms - ms % length
        return self.day_start(ms) if resolution == "1d" else 0

    def slice_end(self, resolution: str, start_ms: int) -> int:
        """Return the end of a slice."""
        length = SLICE_MS.get(resolution)
        if length is not None:
            return start_ms + length
        return self.next_day(start_ms) if resolution == "1d" else FOREVER_MS

    def window(self, window: str, now_ms: int) -> Span:
        """Return the interval of a window.

        Args:
            window: One of the eleven names.
            now_ms: End of what counts, exclusive; rounded up to the window's resolution. The period of a to-date window
                is the one that holds the last millisecond before it.

        Returns:
            Its interval; ``all`` starts at 0.
        """
        end = ceil_to(now_ms, SLICE_MS[WINDOW_RESOLUTION[window]])
        if window in ROLLING_MS:
            return Span(end - ROLLING_MS[window], end)
        if window == "all":
            return Span(0, end)
        return Span(self.midnight(self._period(window, self.local(now_ms - 1).date())[0]), end)

    def previous(self, window: str, now_ms: int) -> Span | None:
        """Return the interval to compare a window with; None for ``all``.

        A to-date window is compared with the previous period up to the same local time, at most to that period's end;
        for quarter and year up to the end of that local day.
        """
        span = self.window(window, now_ms)
        if window == "all":
            return None
        if window in ROLLING_MS:
            return Span(span.start_ms - ROLLING_MS[window], span.start_ms)
        first = self._period(window, self.local(now_ms - 1).date())[0]
        previous_first, previous_last = self._period(window, first - timedelta(days=1))
        elapsed = self.local(span.end_ms) - datetime.combine(first, time.min)
        counterpart = datetime.combine(previous_first, time.min) + elapsed
        if window in ("qtd", "ytd") and counterpart.time() != time.min:
            counterpart = datetime.combine(counterpart.date() + timedelta(days=1), time.min)
        end = min(self.instant(counterpart), self.midnight(previous_last + timedelta(days=1)))
        return Span(self.midnight(previous_first), end)

    def period_start(self, window: str, ms: int) -> int:
        """Return the start of the day, week, month, quarter or year (by its to-date window) that holds an instant."""
        day = self.day_start(ms)
        if window == "today":
            return day
        found = self._period_starts.get((window, day))
        if found is None:
            first = self._period(window, self.local(day).date())[0]
            found = self._period_starts[(window, day)] = self.midnight(first)
        return found

    def period(self, window: str, ms: int) -> Span:
        """Return the whole day, week, month, quarter or year (by its to-date window) that holds an instant."""
        first, last = self._period(window, self.local(ms).date())
        return Span(self.midnight(first), self.midnight(last + timedelta(days=1)))

    def cover(self, span: Span, resolution: str) -> Cover:
        """Return the ranges of slices that make up an interval aligned to a resolution.

        Short windows are summed at their own resolution; in longer ones whole local days come from day slices.
        """
        if span.end_ms <= span.start_ms:
            return ()
        if resolution != "15m":
            return (Range(resolution, *span),)
        first = self.day_start(span.start_ms)
        first = first if first == span.start_ms else self.next_day(span.start_ms)
        if first > span.end_ms:
            return (Range("15m", *span),)
        last = self.day_start(span.end_ms)
        ranges = (Range("15m", span.start_ms, first), Range("1d", first, last), Range("15m", last, span.end_ms))
        return tuple(part for part in ranges if part.end_ms > part.start_ms)

    def tail(self, start_ms: int, resolution: str) -> Cover:
        """Return the ranges of slices that make up ``[start_ms, for ever)``, coarser the further away."""
        ranges: list[Range] = []
        at = start_ms
        ladder = RESOLUTIONS[RESOLUTIONS.index(resolution) : RESOLUTIONS.index("1d") + 1]
        for finer, coarser in pairwise(ladder):
            begin = self.slice_start(coarser, at)
            edge = at if begin == at else self.slice_end(coarser, begin)
            if edge > at:
                ranges.append(Range(finer, at, edge))
            at = edge
        return (*ranges, Range("1d", at, FOREVER_MS))

    def _period(self, window: str, day: date) -> tuple[date, date]:
        """First and last day of the period of a to-date window that holds a day."""
        if window == "today":
            return day, day
        if window == "wtd":
            first = day - timedelta(days=(day.weekday() - self._week_start) % 7)
            return first, first + timedelta(days=6)
        months = {"mtd": 1, "qtd": 3, "ytd": 12}[window]
        first_month = (day.month - 1) // months * months + 1
        following = date(day.year + (first_month + months > 12), (first_month + months - 1) % 12 + 1, 1)
        return date(day.year, first_month, 1), following - timedelta(days=1)


def ceil_to(ms: int, length_ms: int) -> int:
    """Round an instant up to a multiple of a length."""
    return -(-ms // length_ms) * length_ms


def difference(new: Cover, old: Cover) -> list[Range]:
    """Return the ranges of slices that are in ``new`` and not in ``old``."""
    left: list[Range] = []
    for resolution, start, end in new:
        pieces = [(start, end)]
        for _, low, high in (part for part in old if part.resolution == resolution):
            pieces = [
                piece
                for begin, stop in pieces
                for piece in ((begin, min(stop, low)), (max(begin, high), stop))
                if piece[1] > piece[0]
            ]
        left += (Range(resolution, begin, stop) for begin, stop in pieces)
    return left
