"""Goals in the rollup: of what kind they are, what they are part of, and what becomes of them while they run."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Any

from schemas.kpi import KpiValue
from schemas.settings import settings_from
from tests.harness import PurePipeline
from tests.unit.streams.rows import at

NOW = at("2024-03-13 12:00")  # a Wednesday; 9 of the 21 working days of March 2024 were over by midnight
_ids = count(1)
Event = dict[str, Any]


def floor(**kpi: object) -> PurePipeline:
    time = {"zone": "Europe/Berlin", "clock": "wall"}
    return PurePipeline(settings_from({"time": time, "kpi": kpi}), partitions=2)


def event(event_type: str, when: str = "2024-03-05 10:00", **fields: Any) -> Event:
    return {"event_id": f"e{next(_ids)}", "event_type": event_type, "occurred_at": at(when), **fields}


def goal(target_id: str, when: str = "2024-03-01 08:00", **fields: Any) -> Event:
    month = {"kpi": "revenue", "kind": "currency", "period": "month", "start": "2024-03-01"}
    return event("target.set", when, target_id=target_id, **{**month, **fields})


def sale(amount: int, when: str = "2024-03-05 10:00", **fields: Any) -> Event:
    own: Event = {"account_id": "a", "deal_id": f"d{next(_ids)}", "amount": amount}
    return event("deal.won", when, **{**own, **fields})


def values(pipeline: PurePipeline, events: list[Event], now_ms: int = NOW) -> Mapping[str, KpiValue]:
    return {key: found.value for key, found in pipeline.run(events, now_ms).items()}


def attained(said: Mapping[str, KpiValue], target_id: str, window: str = "mtd") -> tuple[int | None, int | None]:
    found = said[f"target_attainment|{window}|target={target_id}"]
    return found.numerator, found.denominator


def test_a_goal_without_a_start_is_of_the_period_in_which_it_is_set() -> None:
    said = values(floor(), [sale(250), goal("of-march", value=1_000, start=None)])
    assert attained(said, "of-march") == (250, 1_000)


def test_a_withdrawal_need_say_no_more_than_that() -> None:
    pipeline = floor()
    assert attained(values(pipeline, [goal("g", value=1_000)]), "g") == (0, 1_000)
    withdrawal = event("target.set", "2024-03-06 08:00", target_id="g", kind="currency", withdrawn=True)
    said = values(pipeline, [withdrawal])
    assert attained(said, "g") == (None, None)
    assert said["target_attainment|mtd|"].value is None, "nor is it in any sum"
    assert (said["target_projection|mtd|target=g"].unit, said["target_projection|mtd|"].currency) == ("money", "USD")
