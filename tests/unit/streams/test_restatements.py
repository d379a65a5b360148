"""What a restatement says of its causes."""

from __future__ import annotations

from typing import Any

from schemas.settings import settings_from
from tests.harness import PurePipeline

DAY_MS = 86_400_000
START_MS = 1_705_276_800_000  # 15 January 2024


def event(name: str, kind: str, at_ms: int, **own: Any) -> dict[str, Any]:
    return {"event_id": name, "event_type": kind, "occurred_at": at_ms, "account_id": "a", **own}


def test_only_events_that_a_kpi_counts_are_named_as_causes_of_its_change() -> None:
    pipeline = PurePipeline(settings_from({"time": {"clock": "event"}}), partitions=1)
    pipeline.run([event("today", "web.visit", START_MS + DAY_MS)], wall_ms=0)
    late = [
        event("call", "call.completed", START_MS, outcome="connected"),
        event("win", "deal.won", START_MS + 1, deal_id="d", amount=100),
        event("visit", "web.visit", START_MS + 2),
    ]
    pipeline.run(late, wall_ms=0)
    told = {
        found.kpi: [cause.event_id for cause in found.events]
        for found in pipeline.take_restatements()
        if found.window == "today" and not found.dimensions
    }
    assert told["revenue"] == ["win"]
    assert told["calls"] == ["call"]
    assert told["visits"] == ["visit"]
    assert told["activity"] == ["call", "win"]
