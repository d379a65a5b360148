"""Working time: whole days or hours, without holidays, in zones that change their clocks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import pytest

from schemas.settings import settings_from
from streams.time import Calendar, Span
from streams.worktime import WorkTime, work_time

BERLIN, NEW_YORK = Calendar("Europe/Berlin"), Calendar("America/New_York")
EVERY_DAY = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
HOUR_S = 3600


def month(calendar: Calendar, text: str) -> Span:
    return calendar.period("mtd", at(f"{text}-15", calendar))


def at(text: str, calendar: Calendar = BERLIN) -> int:
    return calendar.instant(datetime.fromisoformat(text))


def as_set(calendar: Calendar = BERLIN, **kpi: Any) -> WorkTime:
    return work_time(settings_from({"kpi": kpi}), calendar)


def test_by_default_a_day_counts_when_it_has_ended_and_is_no_weekend() -> None:
    # March 2024 begins on a Friday and has 21 working days
    worktime = as_set()
    march = month(BERLIN, "2024-03")
    moments = ("2024-03-01 23:59", "2024-03-02", "2024-03-04 12:00", "2024-03-05", "2024-04-01", "2024-05-01")
    assert [worktime.elapsed(march, at(moment)) for moment in moments] == [
        (0, 21), (1, 21), (1, 21), (2, 21), (21, 21), (21, 21),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("region", "may", "october"),
    [("", 23, 23), ("DE", 20, 22), ("DE-BY", 19, 22), ("DE-TH", 20, 21), ("US-CA", 22, 23)],
)
def test_holidays_are_those_of_the_country_and_of_its_part(region: str, may: int, october: int) -> None:
    # May 2024: 1st, Ascension, Whit Monday; Corpus Christi in Bavaria; Memorial Day in the United States.
    # October 2024: 3rd; the 31st in Thuringia.
    worktime = as_set(holidays=region)
    assert [worktime.elapsed(month(BERLIN, text), 0)[1] for text in ("2024-05", "2024-10")] == [may, october]


def test_a_holiday_on_a_weekend_is_off_on_the_day_it_is_observed() -> None:
    # 4 July 2026 is a Saturday: Friday the 3rd is off.
    assert as_set(NEW_YORK, holidays="US").elapsed(month(NEW_YORK, "2026-07"), 0)[1] == 22


def test_days_of_ones_own_are_off_as_well_written_as_text_or_as_dates() -> None:
    own: Sequence[object] = ["2024-03-28", date(2024, 3, 29), "2024-03-30"]  # the last is a Saturday anyway
    assert as_set(extra_holidays=own).elapsed(month(BERLIN, "2024-03"), at("2024-04-01")) == (19, 19)


def test_with_hours_a_running_day_counts_in_part() -> None:
    worktime = as_set(working_hours=["09:00", "17:30"])
    week = BERLIN.period("wtd", at("2024-03-13"))
    whole = 5 * 17 * HOUR_S // 2
    passed = {"2024-03-11 08:59": 0, "2024-03-11 09:15": 900, "2024-03-11 20:00": 30_600, "2024-03-12 10:00": 34_200}
    assert {moment: worktime.elapsed(week, at(moment))[0] for moment in passed} == passed
    assert worktime.elapsed(week, at("2024-03-17")) == (whole, whole), "and the weekend adds nothing"


@pytest.mark.parametrize(
    ("calendar", "day", "hours"),
    [
        (BERLIN, "2024-03-31", 23),
        (BERLIN, "2024-10-27", 25),
        (NEW_YORK, "2024-03-10", 23),
        (NEW_YORK, "2024-11-03", 25),
    ],
)
def test_a_day_on_which_clocks_change_is_one_day_and_as_many_hours_as_it_has(
    calendar: Calendar, day: str, hours: int
) -> None:
    today = calendar.period("today", at(f"{day} 12:00", calendar))
    assert as_set(calendar, working_days=EVERY_DAY).elapsed(today, today.end_ms) == (1, 1)
    all_day = as_set(calendar, working_days=EVERY_DAY, working_hours=["00:00", "24:00"])
    assert all_day.elapsed(today, today.end_ms) == (hours * HOUR_S, hours * HOUR_S)
    by_day = as_set(calendar, working_days=EVERY_DAY, working_hours=["09:00", "17:00"])
    assert by_day.elapsed(today, at(f"{day} 10:00", calendar)) == (HOUR_S, 8 * HOUR_S)
    at_night = as_set(calendar, working_days=EVERY_DAY, working_hours=["00:00", "06:00"])
    assert at_night.elapsed(today, today.end_ms)[1] == (hours - 24 + 6) * HOUR_S


def test_a_period_in_which_nobody_works_has_no_working_time() -> None:
    assert as_set(working_days=[]).elapsed(month(BERLIN, "2024-03"), at("2024-04-01")) == (0, 0)
