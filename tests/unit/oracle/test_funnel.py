"""Stages, stuck leads, cohorts and the open pipeline (kpis.md, 23, 25-27 and 42)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.oracle.build import ask_all, event


def first_meetings(month: str, leads: int, onward: int) -> list[dict[str, Any]]:
    history = []
    for n in range(leads):
        account = f"{month}-{n}"
        history.append(event("lead.created", f"{month}-02", account, stage="first_meeting", rep_id="r"))
        if n < onward:
            history.append(event("lead.stage_changed", f"{month}-03", account, to_stage="proposal"))
    return history


def test_15_of_100_went_on_in_one_month_and_25_of_100_in_the_next() -> None:
    history = first_meetings("2024-01", 100, 15) + first_meetings("2024-02", 100, 25)
    # Proposals go on more often.
    history += [event("lead.qualified", "2024-02-04", f"2024-02-{n}") for n in range(20)]
    value = ask_all("stage_conversion|mtd|stage=first_meeting", history, now="2024-02-28")
    assert (value["previous"], value["value"]) == (0.15, 0.25)
    assert value["difference"] == pytest.approx(0.10)
    assert ask_all("stage_conversion|mtd|rep=r,stage=first_meeting", history, now="2024-02-28")["value"] == 0.25
    weakest = ask_all("weakest_stage|mtd|", history, now="2024-02-28")
    assert (weakest["label"], weakest["value"]) == ("first_meeting", 0.25)


def test_only_later_stages_qualification_and_purchases_are_onward() -> None:
    history = [
        event("lead.created", "2024-03-01", "a", stage="proposal"),
        event("lead.stage_changed", "2024-03-02", "a", to_stage="contacted"),
        event("lead.created", "2024-03-01", "b", stage="proposal"),
        event("lead.disqualified", "2024-03-02", "b"),
        event("lead.created", "2024-03-01", "c", stage="proposal"),
        event("deal.won", "2024-03-03", "c", amount=1),
        event("lead.created", "2024-03-01", "d", stage="proposal"),
        event("lead.stage_changed", "2024-03-02", "d", to_stage="elsewhere"),
    ]
    value = ask_all("stage_conversion|all|stage=proposal", history)
    assert (value["numerator"], value["denominator"]) == (2, 4)
    dwell = ask_all("stage_dwell_mean|all|stage=proposal", history)
    assert (dwell["numerator"], dwell["denominator"]) == (5 * 86_400, 4)
    assert ask_all("stage_dwell_p90|all|stage=proposal", history)["value"] == 2 * 86_400


def test_a_lead_is_stuck_once_its_limit_has_passed_and_until_it_moves_on() -> None:
    history = [
        event("lead.created", "2024-03-01 10:00", rep_id="r"),
        event("lead.stage_changed", "2024-03-10 10:00", to_stage="contacted", rep_id="s"),
    ]

    def stuck(now: str, dims: str = "") -> float | None:
        return ask_all(f"stuck_leads|5m|{dims}", history, now=now)["value"]

    assert stuck("2024-03-08 10:00") == 0
    assert stuck("2024-03-08 10:00:01", "rep=r,stage=new") == 1
    assert stuck("2024-03-10 10:00:01") == 0
    assert stuck("2024-03-17 10:00:01", "stage=contacted") == 1


def test_a_cohort_is_the_leads_of_the_window_and_what_became_of_them_by_now() -> None:
    history = [
        event("lead.created", "2024-02-10", "a", source="ads"),
        event("lead.created", "2024-02-20", "b", source="ads"),
        event("deal.won", "2024-03-05", "a", amount=1),
        event("deal.won", "2024-03-06", "a", deal_id="2", amount=1),
    ]
    value = ask_all("cohort_conversion|mtd|source=ads", history, now="2024-03-31")
    assert (value["value"], value["previous"]) == (None, 0.5)
    maturity = ask_all("cohort_maturity|ytd|source=ads", history, now="2024-03-31")
    assert maturity["value"] == 45 * 86_400


def test_an_open_deal_counts_in_its_stage_under_its_latest_dimensions_until_it_is_closed() -> None:
    history = [
        event("deal.created", "2024-03-01", amount=10_000, rep_id="r"),
        event("deal.stage_changed", "2024-03-02", to_stage="proposal"),
        event("deal.amended", "2024-03-03", amount=12_000),
        event("deal.reassigned", "2024-03-04", rep_id="s"),
        event("deal.lost", "2024-03-05"),
        event("deal.amended", "2024-03-06", amount=1),
    ]

    def pipeline(day: int, dims: str) -> float | None:
        return ask_all(f"open_pipeline|5m|{dims}", history, now=f"2024-03-0{day} 12:00")["value"]

    assert pipeline(1, "rep=r,stage=new") == 100.0
    assert (pipeline(2, "stage=new"), pipeline(2, "stage=proposal")) == (0, 100.0)
    assert pipeline(3, "stage=proposal") == 120.0
    assert (pipeline(4, "rep=r"), pipeline(4, "rep=s")) == (0, 120.0)
    assert pipeline(5, "") == pipeline(6, "") == 0
    assert ask_all("open_deals|5m|stage=proposal", history, now="2024-03-04 12:00")["value"] == 1
