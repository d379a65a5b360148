"""Windows, their previous windows, and slices: local time by the business zone, all else UTC milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from tests.oracle.settings import DAY_MS, HOUR_MS, MINUTE_MS, OracleSettings

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
SLICE_MS = {"10s": 10_000, "1m": MINUTE_MS, "15m": 15 * MINUTE_MS}
RESOLUTIONS = ("10s", "1m", "15m", "1d", "all")
ROLLING_MS = {"5m": 5 * MINUTE_MS, "1h": HOUR_MS, "24h": DAY_MS, "7d": 7 * DAY_MS, "30d": 30 * DAY_MS}
TO_DATE = ("today", "wtd", "mtd", "qtd", "ytd")
WINDOWS = (*ROLLING_MS, *TO_DATE, "all")
RESOLUTION_OF_WINDOW = dict.fromkeys(WINDOWS, "15m") | {"5m": "10s", "1h": "10s", "24h": "1m"}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


@dataclass(frozen=True)
class Window:
    """`[start_ms, end_ms)` and the window it is compared with; `all` has none."""

    name: str
    start_ms: int
    end_ms: int
    previous_start_ms: int | None
    previous_end_ms: int | None


def to_local(at_ms: int, zone: str) -> datetime:
    """The wall clock's reading in a zone, without its offset."""
    return (_EPOCH + at_ms * _MS).astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)


def to_ms(local: datetime, zone: str) -> int:
    """The instant of a wall clock's reading; where there are two, or none (a gap), the first reading."""
    return (local.replace(tzinfo=ZoneInfo(zone), fold=0) - _EPOCH) // _MS


def midnight(local: datetime) -> datetime:
    """Start of the local day."""
    return local.replace(hour=0, minute=0, second=0, microsecond=0)


def period_start(window: str, local: datetime, week_start: str) -> datetime:
    """Start of the day, week, month, quarter or year (by the window's name) in which a local time lies."""
    day = midnight(local)
    if window == "today":
        return day
    if window == "wtd":
        return day - timedelta(days=(day.weekday() - WEEKDAYS.index(week_start)) % 7)
    first_month = {"mtd": day.month, "qtd": day.month - (day.month - 1) % 3, "ytd": 1}[window]
    return day.replace(month=first_month, day=1)


def slice_start_ms(resolution: str, at_ms: int, zone: str) -> int:
    """Start of the slice in which an instant lies; the one slice of `all` starts at 0."""
    if resolution == "all":
        return 0
    if resolution == "1d":
        # Offsets have been multiples of 15 minutes since 1973, so that a slice of 15 minutes lies in one day.
        return _day_start_ms(at_ms - at_ms % SLICE_MS["15m"], zone)
    return at_ms - at_ms % SLICE_MS[resolution]


@cache
def _day_start_ms(at_ms: int, zone: str) -> int:
    return to_ms(midnight(to_local(at_ms, zone)), zone)


def windows(now_ms: int, settings: OracleSettings) -> dict[str, Window]:
    """All eleven windows at a time of the clock (kpis.md, 1-3)."""
    found: dict[str, Window] = {}
    for name in WINDOWS:
        step = SLICE_MS[RESOLUTION_OF_WINDOW[name]]
        end_ms = -(-now_ms // step) * step
        if name == "all":
            found[name] = Window(name, 0, end_ms, None, None)
        elif name in ROLLING_MS:
            length = ROLLING_MS[name]
            found[name] = Window(name, end_ms - length, end_ms, end_ms - 2 * length, end_ms - length)
        else:
            found[name] = _to_date(name, now_ms, end_ms, settings)
    return found


def _to_date(name: str, now_ms: int, end_ms: int, settings: OracleSettings) -> Window:
    zone = settings.zone
    start = period_start(name, to_local(now_ms - 1, zone), settings.week_start)
    previous_start = period_start(name, start - timedelta(days=1), settings.week_start)
    previous_end = previous_start + (to_local(end_ms, zone) - start)
    if name in ("qtd", "ytd") and previous_end != midnight(previous_end):
        previous_end = midnight(previous_end) + timedelta(days=1)
    previous_end = min(previous_end, start)
    return Window(name, to_ms(start, zone), end_ms, to_ms(previous_start, zone), to_ms(previous_end, zone))
