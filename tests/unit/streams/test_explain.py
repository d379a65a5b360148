"""Explanations of a small sales floor: each sort of KPI, and what is left out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.facts import FACTS
from schemas.kpi import series_key
from schemas.rows import KIND
from schemas.settings import settings_from
from schemas.windows import DAY_MS, HOUR_MS, MINUTE_MS
from streams.explain.anatomy import Intervals
from streams.explain.attribution import Attribution
from streams.explain.book import Book
from streams.explain.causes import CAUSES, kinds_needed
from streams.explain.document import Gathering, newest_first, restates
from streams.explain.letters import WindowLetters
from streams.explain.parts import Explainer, Moment, Parts
from streams.fold.rules import fold_rules
from streams.intake.deadletters import DeadLetter
from streams.rollup.upstream import rollup_rules
from streams.time import Span, iso
from streams.worktime import work_time
from tests.harness import PurePipeline

NOON_MS = 1_731_412_800_000  # Tuesday, 12 November 2024, 12:00 UTC
Event = dict[str, Any]


def event(event_type: str, minutes: int, **fields: Any) -> Event:
    name = f"{event_type}-{minutes}-{fields.get('account_id', 'a')}"
    return {"event_id": name, "event_type": event_type, "occurred_at": NOON_MS + minutes * MINUTE_MS, **fields}


MONEY_GOAL = {"kind": "currency", "kpi": "revenue"}
FLOOR = [
    event("lead.created", -3_000, account_id="a", lead_id="l", source="ads"),
    event("lead.stage_changed", -2_900, account_id="a", lead_id="l", to_stage="contacted"),
    event("deal.created", -120, account_id="a", deal_id="d1", amount=500, rep_id="r1"),
    event("deal.won", -60, account_id="a", deal_id="d1", amount=500, rep_id="r1"),
    event("deal.amended", -50, account_id="a", deal_id="d1", amount=700),
    event("deal.returned", -10, account_id="a", deal_id="d1", amount=100, rep_id="r2"),
    event("deal.created", -90, account_id="b", deal_id="d2", amount=300, rep_id="r1"),
    event("deal.lost", -30, account_id="b", deal_id="d2", rep_id="r1"),
    event("call.completed", -20, account_id="b"),
    event("web.visit", 0, account_id="c"),
    event("target.set", -4_000, target_id="g", period="month", start="2024-11-01", value=6_000, **MONEY_GOAL),
]


class Floor:
    """The floor, and explanations of its values."""

    def __init__(self, events: list[Event], zone: str = "UTC") -> None:
        settings = settings_from({"time": {"clock": "event", "zone": zone}})
        self.events = events
        self.pipeline = PurePipeline(settings)
        self.values = self.pipeline.run(events, wall_ms=0)
        worktime = work_time(settings, self.pipeline.calendar)
        plan, calendar = self.pipeline.plan, self.pipeline.calendar
        self._explainer = Explainer(plan, calendar, rollup_rules(settings), worktime)
        newest_ms = max(int(each["occurred_at"]) for each in events)
        self._moment = Moment(newest_ms + 1, self.pipeline.rollup.series, self.values)

    def parts(self, kpi: str, window: str = "30d", **where: str) -> Parts:
        return self._explainer.parts(self.values[series_key(kpi, window, where)].value, self._moment)

    def listed(self, parts: Parts, limit: int = 100) -> list[tuple[str, dict[str, int], int | None]]:
        """Event id, what it added, and its share of the numerator; newest first."""
        readings = parts.anatomy.readings.values()
        plan = self.pipeline.plan
        rules = fold_rules(self.pipeline.settings)
        attribution = Attribution(plan, self.pipeline.calendar, rules, parts.dims, readings)
        measures = [plan.measures[reading.measure] for reading in readings]
        book = Book(self.pipeline.settings, kinds_needed(measures, parts.dims), {})
        book.take(0, [_Message(offset, each) for offset, each in enumerate(self.events)])
        gathering = Gathering(limit)
        book.attribute(attribution, gathering)
        found = gathering.document(parts.anatomy, parts.sums, [("events", 0)], plan.dimensions, len(self.events))
        assert found.difference == {}
        return [(e.event_id, {each.reading: each.amount for each in e.adds}, e.numerator) for e in found.events]


class _Message:
    key = None
    headers = ()

    def __init__(self, offset: int, content: Event) -> None:
        self.offset = offset
        self.value = json.dumps(content).encode()


@pytest.fixture(scope="module")
def floor() -> Floor:
    return Floor(FLOOR)


def test_a_sum_is_what_its_events_added(floor: Floor) -> None:
    parts = floor.parts("revenue")
    assert parts.sums == {"won_amount": 700, "returned_amount": 100}
    assert floor.listed(parts) == [
        ("deal.returned--10-a", {"returned_amount": 100}, -100),
        ("deal.amended--50-a", {"won_amount": 200}, 200),
        ("deal.won--60-a", {"won_amount": 500}, 500),
    ]
    assert floor.listed(parts, limit=1) == [("deal.returned--10-a", {"returned_amount": 100}, -100)]


def test_under_a_dimension_only_its_own_events_count(floor: Floor) -> None:
    assert [name for name, _, _ in floor.listed(floor.parts("revenue", rep="r2"))] == ["deal.returned--10-a"]


def test_a_ratio_has_both_sides(floor: Floor) -> None:
    parts = floor.parts("win_rate")
    assert parts.sums == {"deals_won": 1, "deals_lost": 1}
    assert {name: side.of(parts.sums) for name, side in parts.anatomy.sides().items()} == {
        "numerator": 1,
        "denominator": 2,
    }


def test_growth_takes_the_previous_window_off(floor: Floor) -> None:
    parts = floor.parts("revenue_growth", "1h")
    assert parts.sums == {
        "won_amount": 0,
        "returned_amount": 100,
        "previous(won_amount)": 700,
        "previous(returned_amount)": 0,
    }
    assert floor.listed(parts)[-1] == ("deal.won--60-a", {"previous(won_amount)": 500}, -500)


def test_a_level_is_entries_and_exits_with_those_to_come() -> None:
    others = [each for each in FLOOR if each["event_id"] != "deal.lost--30-b"]
    floor = Floor([*others, event("deal.created", -30, account_id="c", deal_id="d3")])
    parts = floor.parts("open_deals", "1h")
    assert parts.slices is not None
    assert parts.slices.starts == {"open_deals": 1}
    assert [each.sums for each in parts.slices.slices if each.sums] == [{"open_deals": 1}]
    assert floor.listed(parts) == [
        ("deal.created--30-c", {"open_deals": 1}, 1),
        ("deal.won--60-a", {"open_deals": -1}, -1),
        ("deal.created--90-b", {"open_deals": 1}, 1),
        ("deal.created--120-a", {"open_deals": 1}, 1),
    ]


def test_a_percentile_shows_the_values_around_it(floor: Floor) -> None:
    groups = floor.parts("sales_cycle_p50").groups
    assert groups is not None
    (chosen,) = [group for group in groups.groups if group.chosen]
    assert chosen.value == pytest.approx(3_600, rel=0.01)
    assert groups.rule.startswith("of 1 values in order of size, number 1")


def test_the_weakest_stage_is_named_among_the_others(floor: Floor) -> None:
    groups = floor.parts("weakest_stage").groups
    assert groups is not None
    assert [(group.name, group.value, group.chosen) for group in groups.groups] == [
        ("contacted", 1.0, True),
        ("new", 1.0, False),
    ]


def test_classes_are_shown_together(floor: Floor) -> None:
    groups = floor.parts("abc_revenue", abc_class="A").groups
    assert groups is not None
    assert {group.name: group.sums["ranked_revenue"] for group in groups.groups} == {"A": 600, "B": 0, "C": 0}


def test_a_goal_shows_its_actual_value_and_whose_it_is(floor: Floor) -> None:
    parts = floor.parts("target_attainment", "mtd", target="g")
    assert parts.goals is not None
    (goal,) = parts.goals.goals
    assert (goal.actual, goal.value, goal.kpi) == (600, 6_000, "revenue")
    assert (parts.goals.working_time, parts.goals.working_time_whole) == (7, 21)
    assert parts.source is not None
    assert parts.source.name == "revenue"
    assert len(floor.listed(parts)) == 3


def test_a_goal_for_a_ratio_is_called_so() -> None:
    share = event("target.set", -4_000, target_id="g", period="month", kind="number", kpi="win_rate", value=0.4)
    parts = Floor([*FLOOR[:-1], share]).parts("target_attainment", "mtd", target="g")
    assert parts.goals is not None
    assert [(goal.kind, goal.actual, goal.value) for goal in parts.goals.goals] == [("ratio", 5, 4)]


def test_a_late_call_counts_under_what_was_known_when_it_came() -> None:
    call = event("call.completed", -30, account_id="b")
    lead = event("lead.created", -40, account_id="b", lead_id="l2", rep_id="r9", source="fair")
    for order, expected in (((lead, call), ["-20"]), ((call, lead), ["-20", "-30"])):
        floor = Floor([*FLOOR, *order])
        listed = floor.listed(floor.parts("calls", rep="r1"))
        assert [name for name, _, _ in listed] == [f"call.completed-{minutes}-b" for minutes in expected]


@pytest.mark.parametrize(
    ("window", "step", "count"),
    [("5m", "minute", 6), ("1h", "5 minutes", 13), ("24h", "hour", 25), ("today", "hour", 13), ("7d", "day", 8)],
)
def test_a_window_is_cut_into_a_readable_number_of_slices(floor: Floor, window: str, step: str, count: int) -> None:
    slices = floor.parts("revenue", window).slices
    assert slices is not None
    assert (slices.step, len(slices.slices)) == (step, count)


def test_hours_are_those_of_the_business_zone() -> None:
    slices = Floor(FLOOR, zone="Asia/Kolkata").parts("revenue", "today").slices
    assert slices is not None
    assert all(each.start is not None and each.start.endswith(":30:00Z") for each in slices.slices)


def test_every_fact_has_its_causes() -> None:
    assert CAUSES.keys() == FACTS.keys()
    assert all(name in KIND for names in CAUSES.values() for name in names)


def test_kinds_that_matter_follow_from_facts_and_dimension(floor: Floor) -> None:
    measures = floor.pipeline.plan.measures
    assert kinds_needed([measures["calls"]], "") == {KIND["call.completed"]}
    assert KIND["web.visit"] in kinds_needed([measures["calls"]], "rep=r1")
    assert kinds_needed([measures["spend"]], "source=ads") == {KIND["spend.recorded"]}
    assert KIND["email.replied"] in kinds_needed([measures["deals_won"]], "")


def letter(number: int, value: bytes | None, reason: str = "negative", **fields: Any) -> tuple[str, DeadLetter]:
    made = DeadLetter(
        topic="sales.deals.v1", partition=0, offset=number, reason=reason, failed_at_ms=NOON_MS, value=value, **fields
    )
    return str(number), made


def told(**fields: Any) -> bytes:
    return json.dumps({"event_type": "deal.won", "occurred_at": NOON_MS, "event_id": "e", **fields}).encode()


def test_dead_letters_of_the_window_are_those_that_might_have_counted() -> None:
    span = Span(NOON_MS - HOUR_MS, NOON_MS + HOUR_MS)
    letters = [
        letter(0, told()),
        letter(1, told(occurred_at=iso(NOON_MS - DAY_MS))),  # another time
        letter(2, told(event_type="web.visit")),  # nothing that the KPI counts
        letter(3, told(event_type="deal.wonn"), "unknown_type"),
        letter(4, b"{", "broken_json"),
        letter(5, None, "tombstone"),
        letter(6, told(rep_id="r9")),  # somebody else's
        letter(7, b'{"amount": -1}', headers=(("ce_type", b"deal.won"), ("ce_time", iso(NOON_MS - 1).encode()))),
        letter(8, told(occurred_at="yesterday"), "bad_date"),
    ]
    picked = WindowLetters(span, ("deal.won",), {"rep": "r1"})
    for each in letters:
        picked.take(*each)
    found = picked.letters()
    assert sorted(each.number for each in found.letters) == ["0", "3", "4", "5", "7", "8"]
    assert found.count == 6
    assert found.reasons["negative"] == 2
    by_number = {each.number: each for each in found.letters}
    assert by_number["7"].occurred_at == iso(NOON_MS - 1)
    assert by_number["8"].occurred_at is None


def test_the_newest_dead_letters_are_shown_and_all_are_counted_by_reason_the_most_frequent_first() -> None:
    picked = WindowLetters(Span(0, 2 * NOON_MS), ("deal.won",), {})
    reasons = ["negative", "bad_date", "bad_date", "broken_json"]
    for number in range(40):
        at_ms = NOON_MS - (number * 7 % 40) // 2  # two of every time, in no order
        picked.take(*letter(number, told(occurred_at=at_ms), reasons[number % 4]))
    found = picked.letters()
    by_age = sorted(range(40), key=lambda number: (number * 7 % 40) // 2)
    assert [each.number for each in found.letters] == [str(number) for number in by_age[:20]]
    assert (found.count, list(found.reasons.items())) == (40, [("bad_date", 20), ("negative", 10), ("broken_json", 10)])


def test_offsets_of_dead_letters_are_passed_over(floor: Floor) -> None:
    parts = floor.parts("revenue")
    attribution = Attribution(
        floor.pipeline.plan,
        floor.pipeline.calendar,
        fold_rules(floor.pipeline.settings),
        "",
        parts.anatomy.readings.values(),
    )
    book = Book(floor.pipeline.settings, frozenset(KIND.values()), {0: {5}})
    book.take(0, [_Message(offset, each) for offset, each in enumerate(FLOOR)])
    gathering = Gathering(10)
    book.attribute(attribution, gathering)
    assert gathering.sums == {"won_amount": 700}


def test_shares_of_accounts_are_disjoint_and_complete(floor: Floor) -> None:
    parts = floor.parts("win_rate")
    readings = parts.anatomy.readings.values()
    rules = fold_rules(floor.pipeline.settings)
    gathering = Gathering(10)
    for part in range(3):
        book = Book(floor.pipeline.settings, frozenset(KIND.values()), {}, (part, 3))
        book.take(0, [_Message(offset, each) for offset, each in enumerate(FLOOR)])
        book.attribute(Attribution(floor.pipeline.plan, floor.pipeline.calendar, rules, "", readings), gathering)
    assert gathering.sums == parts.sums


def test_restatements_are_days_of_the_window_each_once() -> None:
    floor = Floor([event("deal.won", -2_880, account_id="a", deal_id="d"), event("web.visit", 0, account_id="a")])
    floor.pipeline.run([event("deal.won", -1_440, account_id="a", deal_id="e", amount=7)], wall_ms=0)
    told = floor.pipeline.take_restatements()
    span = floor.pipeline.calendar.window("30d", NOON_MS + 1)
    intervals = Intervals("30d", span, None, 0)
    found = newest_first(each for each in [*told, *told] if restates(each, "revenue", {}, intervals))
    assert [(each.window, each.before.numerator, each.after.numerator) for each in found] == [("today", 0, 7)]
    assert not any(restates(each, "revenue", {"rep": "r1"}, intervals) for each in told)
