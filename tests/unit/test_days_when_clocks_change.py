"""Days of 23 and of 25 hours in two zones: each is one day, to every window, cell, level and goal.

A call is made at the start of every UTC hour of eleven days around the change, so hours can be counted by hand::

    Berlin, 31 March 2024      00:00 .. 01:59 | 03:00 .. 23:59     23 calls, 11 of them before noon
    Berlin, 27 October 2024    00:00 .. 02:59 | 02:00 .. 23:59     25 calls, 13 of them before noon
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from schemas.kpi import KpiValue
from schemas.settings import settings_from
from tests.harness import PurePipeline
from tests.oracle import OracleSettings, kpi_differences, whole_catalogue

HOUR_MS = 3_600_000
_EVERY_DAY = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
Event = dict[str, Any]


@dataclass(frozen=True)
class Change:
    """A day on which clocks change; all four are Sundays, `hours` long."""

    zone: str
    day: date
    hours: int

    def at(self, days: int, hour: int = 0, minute: int = 0) -> int:
        """UTC ms of a local time so many days after the change."""
        local = datetime.combine(self.day + timedelta(days=days), datetime.min.time(), ZoneInfo(self.zone))
        return int(local.replace(hour=hour, minute=minute).timestamp() * 1000)

    @property
    def before_noon(self) -> int:
        """Hours of the day that are over at noon: the clocks change in the morning."""
        return self.hours - 12


CHANGES = (
    Change("Europe/Berlin", date(2024, 3, 31), 23),
    Change("Europe/Berlin", date(2024, 10, 27), 25),
    Change("America/New_York", date(2024, 3, 10), 23),
    Change("America/New_York", date(2024, 11, 3), 25),
)
every_change = pytest.mark.parametrize("change", CHANGES, ids=lambda change: f"{change.zone} {change.hours} h")


def events_of(change: Change, until_ms: int) -> list[Event]:
    """Calls hour by hour, a deal opened at noon of the day and lost the day after, and goals on calls."""
    hours = range(change.at(-8), change.at(3), HOUR_MS)
    calls: list[Event] = [
        {"event_id": f"c{at_ms}", "event_type": "call.completed", "occurred_at": at_ms, "account_id": "a"}
        for at_ms in hours
    ]
    deal = {"account_id": "a", "deal_id": "d"}
    deals: list[Event] = [
        {"event_id": "open", "event_type": "deal.created", "occurred_at": change.at(0, 12), "amount": 500, **deal},
        {"event_id": "lost", "event_type": "deal.lost", "occurred_at": change.at(1, 12), **deal},
    ]
    goal = {"event_type": "target.set", "occurred_at": change.at(-8), "kpi": "calls", "kind": "number", "value": 100}
    goals: list[Event] = [
        {"event_id": f"g-{period}", "target_id": period, "period": period, "start": change.day.isoformat(), **goal}
        for period in ("day", "week", "month")
    ]
    return [event for event in (*goals, *calls, *deals) if event["occurred_at"] < until_ms]


@cache
def pipeline_at(change: Change, now_ms: int, *, by_hours: bool = False) -> PurePipeline:
    kpi = {"working_days": _EVERY_DAY, "working_hours": ["00:00", "24:00"] if by_hours else []}
    pipeline = PurePipeline(settings_from({"time": {"zone": change.zone}, "kpi": kpi}), partitions=2)
    pipeline.run(events_of(change, now_ms), now_ms)
    return pipeline


def value(change: Change, key: str, now_ms: int, *, by_hours: bool = False) -> KpiValue:
    return pipeline_at(change, now_ms, by_hours=by_hours).values[key].value


@every_change
@pytest.mark.parametrize(
    ("days", "hour", "minute"), [(0, 1, 10), (0, 12, 0), (1, 0, 0), (1, 1, 30), (1, 12, 0), (2, 3, 0)]
)
def test_every_value_equals_the_oracle(change: Change, days: int, hour: int, minute: int) -> None:
    now_ms = change.at(days, hour, minute)
    settings = OracleSettings(zone=change.zone, working_days=_EVERY_DAY)
    expected = whole_catalogue(events_of(change, now_ms), settings, now_ms)
    found = pipeline_at(change, now_ms).values
    assert kpi_differences(expected, {key: published.value.to_dict() for key, published in found.items()}) == []


@every_change
def test_today_holds_all_its_hours_and_24h_always_24(change: Change) -> None:
    midnight_ms = change.at(1)
    today = value(change, "calls|today|", midnight_ms)
    assert (today.value, today.previous) == (change.hours, 24), "the day before had 24 hours"
    assert value(change, "calls|24h|", midnight_ms).value == 24
    assert value(change, "calls|today|", change.at(0, 12)).value == change.before_noon


@every_change
def test_the_day_after_is_compared_with_the_same_local_time(change: Change) -> None:
    noon = value(change, "calls|today|", change.at(1, 12))
    assert (noon.value, noon.previous) == (12, change.before_noon)
    evening = value(change, "calls|today|", change.at(2))
    assert (evening.value, evening.previous) == (24, change.hours), "at midnight with the whole day"


@every_change
def test_week_and_month_to_date_have_an_hour_more_or_less(change: Change) -> None:
    # The change is on the last day of a week; calls began eight days before it.
    week = value(change, "calls|wtd|", change.at(1))
    assert (week.value, week.previous) == (6 * 24 + change.hours, 2 * 24), "of the week before, its last two days"
    month = value(change, "calls|mtd|", change.at(1))
    days = min(change.day.day - 1, 8)  # whole days of the month with calls before it
    assert month.value == days * 24 + change.hours
    thirty_days = value(change, "calls|30d|", change.at(3))
    assert thirty_days.value == 8 * 24 + change.hours + 2 * 24


@every_change
def test_one_day_is_one_cell_and_the_next_begins_at_midnight(change: Change) -> None:
    cells = pipeline_at(change, change.at(3)).cells()
    days = {start_ms: sums["calls"] for (dims, step, start_ms), sums in cells.items() if (dims, step) == ("", "1d")}
    expected = {change.at(number): 24 for number in range(-8, 3)} | {change.at(0): change.hours}
    assert days == expected


@every_change
def test_a_level_is_that_of_the_end_of_the_day_and_of_the_same_local_time_before(change: Change) -> None:
    assert value(change, "open_deals|today|", change.at(0, 12)).value == 0, "it is opened at noon"
    midnight = value(change, "open_pipeline|today|", change.at(1))
    assert (midnight.value, midnight.previous) == (5.00, 0)
    after_it_is_lost = value(change, "open_deals|today|", change.at(1, 12, 15))
    assert (after_it_is_lost.value, after_it_is_lost.previous) == (0, 1), "yesterday at 12:15 it was open"


@every_change
def test_goals_of_the_day_count_it_as_one_day_or_as_the_hours_it_has(change: Change) -> None:
    end_ms = change.at(1)
    for by_hours in (False, True):
        pace = value(change, "target_pace|today|target=day", end_ms, by_hours=by_hours)
        assert pace.value == pytest.approx(change.hours / 100), "all of its working time is over"
    noon_ms = change.at(0, 12)
    assert value(change, "target_pace|today|target=day", noon_ms).value is None, "no whole day is over"
    by_noon = value(change, "target_pace|today|target=day", noon_ms, by_hours=True)
    assert by_noon.value == pytest.approx(change.before_noon / 100 / (change.before_noon / change.hours))
    week = value(change, "target_projection|wtd|target=week", end_ms)
    assert week.value == 6 * 24 + change.hours, "seven days of seven"
    by_hour = value(change, "target_projection|wtd|target=week", noon_ms, by_hours=True)
    assert by_hour.value == pytest.approx(6 * 24 + change.hours), "a call an hour, whatever the day"
