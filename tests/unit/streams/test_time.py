"""Slices, windows and covers, in zones whose days have 23 and 25 hours."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from schemas.windows import DAY_MS, HOUR_MS, MINUTE_MS, RESOLUTIONS, TO_DATE, WINDOWS
from streams.time import (
    FOREVER_MS,
    Calendar,
    Range,
    Span,
    ceil_to,
    difference,
    iso,
)

BERLIN, NEW_YORK, UTC_CALENDAR = Calendar("Europe/Berlin"), Calendar("America/New_York"), Calendar()


def at(text: str, calendar: Calendar = UTC_CALENDAR) -> int:
    """UTC ms of a local "2024-03-31" or "2024-03-31 12:00"."""
    return calendar.instant(datetime.fromisoformat(text))


@pytest.mark.parametrize(
    ("calendar", "day", "hours"),
    [
        (BERLIN, "2024-03-30", 24),
        (BERLIN, "2024-03-31", 23),
        (BERLIN, "2024-10-27", 25),
        (NEW_YORK, "2024-03-10", 23),
        (NEW_YORK, "2024-11-03", 25),
        (UTC_CALENDAR, "2024-03-31", 24),
    ],
)
def test_a_local_day_has_the_hours_its_zone_gives_it(calendar: Calendar, day: str, hours: int) -> None:
    midnight = at(day, calendar)
    assert calendar.next_day(midnight) - midnight == hours * HOUR_MS
    assert calendar.day_start(midnight + hours * HOUR_MS - 1) == midnight
    assert calendar.day_start(midnight + hours * HOUR_MS) == calendar.next_day(midnight)


def test_a_time_in_a_gap_is_read_as_before_it_and_one_in_an_overlap_as_the_first() -> None:
    # Berlin, 31 March:    01:59 | 03:00  (02:30 does not exist)
    # Berlin, 27 October:  02:30 (+02:00) ... 02:30 (+01:00)
    assert iso(at("2024-03-31 02:30", BERLIN)) == "2024-03-31T01:30:00Z"
    assert iso(at("2024-10-27 02:30", BERLIN)) == "2024-10-27T00:30:00Z"


def test_a_day_that_begins_in_a_gap_begins_where_the_gap_ends() -> None:
    beirut = Calendar("Asia/Beirut")  # 31 March 2024: 23:59 | 01:00
    midnight = at("2024-03-31", beirut)
    assert beirut.local(midnight).hour == 1
    assert beirut.day_start(midnight) == midnight
    assert beirut.day_start(midnight - 1) == at("2024-03-30", beirut)


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_a_slice_holds_its_start_and_not_its_end(resolution: str) -> None:
    now = at("2024-10-27 02:47:31", BERLIN)
    start = BERLIN.slice_start(resolution, now)
    end = BERLIN.slice_end(resolution, start)
    assert start <= now < end
    assert BERLIN.slice_start(resolution, end - 1) == start
    if end != FOREVER_MS:
        assert BERLIN.slice_start(resolution, end) == end


@pytest.mark.parametrize(
    ("window", "start", "end"),
    [
        ("5m", "2024-03-13 10:02:10", "2024-03-13 10:07:10"),
        ("1h", "2024-03-13 09:07:10", "2024-03-13 10:07:10"),
        ("24h", "2024-03-12 10:08", "2024-03-13 10:08"),
        ("7d", "2024-03-06 10:15", "2024-03-13 10:15"),
        ("30d", "2024-02-12 10:15", "2024-03-13 10:15"),
        ("today", "2024-03-13", "2024-03-13 10:15"),
        ("wtd", "2024-03-11", "2024-03-13 10:15"),
        ("mtd", "2024-03-01", "2024-03-13 10:15"),
        ("qtd", "2024-01-01", "2024-03-13 10:15"),
        ("ytd", "2024-01-01", "2024-03-13 10:15"),
    ],
)
def test_a_window_ends_at_now_rounded_up_to_its_resolution(window: str, start: str, end: str) -> None:
    assert UTC_CALENDAR.window(window, at("2024-03-13 10:07:03")) == Span(at(start), at(end))


def test_at_midnight_the_day_that_ended_is_still_today() -> None:
    #   |------ 12 March ------|------ 13 March
    #                          now: what counts ended here, and it was of the 12th
    assert UTC_CALENDAR.window("today", at("2024-03-13")) == Span(at("2024-03-12"), at("2024-03-13"))


def test_a_week_begins_on_the_day_that_is_set() -> None:
    sunday = Calendar("UTC", "sunday")
    assert sunday.window("wtd", at("2024-03-13 10:00")).start_ms == at("2024-03-10")


@pytest.mark.parametrize(
    ("window", "now", "start", "end"),
    [
        ("1h", "2024-03-13 10:00", "2024-03-13 08:00", "2024-03-13 09:00"),
        ("today", "2024-03-13 10:00", "2024-03-12", "2024-03-12 10:00"),
        ("wtd", "2024-03-13 10:00", "2024-03-04", "2024-03-06 10:00"),
        ("mtd", "2024-03-13 10:00", "2024-02-01", "2024-02-13 10:00"),
        ("mtd", "2023-03-31 12:00", "2023-02-01", "2023-03-01"),  # 31 March against all of February
        ("qtd", "2024-05-13 10:00", "2024-01-01", "2024-02-13"),  # to the end of that local day
        ("qtd", "2024-05-13", "2024-01-01", "2024-02-12"),  # unless it had just ended
        ("ytd", "2024-03-13 10:00", "2023-01-01", "2023-03-15"),  # 2024 has a 29 February before it
        ("ytd", "2024-12-31 10:00", "2023-01-01", "2024-01-01"),  # at most the whole year
    ],
)
def test_the_previous_of_a_window_ends_the_same_time_later(window: str, now: str, start: str, end: str) -> None:
    assert UTC_CALENDAR.previous(window, at(now)) == Span(at(start), at(end))


def test_all_has_no_previous() -> None:
    assert UTC_CALENDAR.previous("all", at("2024-03-13")) is None


@pytest.mark.parametrize(
    ("calendar", "now", "end"),
    [
        (BERLIN, "2024-04-01 02:30", "2024-03-31T01:30:00Z"),  # yesterday 02:30 was in the gap
        (BERLIN, "2024-10-28 02:30", "2024-10-27T00:30:00Z"),  # and was there twice
        (NEW_YORK, "2024-03-11 02:30", "2024-03-10T07:30:00Z"),
        (NEW_YORK, "2024-11-04 01:30", "2024-11-03T05:30:00Z"),
    ],
)
def test_yesterday_at_the_same_local_time_is_the_first_reading(calendar: Calendar, now: str, end: str) -> None:
    previous = calendar.previous("today", at(now, calendar))
    assert previous is not None
    assert iso(previous.end_ms) == end


@pytest.mark.parametrize("calendar", [BERLIN, NEW_YORK])
@pytest.mark.parametrize("now", ["2024-03-31 12:10", "2024-10-27 23:59", "2024-11-03 01:05", "2024-03-10 03:00"])
@pytest.mark.parametrize("window", [w for w in WINDOWS if w != "all"])
def test_a_cover_adds_up_to_its_interval(calendar: Calendar, now: str, window: str) -> None:
    now_ms = at(now, calendar)
    resolution = {"5m": "10s", "1h": "10s", "24h": "1m"}.get(window, "15m")
    for span in (calendar.window(window, now_ms), calendar.previous(window, now_ms)):
        assert span is not None
        cover = calendar.cover(span, resolution)
        assert cover[0].start_ms == span.start_ms
        assert sum(part.end_ms - part.start_ms for part in cover) == span.end_ms - span.start_ms


def test_whole_local_days_come_from_day_cells() -> None:
    # 26 Oct 10:00      27 Oct (25 h)      28 Oct        28 Oct 06:15
    #     |---- 15m ----|------- 1d -------|---- 15m ----|
    span = Span(at("2024-10-26 10:00", BERLIN), at("2024-10-28 06:15", BERLIN))
    first, last = at("2024-10-27", BERLIN), at("2024-10-28", BERLIN)
    assert BERLIN.cover(span, "15m") == (
        Range("15m", span.start_ms, first),
        Range("1d", first, last),
        Range("15m", last, span.end_ms),
    )
    assert last - first == 25 * HOUR_MS


def test_an_interval_within_one_day_has_no_day_cells_and_an_empty_one_nothing() -> None:
    start = at("2024-10-27 01:00", BERLIN)
    assert BERLIN.cover(Span(start, start + HOUR_MS), "15m") == (Range("15m", start, start + HOUR_MS),)
    assert BERLIN.cover(Span(start, start), "15m") == ()


def test_a_tail_gets_coarser_and_has_no_end() -> None:
    # 10:07:10  10:08  10:15      midnight
    #     |-10s-|--1m--|---15m----|---- 1d ---->
    start = at("2024-03-13 10:07:10")
    edges = [at("2024-03-13 10:08"), at("2024-03-13 10:15"), at("2024-03-14")]
    assert UTC_CALENDAR.tail(start, "10s") == (
        Range("10s", start, edges[0]),
        Range("1m", edges[0], edges[1]),
        Range("15m", edges[1], edges[2]),
        Range("1d", edges[2], FOREVER_MS),
    )
    assert UTC_CALENDAR.tail(edges[2], "15m") == (Range("1d", edges[2], FOREVER_MS),)


@pytest.mark.parametrize("window", TO_DATE)
def test_the_period_of_an_instant_is_the_one_a_window_starts_with(window: str) -> None:
    now = at("2024-11-03 01:30", NEW_YORK)
    assert NEW_YORK.period_start(window, now) == NEW_YORK.window(window, now + 1).start_ms


def test_rounding_up_leaves_multiples_alone() -> None:
    assert ceil_to(20, 10) == 20
    assert ceil_to(21, 10) == 30


def test_difference_is_what_one_cover_has_and_the_other_has_not() -> None:
    # new      |------|
    # old   |------|
    # left         |--|
    new, old = (Range("10s", 20, 60),), (Range("10s", 0, 50),)
    assert difference(new, old) == [Range("10s", 50, 60)]
    assert difference(old, new) == [Range("10s", 0, 20)]
    assert difference(new, (Range("1m", 0, 60),)) == list(new)
    assert difference((Range("10s", 0, 60),), (Range("10s", 20, 30),)) == [Range("10s", 0, 20), Range("10s", 30, 60)]


def test_times_are_written_with_milliseconds_only_where_there_are_any() -> None:
    assert iso(0) == "1970-01-01T00:00:00Z"
    assert iso(DAY_MS + MINUTE_MS + 5) == "1970-01-02T00:01:00.005Z"
    assert datetime.fromisoformat(iso(5)) == datetime.fromtimestamp(0.005, UTC)
