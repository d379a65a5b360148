"""Which hours and days have a point of history, in zones where not all days have 24 hours."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.windows import DAY_MS, HOUR_MS
from streams.history import HISTORY_DAYS, HistoryStep, oldest_ms, slices
from streams.time import Calendar
from tests.properties.profile import examples

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe")
CALENDARS = {zone: Calendar(zone) for zone in ZONES}


def at(zone: str, text: str) -> int:
    return CALENDARS[zone].instant(datetime.fromisoformat(text))


def local_hours(zone: str, day: str) -> list[str]:
    calendar = CALENDARS[zone]
    found = slices("1h", at(zone, day) + DAY_MS + 2 * HOUR_MS, calendar)
    starts = [calendar.local(span.start_ms).isoformat(timespec="minutes") for span in found]
    return [start[11:] for start in starts if start.startswith(day)]


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", "2025-03-29", 24),
        ("Europe/Berlin", "2025-03-30", 23),
        ("Europe/Berlin", "2025-10-26", 25),
        ("America/New_York", "2025-11-02", 25),
        ("Asia/Kolkata", "2025-03-30", 24),
    ],
)
def test_a_day_has_as_many_points_as_hours(zone: str, day: str, hours: int) -> None:
    found = local_hours(zone, day)
    assert len(found) == hours
    assert all(hour.endswith(":00") for hour in found)


def test_the_open_slice_is_the_last() -> None:
    now = at("UTC", "2025-03-31T08:20:00")
    assert slices("1h", now, CALENDARS["UTC"])[-1] == (now - 20 * 60_000, now + 40 * 60_000)
    assert slices("1d", now, CALENDARS["UTC"])[-1].start_ms == at("UTC", "2025-03-31")
    midnight = at("UTC", "2025-03-31")  # nothing of the new day counts yet
    assert slices("1d", midnight, CALENDARS["UTC"])[-1].end_ms == midnight


@given(st.sampled_from(ZONES), st.integers(0, 3 * 366 * 24 * 4), st.sampled_from(["1h", "1d"]))
@examples(200)
def test_slices_follow_each_other_without_a_gap_up_to_the_clock(zone: str, quarters: int, step: HistoryStep) -> None:
    now = at("UTC", "2024-01-01") + quarters * 15 * 60_000 + 1
    found = slices(step, now, CALENDARS[zone])
    assert all(one.end_ms == other.start_ms for one, other in pairwise(found))
    assert found[-1].start_ms < now <= found[-1].end_ms
    assert found[0].start_ms >= oldest_ms(step, now)
    days = {CALENDARS[zone].local(span.start_ms).date() for span in found}
    assert len(days) == HISTORY_DAYS[step]
    assert max(span.end_ms - span.start_ms for span in found) <= (HOUR_MS if step == "1h" else 25 * HOUR_MS)
