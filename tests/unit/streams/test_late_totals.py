"""What happened before a window changes what stands at its end: sums of everything, levels, classes."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.settings import settings_from
from tests.harness import PurePipeline

DAY_MS = 86_400_000
START_MS = 1_705_276_800_000  # 15 January 2024


def event(account: str, kind: str, at_ms: int, **own: Any) -> dict[str, Any]:
    return {"event_id": f"{account}/{kind}", "event_type": kind, "occurred_at": at_ms, "account_id": account, **own}


def of_account(account: str) -> list[dict[str, Any]]:
    return [
        event(account, "deal.created", START_MS, deal_id=f"{account}/open", amount=700),
        event(account, "deal.won", START_MS, deal_id=f"{account}/won", amount=500),
    ]


@pytest.mark.parametrize("window", ["5m", "1h", "24h", "7d", "today", "mtd", "all"])
def test_a_late_event_from_before_a_window_is_told_in_it(window: str) -> None:
    pipeline = PurePipeline(settings_from({"time": {"clock": "event"}}), partitions=1)
    pipeline.run([*of_account("a"), event("a", "web.visit", START_MS + 60 * DAY_MS)], wall_ms=0)
    values = pipeline.run(of_account("b"), wall_ms=0)
    assert values[f"abc_customers|{window}|abc_class=A"].value.value == 2, "classes come with what they are of"
    values = pipeline.run(of_account("c"), wall_ms=0)  # all of it was counted before, so no series is new
    found = {kpi: values[f"{kpi}|{window}|"].value.numerator for kpi in ("ltv", "open_pipeline", "open_deals")}
    assert found == {"ltv": 1500, "open_pipeline": 2100, "open_deals": 3}
    assert values[f"abc_customers|{window}|abc_class=A"].value.value == 3
    assert window == "all" or values[f"retention_rate|{window}|"].value.denominator == 3


def test_a_stage_whose_only_onward_move_is_undone_is_not_the_weakest_in_any_window() -> None:
    #          a: created, qualified            b: created   now
    #   late:           ^ disqualified, then the same once more, qualified
    pipeline = PurePipeline(settings_from({"time": {"clock": "event"}}), partitions=1)
    day = [START_MS + days * DAY_MS for days in range(41)]
    said = [
        event("a", "lead.created", day[0]),
        event("a", "lead.qualified", day[10]),
        event("b", "lead.created", day[40]),
    ]

    def weakest(*late: dict[str, Any]) -> dict[str, tuple[object, float | None]]:
        values = pipeline.run(late, wall_ms=0)
        found = {window: values[f"weakest_stage|{window}|"].value for window in ("24h", "mtd", "all")}
        return {window: (value.label, value.value) for window, value in found.items()}

    assert weakest(*said) == {"24h": ("new", 0.0), "mtd": ("new", 0.0), "all": ("new", 0.5)}
    assert weakest(event("a", "lead.disqualified", day[5])) == dict.fromkeys(("24h", "mtd", "all"), (None, None))
    again = event("a", "lead.qualified", day[3]) | {"event_id": "again"}
    assert weakest(again) == {"24h": ("new", 0.0), "mtd": ("new", 0.0), "all": ("new", 0.5)}
