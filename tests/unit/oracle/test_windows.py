"""Windows, their previous windows and slices (kpis.md, 1-4; days of 23 and 25 hours)."""

from __future__ import annotations

import pytest

from tests.oracle import OracleSettings, cells, contributions
from tests.oracle.periods import windows
from tests.unit.oracle.build import ask, at, event


def bounds(name: str, now: str, settings: OracleSettings | None = None) -> tuple[int, int, int | None, int | None]:
    window = windows(at(now), settings or OracleSettings())[name]
    return window.start_ms, window.end_ms, window.previous_start_ms, window.previous_end_ms


@pytest.mark.parametrize(
    ("name", "start", "end"),
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
def test_a_window_ends_at_now_rounded_up_to_its_resolution(name: str, start: str, end: str) -> None:
    assert bounds(name, "2024-03-13 10:07:03")[:2] == (at(start), at(end))


def test_an_aligned_now_stays_and_at_midnight_the_day_before_is_whole() -> None:
    assert bounds("today", "2024-03-13")[:2] == (at("2024-03-12"), at("2024-03-13"))
    assert bounds("5m", "2024-03-13 10:00")[:2] == (at("2024-03-13 09:55"), at("2024-03-13 10:00"))


@pytest.mark.parametrize(
    ("name", "now", "start", "end"),
    [
        ("1h", "2024-03-13 10:00", "2024-03-13 08:00", "2024-03-13 09:00"),
        ("today", "2024-03-13 10:00", "2024-03-12", "2024-03-12 10:00"),
        ("wtd", "2024-03-13 10:00", "2024-03-04", "2024-03-06 10:00"),
        ("mtd", "2024-03-13 10:00", "2024-02-01", "2024-02-13 10:00"),
        ("mtd", "2023-03-31 12:00", "2023-02-01", "2023-03-01"),
        ("qtd", "2024-05-13 10:00", "2024-01-01", "2024-02-13"),
        ("ytd", "2024-03-13 10:00", "2023-01-01", "2023-03-15"),
        ("ytd", "2024-12-31 10:00", "2023-01-01", "2024-01-01"),
        ("qtd", "2024-05-13", "2024-01-01", "2024-02-12"),
    ],
)
def test_the_previous_of_a_window(name: str, now: str, start: str, end: str) -> None:
    assert bounds(name, now)[2:] == (at(start), at(end))


def test_all_has_no_previous() -> None:
    assert bounds("all", "2024-03-13 10:00")[2:] == (None, None)
    value = ask("deals_won|all|", [event("deal.won", "2024-03-01", amount=1)])
    assert (value["previous"], value["difference"], value["change"]) == (None, None, None)


def test_a_week_starts_on_the_day_of_the_settings() -> None:
    settings = OracleSettings(week_start="sunday")
    assert bounds("wtd", "2024-03-13 10:00", settings)[0] == at("2024-03-10")
    assert bounds("wtd", "2024-03-10 10:00", settings)[0] == at("2024-03-10")


def test_days_of_23_and_25_hours_are_one_day() -> None:
    new_york = OracleSettings(zone="America/New_York")
    # 10 March 2024: 02:00 EST becomes 03:00 EDT. The day before ends its counterpart at the same local time.
    assert bounds("today", "2024-03-10 16:00", new_york) == (
        at("2024-03-10 05:00"),
        at("2024-03-10 16:00"),
        at("2024-03-09 05:00"),
        at("2024-03-09 17:00"),
    )
    # 3 November 2024: 02:00 EDT becomes 01:00 EST.
    assert bounds("today", "2024-11-04 05:00", new_york) == (
        at("2024-11-03 04:00"),
        at("2024-11-04 05:00"),
        at("2024-11-02 04:00"),
        at("2024-11-03 04:00"),
    )


def test_in_a_gap_or_overlap_the_first_reading_holds() -> None:
    berlin = OracleSettings(zone="Europe/Berlin")
    # 1 April 02:30 local; 31 March 2024 has no 02:30, read with the offset before the gap it is 01:30 UTC.
    assert bounds("today", "2024-04-01 00:30", berlin)[3] == at("2024-03-31 01:30")
    # 28 October 02:30 local; 27 October 2024 has it twice, first at 00:30 UTC.
    assert bounds("today", "2024-10-28 01:30", berlin)[3] == at("2024-10-27 00:30")


def test_day_cells_are_local_days() -> None:
    settings = OracleSettings(zone="Asia/Kolkata")
    found = cells(contributions([event("lead.created", "2024-03-13 19:00")], settings), settings)
    assert {(resolution, start) for dims, resolution, start in found} == {
        ("10s", at("2024-03-13 19:00")),
        ("1m", at("2024-03-13 19:00")),
        ("15m", at("2024-03-13 19:00")),
        ("1d", at("2024-03-13 18:30")),
        ("all", 0),
    }


def test_counts_are_0_and_ratios_unknown_where_nothing_happened() -> None:
    history = [event("deal.won", "2024-03-01 10:00", amount=100)]
    value = ask("deals_won|5m|", history, now="2024-03-09")
    assert (value["value"], value["previous"], value["difference"], value["change"]) == (0, 0, 0, None)
    assert ask("win_rate|5m|", history, now="2024-03-09")["value"] is None


def test_change_is_the_difference_over_the_previous() -> None:
    history = [event("deal.won", f"2024-03-0{day}", deal_id=str(n), amount=1) for n, day in enumerate([1, 2, 2, 2, 1])]
    value = ask("deals_won|today|", history, now="2024-03-02 10:00")
    assert (value["value"], value["previous"], value["difference"], value["change"]) == (3, 2, 1, 0.5)


def test_what_occurs_at_or_after_the_clock_is_not_counted() -> None:
    history = [event("lead.created", "2024-03-01 10:00"), event("lead.created", "2024-03-01 10:00:01", "b")]
    assert ask("leads_created|5m|", history, now="2024-03-01 10:00:01")["value"] == 1
