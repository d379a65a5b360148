"""Working time: how much of a period's has passed, for the pace of goals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from schemas.sections import Settings
from streams.time import Calendar, Span

_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class WorkTime:
    """Whole local working days.

    Args:
        calendar: Days of the business zone.
        working_days: Names of the weekdays that are worked.
    """

    def __init__(self, calendar: Calendar, working_days: Sequence[str] = _WEEKDAYS[:5]) -> None:
        self._calendar = calendar
        self._working = frozenset(_WEEKDAYS.index(day) for day in working_days)

    def elapsed(self, period: Span, end_ms: int) -> tuple[int, int]:
        """Return the working days of a period that have ended by an instant, and all of them."""
        elapsed = whole = 0
        day_ms = period.start_ms
        while day_ms < period.end_ms:
            next_ms = self._calendar.next_day(day_ms)
            if self._calendar.local(day_ms).weekday() in self._working:
                whole += 1
                elapsed += next_ms <= end_ms
            day_ms = next_ms
        return elapsed, whole


def work_time(settings: Settings, calendar: Calendar) -> WorkTime:
    """Return working time as set."""
    return WorkTime(calendar, settings.kpi.working_days)
