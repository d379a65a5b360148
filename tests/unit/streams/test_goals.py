"""Goals in the rollup: of what kind they are, what they are part of, and what becomes of them while they run."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Any

import pytest

from schemas.kpi import KpiValue
from schemas.settings import settings_from
from schemas.wire import CellsMessage
from streams.time import LAST_MS
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


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Europe/Berlin", "Pacific/Niue"])
@pytest.mark.parametrize("period", ["day", "week", "month", "quarter", "year"])
@pytest.mark.parametrize("start", ["9999-12-31", "9998-12-31", "2024-w20-1", LAST_MS, 10**18])
def test_a_start_that_intake_refuses_by_now_may_be_in_the_log_and_is_of_no_period(
    start: str | int, period: str, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.intake.targets._start", lambda start: start)
    pipeline = PurePipeline(settings_from({"time": {"zone": zone}}), partitions=2)
    far = goal("g", value=1_000, start=start, period=period)
    said = values(pipeline, [sale(250), far, goal("of-march", value=1_000)])
    assert attained(said, "of-march") == (250, 1_000)
    if start != "2024-w20-1" or period != "year":  # that week lies in this year
        assert not [key for key in said if key.endswith("target=g")]


def test_a_withdrawal_need_say_no_more_than_that() -> None:
    pipeline = floor()
    assert attained(values(pipeline, [goal("g", value=1_000)]), "g") == (0, 1_000)
    withdrawal = event("target.set", "2024-03-06 08:00", target_id="g", kind="currency", withdrawn=True)
    said = values(pipeline, [withdrawal])
    assert attained(said, "g") == (None, None)
    assert said["target_attainment|mtd|"].value is None, "nor is it in any sum"
    assert (said["target_projection|mtd|target=g"].unit, said["target_projection|mtd|"].currency) == ("money", "USD")


def test_a_goal_is_a_number_an_amount_tasks_or_done_or_not() -> None:
    goals = [
        goal("amount", value=1_000),
        goal("number", kpi="deals_won", kind="number", value=4),
        goal("of-ben", kpi="deals_won", kind="number", value=4, dimensions={"rep": "ben"}),
        goal("tasks", kind="tasks", value=5, done=2),
        goal("open", kind="boolean", done=False),
        goal("done", kind="boolean", done=True),
    ]
    said = values(floor(), [sale(250, rep_id="ben"), sale(500, rep_id="anna"), *goals])
    assert {name: attained(said, name) for name in ("amount", "number", "of-ben", "tasks", "open", "done")} == {
        "amount": (750, 1_000),
        "number": (2, 4),
        "of-ben": (1, 4),
        "tasks": (2, 5),
        "open": (0, 1),
        "done": (1, 1),
    }


def test_tasks_need_no_kpi_alone_and_as_parents_and_parts() -> None:
    goals = [
        goal("tasks", kpi=None, kind="tasks", value=5, done=2, parent="all"),
        goal("done", kpi=None, kind="boolean", done=True, parent="all"),
        goal("money", value=500, parent="all", dimensions={"rep": "ben"}),
        goal("all", kpi=None, kind="tasks"),
    ]
    said = values(floor(), [sale(500, rep_id="ben"), *goals])
    assert [attained(said, name) for name in ("tasks", "done", "money", "all")] == [(2, 5), (1, 1), (500, 500), (2, 3)]
    assert said["target_attainment|mtd|target=tasks"].value == 0.4


def test_a_target_is_as_exact_as_it_was_written() -> None:
    goals = [
        goal("wins", kpi="deals_won", kind="number", value=2.5),
        goal("lists", kind="tasks", value=2.5, done=2),
        goal("hundredth", kpi="deals_won", kind="number", value=0.01),
        goal("both", kpi="deals_won", kind="number", value=0),
        goal("half", kpi="deals_won", kind="number", value=0.5, parent="both"),
        goal("third", kpi="deals_won", kind="number", value=3.25, parent="both"),
        goal("reached", kind="tasks", value=1),
        goal("not yet", kpi="deals_won", kind="number", value=2.5, parent="reached"),
    ]
    said = values(floor(), [sale(250), sale(500), *goals])
    assert attained(said, "wins") == attained(said, "lists") == (4, 5), "2 of 2.5, twice as large to be integers"
    assert said["target_attainment|mtd|target=wins"].value == 0.8
    assert said["target_pace|mtd|target=wins"].value == pytest.approx(0.8 / (8 / 21))
    assert said["target_projection|mtd|target=wins"].value == pytest.approx(2 * 21 / 8)
    assert attained(said, "hundredth") == (200, 1)
    assert attained(said, "both") == (16, 15), "4 of 3.75"
    assert attained(said, "reached") == (0, 1)


@pytest.mark.parametrize("kind", ["number", "tasks"])
@pytest.mark.parametrize(
    ("value", "parts"), [(5e-324, (2, 0)), (4e-7, (2, 0)), (1e-6, (2_000_000, 1)), (0.1 + 0.2, (20, 3))]
)
def test_a_target_has_six_decimals_at_most(kind: str, value: float, parts: tuple[int, int]) -> None:
    said = values(floor(), [sale(250), sale(500), goal("g", kpi="deals_won", kind=kind, value=value, done=2)])
    assert attained(said, "g") == parts
    attainment = said["target_attainment|mtd|target=g"].value
    assert attainment == (parts[0] / parts[1] if parts[1] else None)


def test_a_goal_for_a_ratio_is_about_the_ratio() -> None:
    # 3 of 4 deals are won, for 10.00 in all
    lost = event("deal.lost", account_id="a", deal_id="lost")
    sales = [sale(200), sale(300), sale(500, rep_id="ben", account_id="b")]
    goals = [
        goal("share", kpi="win_rate", kind="number", value=0.6),
        goal("high", kpi="win_rate", kind="number", value=0.8),
        goal("of-ben", kpi="win_rate", kind="number", value=0.5, dimensions={"rep": "ben"}),
        goal("of-nobody", kpi="win_rate", kind="number", value=0.5, dimensions={"rep": "nobody"}),
        goal("ticket", kpi="average_ticket", value=500),
        goal("in-dollars", kpi="average_ticket", kind="number", value=5),
        goal("sum", kpi="deals_won", kind="number", value=6),
        goal("wins", kpi="deals_won", kind="number", value=4, parent="sum"),
        goal("none", kpi="win_rate", kind="number", value=0.7, parent="sum"),
        goal("list", kind="tasks", value=1),
        goal("done", kpi="win_rate", kind="number", value=0.75, parent="list"),
        goal("open", kpi="win_rate", kind="number", value=0.76, parent="list"),
    ]
    said = values(floor(), [*sales, lost, *goals])
    assert attained(said, "share") == (15, 12), "3 of 4 times 0.6"
    assert attained(said, "high") == (15, 16)
    assert attained(said, "of-ben") == (2, 1)
    assert attained(said, "of-nobody") == (None, None), "a ratio of nothing is unknown"
    assert said["target_attainment|mtd|target=ticket"].value == said["target_attainment|mtd|target=in-dollars"].value
    assert attained(said, "ticket") == (1_000, 3 * 500)
    assert attained(said, "sum") == (3, 6), "a ratio is in no sum"
    assert attained(said, "list") == (1, 2)
    assert not [key for key in said if key.startswith(("target_pace", "target_projection")) and "share" in key]


def test_a_parent_has_what_its_children_have() -> None:
    # money  <- ben, anna (amounts), calls (a number)     all <- money, list (tasks: which of them are reached)
    goals = [
        goal("money", value=0, parent="all"),
        goal("ben", value=300, parent="money", dimensions={"rep": "ben"}),
        goal("anna", value=700, parent="money", dimensions={"rep": "anna"}),
        goal("calls", kpi="calls", kind="number", value=1, parent="money"),
        goal("list", kind="boolean", done=True, parent="all"),
        goal("all", kind="tasks", value=9),
        goal("both", kind="boolean", parent="nobody"),
        goal("first", kpi="deals_won", kind="number", value=1, parent="both"),
        goal("second", kpi="deals_won", kind="number", value=3, parent="both"),
    ]
    events = [sale(300, rep_id="ben"), sale(400, rep_id="anna"), *goals]
    said = values(floor(), events)
    assert attained(said, "money") == (700, 1_000), "the amounts of its children, against the sum of theirs"
    assert attained(said, "all") == (1, 2), "one of two children is reached"
    assert attained(said, "both") == (0, 1)
    own = [goal("money", "2024-03-02 08:00", value=700, parent="all"), sale(1, account_id="z")]
    said = values(floor(), [*events, *own])
    assert attained(said, "money") == (700, 700), "its own value counts if it has one"
    assert attained(said, "all") == (2, 2)
    assert attained(said, "both") == (1, 1)


def test_circles_of_parents_end_and_a_goal_that_is_its_own_parent_is_alone() -> None:
    goals = [goal("a", value=10, parent="b"), goal("b", value=20, parent="a"), goal("c", value=30, parent="c")]
    said = values(floor(), [sale(6), *goals])
    assert [attained(said, name) for name in "abc"] == [(6, 10), (6, 20), (6, 30)]


def test_what_is_said_of_a_goal_last_holds_whatever_came_in_last() -> None:
    pipeline = floor()
    changed = goal("g", "2024-03-05 08:00", value=500)
    assert attained(values(pipeline, [sale(250), changed]), "g") == (250, 500)
    assert attained(values(pipeline, [goal("g", value=1_000)]), "g") == (250, 500), "an older one that comes late"
    assert attained(values(pipeline, [goal("g", "2024-03-06 08:00", value=250)]), "g") == (250, 250)
    other = goal("g", "2024-03-07 08:00", kpi="deals_won", kind="number", value=2, period="week", start="2024-03-11")
    said = values(pipeline, [other])
    assert attained(said, "g") == (None, None), "it is no goal of the month any more"
    assert attained(said, "g", "wtd") == (0, 2)
    again = [goal("g", "2024-03-08 08:00", withdrawn=True), goal("g", "2024-03-09 08:00", value=100)]
    assert attained(values(pipeline, again[:1]), "g", "wtd") == (None, None)
    assert attained(values(pipeline, again[1:]), "g") == (250, 100), "set anew after it was withdrawn"


def test_sums_are_those_of_the_revenue_goals_with_just_that_dimension() -> None:
    goals = [
        goal("company", value=1_000),
        goal("more", value=500),
        goal("ben", value=100, dimensions={"rep": "ben"}),
        goal("north", value=200, dimensions={"team": "north"}),
        goal("web", value=400, dimensions={"source": "web"}),
        goal("deals", kpi="deals_won", kind="number", value=5),
    ]
    said = values(floor(), [sale(50, rep_id="ben", team_id="north"), *goals])
    found = {key.split("|")[2]: value for key, value in said.items() if key.startswith("target_attainment|mtd|")}
    sums = {dims: (v.numerator, v.denominator) for dims, v in found.items() if not dims.startswith("target=")}
    assert sums == {"": (100, 1_500), "rep=ben": (50, 100), "team=north": (50, 200)}


def test_pace_and_projected_finish_go_by_the_working_days_that_are_over() -> None:
    # 13 March 2024, 12:00: 8 of the month's 21 working days are over
    said = values(floor(), [sale(40_000), goal("g", value=100_000)])
    pace, projection = said["target_pace|mtd|target=g"], said["target_projection|mtd|target=g"]
    assert pace.value == pytest.approx(0.4 / (8 / 21))
    assert projection.value == pytest.approx(400 * 21 / 8)
    assert (projection.unit, projection.currency) == ("money", "USD")
    assert said["target_projection|mtd|"].value == projection.value


def test_pace_goes_by_hours_and_without_holidays_when_so_set() -> None:
    # Hesse's March 2024 has a holiday, Good Friday on the 29th; the running day is half over at noon
    pipeline = floor(holidays="DE-HE", extra_holidays=["2024-03-28"], working_hours=["08:00", "16:00"])
    said = values(pipeline, [sale(40_000), goal("g", value=100_000)])
    assert said["target_pace|mtd|target=g"].value == pytest.approx(0.4 / (8.5 / 19))
    assert said["target_projection|mtd|target=g"].value == pytest.approx(400 * 19 / 8.5)


def test_before_any_working_time_is_over_pace_and_finish_are_unknown() -> None:
    said = values(floor(), [sale(100, "2024-03-01 09:00"), goal("g", value=1_000)], at("2024-03-01 12:00"))
    assert attained(said, "g") == (100, 1_000)
    assert said["target_pace|mtd|target=g"].value is said["target_projection|mtd|target=g"].value is None


def test_coverage_is_the_open_pipeline_against_what_remains() -> None:
    deal = event("deal.created", account_id="a", deal_id="open", amount=3_000, rep_id="ben")
    goals = [goal("company", value=2_500), goal("ben", value=900, dimensions={"rep": "ben"})]
    said = values(floor(), [deal, sale(1_000, rep_id="ben"), *goals])
    assert said["pipeline_coverage|mtd|"].value == 2.0
    assert said["pipeline_coverage|mtd|rep=ben"].value is None, "nothing remains"
    alone = PurePipeline(settings_from({"catalogue": {"include": ["pipeline_coverage", "revenue"]}}))
    assert values(alone, [deal, *goals])["pipeline_coverage|mtd|"].value is None, "the pipeline is not counted"


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
    owners.publish(at("2024-03-18 00:01"))  # all of it once more, as it is live again
    owners.publish(at("2024-03-18 00:01"))
    owners.checkpoint()
    owners.die()
    assert "target_attainment|wtd|target=week" not in owners.publish(at("2024-03-18 00:01")), "that was said"


def test_that_a_goal_has_ended_is_told_by_the_next_owner_as_well_until_it_was_sent() -> None:
    #  set, published   the week is over, which is not sent   checkpoint   dies
    owners = Owners()
    owners.hear(sale(250), goal("week", value=1_000, period="week", start="2024-03-11"))
    owners.publish()
    owners.hear(sale(1, "2024-03-18 00:00"))
    lost = owners.publish(at("2024-03-18 00:01"))
    assert attained(lost, "week", "wtd") == (None, None)
    owners.checkpoint()
    owners.die()
    assert attained(owners.publish(at("2024-03-18 00:01")), "week", "wtd") == (None, None)


def test_that_a_goal_has_ended_is_told_again_where_nobody_took_it() -> None:
    owners = Owners()
    owners.hear(sale(250), goal("week", value=1_000, period="week", start="2024-03-11"))
    owners.publish()
    owners.publish(at("2024-03-18 00:01"))
    again = owners.floor.rollup.publication(at("2024-03-18 00:01"), complete=True)
    assert again is not None
    assert "target_attainment|wtd|target=week" in {value.key for value in again.values}


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
