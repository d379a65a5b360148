"""Moments: wins, ranks and goals, each told once."""

from __future__ import annotations

from typing import Any

from schemas.moments import Moment
from schemas.settings import settings_from
from streams.moments import Moments, won
from streams.publication import Publication
from tests.harness import PurePipeline

AT_MS = 1_709_290_800_000  # 2024-03-01 11:00 UTC, a Friday


def sale(number: int, rep: str, amount: int, at_ms: int = AT_MS) -> dict[str, Any]:
    return {
        "event_id": f"s{number}",
        "event_type": "deal.won",
        "occurred_at": at_ms + number,
        "account_id": f"a{number}",
        "deal_id": f"d{number}",
        "rep_id": rep,
        "amount": amount,
    }


def call(number: int, rep: str, at_ms: int) -> dict[str, Any]:
    return {
        "event_id": f"c{number}",
        "event_type": "call.completed",
        "occurred_at": at_ms + number,
        "account_id": f"a{number}",
        "rep_id": rep,
    }


def goal(value: int) -> dict[str, Any]:
    return {
        "event_id": "g",
        "event_type": "target.set",
        "occurred_at": AT_MS,
        "target_id": "march",
        "kpi": "revenue",
        "period": "month",
        "start": "2024-03-01",
        "kind": "currency",
        "value": value,
    }


class Floor:
    """A pipeline whose publications are looked at for moments."""

    def __init__(self, moments: Moments | None = None) -> None:
        self.pipeline = PurePipeline(settings_from({"time": {"clock": "event"}}), partitions=1)
        self.moments = moments or Moments()

    def take(self, *events: dict[str, Any]) -> list[Moment]:
        """Send events, publish, and return what is worth celebrating."""
        self.pipeline.send(events)
        self.pipeline.fold_all()
        self.pipeline.emit(0)
        publication = self.pipeline.rollup.publication(0)
        assert publication is not None
        return list(self.moments.of(publication))


def places(
    moments: list[Moment], window: str = "mtd", kpi: str = "revenue_per_rep"
) -> dict[str, tuple[int | None, int | None]]:
    return {m.dimensions["rep"]: (m.rank, m.previous_rank) for m in moments if (m.kpi, m.window) == (kpi, window)}


def test_a_rep_is_celebrated_for_each_better_place_of_a_period_once() -> None:
    floor = Floor()
    assert places(floor.take(sale(1, "ann", 100), sale(2, "bob", 50))) == {"ann": (1, None), "bob": (2, None)}
    assert places(floor.take(sale(3, "bob", 100))) == {"bob": (1, 2)}, "ann fell to second: nothing to celebrate"
    assert places(floor.take(sale(4, "ann", 100))) == {}, "first again, but she was before"


def test_a_new_period_begins_anew() -> None:
    floor = Floor()
    floor.take(sale(1, "ann", 100))
    tomorrow = floor.take(sale(2, "ann", 100, AT_MS + 86_400_000))
    assert places(tomorrow, "today") == {"ann": (1, None)}
    assert places(tomorrow, "mtd") == {}


def test_points_make_contests_of_the_day_the_week_and_the_month() -> None:
    # Mon 4 March: ann 2 calls     Tue 5 March: bob 1 call and a sale, 11 points
    day_ms = 86_400_000
    monday_ms = AT_MS + 3 * day_ms
    calls = [call(1, "ann", monday_ms), call(2, "ann", monday_ms), call(3, "bob", monday_ms + day_ms)]
    floor = Floor()
    told = floor.take(*calls[:2])
    contests = ("today", "wtd", "mtd")
    assert [places(told, window, "points_per_rep") for window in contests] == [{"ann": (1, None)}] * 3
    told = floor.take(calls[2])
    found = [places(told, window, "points_per_rep") for window in contests]
    assert found == [{"bob": (1, None)}, {"bob": (2, None)}, {"bob": (2, None)}]
    told = floor.take(sale(4, "bob", 100, monday_ms + day_ms))
    found = [places(told, window, "points_per_rep") for window in contests]
    assert found == [{}, {"bob": (1, 2)}, {"bob": (1, 2)}], "today he was first already"
    assert {m.value for m in told if m.kpi == "points_per_rep"} == {11}


def test_a_replay_tells_the_same_moments_under_the_same_ids_and_a_late_event_none_of_another_period() -> None:
    events = [goal(150), sale(1, "ann", 100), sale(2, "bob", 50), sale(3, "ann", 50, AT_MS + 86_400_000)]
    told, again = ([moment.id for moment in Floor().take(*events)] for _ in range(2))
    assert told == again
    assert len(set(told)) == len(told)
    floor = Floor()
    floor.take(*events)
    late = floor.take(sale(4, "zoe", 1_000, AT_MS - 86_400_000))
    assert {m.window for m in late if m.kind == "rank_up"} == {"wtd"}, "Thursday is over, and so is February"


def test_what_was_told_before_a_restart_is_not_told_again() -> None:
    told = Floor().take(sale(1, "ann", 100), sale(2, "bob", 50))
    successor = Moments()
    for moment in told:
        successor.known(moment.id)
    assert Floor(successor).take(sale(1, "ann", 100), sale(2, "bob", 50)) == []


def test_a_goal_is_celebrated_when_it_is_reached() -> None:
    floor = Floor()
    assert not [m for m in floor.take(goal(150), sale(1, "ann", 100)) if m.kind == "goal_reached"]
    (reached,) = [m for m in floor.take(sale(2, "ann", 50)) if m.kind == "goal_reached"]
    assert reached.id == "goal_reached/march/2024-03-01T00:00:00Z"
    assert reached.value == 1


def test_values_that_are_not_live_are_not_celebrated() -> None:
    floor = Floor()
    floor.take(sale(1, "ann", 100))
    publication = floor.pipeline.rollup.publication(1 << 40, complete=True)
    assert isinstance(publication, Publication)
    assert publication.quality == "stale"
    assert list(Moments().of(publication)) == []


def test_a_win_is_announced_with_its_deal_and_amount() -> None:
    floor = Floor()
    floor.pipeline.send([sale(1, "ann", 12_345)])
    floor.pipeline.fold_all()
    (win,) = floor.pipeline.folds[0].take_wins()
    moment = won(win, "USD")
    assert (moment.id, moment.value, moment.currency) == ("deal_won/s1", 123.45, "USD")
    assert moment.dimensions == {"rep": "ann"}
    assert moment.title == "Deal d1 won by ann"
