"""Goals in the rollup: of what kind they are, what they are part of, and what becomes of them while they run."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Any

import pytest

from schemas.kpi import KpiValue
from schemas.settings import settings_from
from schemas.wire import CellsMessage
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


class Owners:
    """Owners of the global series one after the other: each reads back what the one before it stored."""

    def __init__(self) -> None:
        self.floor = floor()
        self.stored: dict[bytes, bytes] = {}
        self.since: list[CellsMessage] = []

    def hear(self, *events: Event) -> None:
        """Let the owner hear of events."""
        self.floor.send(events)
        self.floor.fold_all()
        for message in self.floor.messages():
            self.since.append(message)
            self.floor.rollup.take(message, NOW)

    def publish(self, now_ms: int = NOW) -> dict[str, KpiValue]:
        found = self.floor.rollup.publication(now_ms)
        return {value.key: value.value for value in found.values} if found else {}

    def checkpoint(self) -> None:
        _, records, marker = self.floor.rollup.checkpoint()
        self.stored |= {key: value for key, value in (*records, marker) if value is not None}
        self.since = []

    def die(self) -> None:
        """Hand over to the next, which hears again what came after the checkpoint."""
        self.floor.rollup = self.floor.new_rollup()
        self.floor.rollup.recover(self.stored, [], 0)
        for message in self.since:
            self.floor.rollup.take(message, NOW)


@pytest.mark.parametrize("checkpoint_first", [True, False])
def test_a_goal_whose_period_ends_while_nobody_is_there_is_unknown_afterwards(*, checkpoint_first: bool) -> None:
    #  checkpoint?   goal is set, published   checkpoint?   dies   the week is over   the next one publishes
    owners = Owners()
    owners.hear(sale(250))
    owners.hear(goal("week", value=1_000, period="week", start="2024-03-11"), goal("month", value=500))
    assert attained(owners.publish(), "week", "wtd") == (0, 1_000)
    if checkpoint_first:
        owners.checkpoint()
    owners.die()
    said = owners.publish(at("2024-03-18 00:01"))
    assert attained(said, "week", "wtd") == (None, None)
    assert said["target_attainment|wtd|"].value is None
    assert attained(said, "month") == (250, 500)
    owners.hear(sale(1, "2024-03-18 00:00"))
    owners.checkpoint()
    owners.die()
    assert "target_attainment|wtd|target=week" not in owners.publish(at("2024-03-18 00:01")), "that was said"


@pytest.mark.parametrize("checkpoint_first", [True, False])
def test_what_becomes_of_a_goal_before_the_next_owner_publishes_is_told(*, checkpoint_first: bool) -> None:
    #  set, published   checkpoint?   withdrawn, moved to another period   dies before it publishes
    owners = Owners()
    owners.hear(goal("withdrawn", value=1_000), goal("moved", value=500))
    owners.publish()
    if checkpoint_first:
        owners.checkpoint()
    owners.hear(goal("withdrawn", "2024-03-05 08:00", withdrawn=True))
    owners.hear(goal("moved", "2024-03-05 08:00", value=500, period="quarter", start="2024-01-01"))
    owners.die()
    said = owners.publish()
    assert attained(said, "withdrawn") == (None, None)
    assert attained(said, "moved") == (None, None)
    assert attained(said, "moved", "qtd") == (0, 500)
    assert said["target_attainment|mtd|"].value is None


def test_a_goal_that_ended_long_before_the_last_owner_is_not_spoken_of() -> None:
    owners = Owners()
    owners.hear(goal("february", "2024-02-01 08:00", value=1, start="2024-02-01"), sale(1, "2024-03-12 10:00"))
    owners.publish()
    owners.checkpoint()
    owners.die()
    assert not {key for key in owners.publish() if "february" in key}
