"""Targets that the declaration of a KPI sets for every period."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from schemas.settings import settings_from
from tests.harness import PurePipeline

FILE = """
[[kpis]]
name = "won_money"
formula = "won_amount"
unit = "money"
targets = { month = 1_000.50, year = 10_000 }

[[kpis]]
name = "wins"
formula = "deals_won"
targets = { month = 2.5 }

[[kpis]]
name = "loss_share"
formula = "deals_lost / (deals_won + deals_lost)"
better = "lower"
targets = { month = 0.4 }

[[kpis]]
name = "ticket"
formula = "won_amount / deals_won"
unit = "money"
targets = { month = 500.25 }
"""


def values(directory: Path, events: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    path = directory / "own.toml"
    path.write_text(FILE)
    settings = settings_from({"time": {"clock": "event"}, "catalogue": {"files": [str(path)]}})
    return {key: found.value.to_dict() for key, found in PurePipeline(settings).run(events, wall_ms=0).items()}


def deal(number: int, kind: str, **own: Any) -> dict[str, Any]:
    at_ms = 1_705_312_800_000 + number  # 15 January 2024, 10:00
    name = f"d{number}"
    return {"event_id": name, "event_type": kind, "occurred_at": at_ms, "account_id": name, "deal_id": name, **own}


EVENTS = [deal(1, "deal.won", amount=50_025), deal(2, "deal.won", amount=25_000), deal(3, "deal.lost")]


def test_a_sum_is_measured_against_the_target_of_each_period(tmp_path: Path) -> None:
    found = values(tmp_path, EVENTS)
    month = found["target_attainment|mtd|target=won_money-month"]
    assert (month["numerator"], month["denominator"]) == (75_025, 100_050)
    assert found["target_attainment|ytd|target=won_money-year"]["denominator"] == 1_000_000
    # 10 of the 23 working days of January are over.
    assert found["target_pace|mtd|target=won_money-month"]["numerator"] == 75_025 * 23
    assert found["target_projection|mtd|target=won_money-month"]["value"] == 750.25 * 23 / 10


def test_a_target_need_be_no_integer(tmp_path: Path) -> None:
    found = values(tmp_path, EVENTS)["target_attainment|mtd|target=wins-month"]
    assert (found["value"], found["numerator"], found["denominator"]) == (0.8, 4, 5)


def test_a_ratio_is_measured_as_a_ratio_and_has_no_pace(tmp_path: Path) -> None:
    found = values(tmp_path, EVENTS)
    share = found["target_attainment|mtd|target=loss_share-month"]
    assert share["value"] == 5 / 6
    assert (share["numerator"], share["denominator"]) == (1 * 5, 3 * 2)
    ticket = found["target_attainment|mtd|target=ticket-month"]
    assert ticket["value"] == 75_025 / 2 / 50_025
    assert not [key for key in found if key.startswith(("target_pace", "target_projection")) and "loss_share" in key]


def test_a_ratio_that_is_unknown_has_an_unknown_attainment(tmp_path: Path) -> None:
    found = values(tmp_path, [deal(1, "deal.created", amount=1)])
    assert found["target_attainment|mtd|target=loss_share-month"]["value"] is None
    assert found["target_attainment|mtd|target=won_money-month"]["value"] == 0
