"""When a sales floor is busy: by hour, weekday and season, in the business time zone."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

HOUR_LENGTH_MS = 3_600_000

_HOURS = (
    0.06, 0.04, 0.03, 0.03, 0.04, 0.08, 0.22, 0.55, 1.20, 2.00, 2.35, 2.30,
    1.55, 1.90, 2.25, 2.20, 2.00, 1.50, 0.95, 0.75, 0.65, 0.50, 0.30, 0.15,
)  # fmt: skip
_WEEKDAYS = (1.18, 1.26, 1.24, 1.20, 1.02, 0.62, 0.48)
_MONTHS = (0.90, 0.95, 1.06, 1.02, 1.03, 1.02, 0.84, 0.78, 1.06, 1.10, 1.16, 1.08)

# Sum to the mean, so that a week (and a year of months) averages 1 whatever the figures above are.
_HOUR_MEAN = sum(_HOURS) / len(_HOURS)
_WEEKDAY_MEAN = sum(_WEEKDAYS) / len(_WEEKDAYS)
_MONTH_MEAN = sum(_MONTHS) / len(_MONTHS)


class Stretch(NamedTuple):
    """A stretch of time `[start_ms, end_ms)` and how busy it is; 1 is the average of a year."""

    start_ms: int
    end_ms: int
    busyness: float


def stretches(zone: str, start_ms: int, end_ms: int | None) -> Iterator[Stretch]:
    """The hours from start to end (None: for ever), each as busy as the hour is in `zone`."""
    clock = ZoneInfo(zone)
    at_ms = start_ms
    while end_ms is None or at_ms < end_ms:
        next_ms = (at_ms // HOUR_LENGTH_MS + 1) * HOUR_LENGTH_MS
        if end_ms is not None and next_ms > end_ms:
            next_ms = end_ms
        local = datetime.fromtimestamp(at_ms / 1000, clock)
        yield Stretch(at_ms, next_ms, busyness(local))
        at_ms = next_ms


def busyness(local: datetime) -> float:
    """How busy the hour of a local time is."""
    season = _season(local) / _MONTH_MEAN
    return season * _WEEKDAYS[local.weekday()] / _WEEKDAY_MEAN * _HOURS[local.hour] / _HOUR_MEAN


def _season(local: datetime) -> float:
    """The month's figure in its middle, and between two middles what lies between their figures."""
    position = local.month - 1 + (local.day - 1) / 31 - 0.5
    before = int(position // 1)
    share = position - before
    return _MONTHS[before % 12] * (1 - share) + _MONTHS[(before + 1) % 12] * share
