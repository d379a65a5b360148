"""Working time: how much of a period's has passed, for the pace of goals.

::

    whole days          |--Fri--|  Sat  |  Sun  |--Mon--|--Tue now     2 of a week's 5: days count when they are over
    from 09:00 to 17:00 |  ===  |       |       |  ===  |  ==now       2 days and a part, in seconds
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from itertools import accumulate
from typing import Final, NamedTuple

from schemas.sections import Settings
from schemas.working_time import MINUTES_OF_DAY, holidays_in, parse_hours
from streams.time import Calendar, Span

_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MOST_PERIODS: Final = 200


class _Shifts(NamedTuple):
    """The stretches of a period that are worked, in order; ``before`` is the working time before each, and in all."""

    starts_ms: Sequence[int]
    ends_ms: Sequence[int]
    before: Sequence[int]


def _no_holiday(_day: date) -> bool:
    return False


class WorkTime:
    """Working days of the business zone, whole or from one time of the day to another.

    Args:
        calendar: Days of the business zone.
        working_days: Names of the weekdays that are worked.
        hours: Begin and end of work in minutes of the local day; None: days are worked as a whole.
        is_holiday: Whether nobody works on a local day, whatever its weekday.
    """

    def __init__(
        self,
        calendar: Calendar,
        working_days: Sequence[str] = _WEEKDAYS[:5],
        hours: tuple[int, int] | None = None,
        is_holiday: Callable[[date], bool] = _no_holiday,
    ) -> None:
        self._calendar = calendar
        self._working = frozenset(_WEEKDAYS.index(day) for day in working_days)
        self._hours = hours
        self._is_holiday = is_holiday
        self._shifts: dict[Span, _Shifts] = {}

    def elapsed(self, period: Span, end_ms: int) -> tuple[int, int]:
        """Return the working time of a period that has passed by an instant, and all of it.

        In days where days are worked as a whole, and then only those count that have ended; else in seconds, of which
        a day has more or less when clocks are changed during work.

        Args:
            period: From a local midnight to another.
            end_ms: UTC milliseconds.
        """
        starts_ms, ends_ms, before = self._shifts_of(period)
        over = bisect_right(ends_ms, end_ms)
        passed = before[over]
        if self._hours is not None and over < len(starts_ms):
            passed += max(0, end_ms - starts_ms[over]) // 1000
        return passed, before[-1]

    def _shifts_of(self, period: Span) -> _Shifts:
        found = self._shifts.get(period)
        if found is None:
            if len(self._shifts) >= _MOST_PERIODS:
                self._shifts.clear()
            spans = [span for span in map(self._shift, self._days(period)) if span.end_ms > span.start_ms]
            lengths = [1 if self._hours is None else (span.end_ms - span.start_ms) // 1000 for span in spans]
            starts_ms, ends_ms = [span.start_ms for span in spans], [span.end_ms for span in spans]
            found = self._shifts[period] = _Shifts(starts_ms, ends_ms, [0, *accumulate(lengths)])
        return found

    def _days(self, period: Span) -> Iterator[date]:
        """The local days of a period that are worked."""
        day, end = self._calendar.local(period.start_ms).date(), self._calendar.local(period.end_ms - 1).date()
        while day <= end:
            if day.weekday() in self._working and not self._is_holiday(day):
                yield day
            day += timedelta(days=1)

    def _shift(self, day: date) -> Span:
        if self._hours is None:
            return Span(self._calendar.midnight(day), self._calendar.midnight(day + timedelta(days=1)))
        return Span(*(self._instant(day, minutes) for minutes in self._hours))

    def _instant(self, day: date, minutes: int) -> int:
        """An instant of a local day; in a gap or an overlap of summer time the first reading."""
        if minutes == MINUTES_OF_DAY:
            return self._calendar.midnight(day + timedelta(days=1))
        return self._calendar.instant(datetime.combine(day, time(*divmod(minutes, 60))))


def work_time(settings: Settings, calendar: Calendar) -> WorkTime:
    """Return working time as set."""
    kpi = settings.kpi
    own = frozenset(kpi.extra_holidays)

    def is_holiday(day: date) -> bool:
        return day in own or day in holidays_in(kpi.holidays, day.year)

    return WorkTime(calendar, kpi.working_days, parse_hours(kpi.working_hours), is_holiday)
