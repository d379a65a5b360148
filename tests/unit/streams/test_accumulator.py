"""Facts become additions to 10 s slices, under each dimension value once."""

from __future__ import annotations

import pytest

from schemas.windows import DAY_MS, MINUTE_MS
from streams.fold.accumulator import Accumulator
from tests.unit.streams.rows import CALENDAR, PLAN, RULES, at, drained, plan_of

NOW = at("2024-03-13 10:00:07")
SLICE = NOW - NOW % 10_000
DIMS = ("r-1", None, None, "a=b", None, None)
WINDOW_MS = 5 * MINUTE_MS


def lead(out: Accumulator, at_ms: int) -> None:
    out.fact(PLAN.counting("lead"), at_ms, DIMS, (7,))


@pytest.fixture
def out() -> Accumulator:
    return Accumulator(PLAN, CALENDAR, RULES)


def test_a_fact_adds_globally_and_under_each_value_it_has(out: Accumulator) -> None:
    lead(out, NOW)
    assert drained(out) == {
        (key, SLICE): {"leads_created": 1, "lead_created_seconds": 7} for key in ("", "rep=r-1", "source=a%3Db")
    }


def test_what_was_drained_is_not_there_again(out: Accumulator) -> None:
    lead(out, NOW)
    drained(out)
    assert drained(out) == {}


def test_facts_of_one_slice_are_added_up(out: Accumulator) -> None:
    for moment in (SLICE, SLICE + 9_999, SLICE + 10_000):
        lead(out, moment)
    assert {start: sums["leads_created"] for (key, start), sums in drained(out).items() if not key} == {
        SLICE: 2,
        SLICE + 10_000: 1,
    }


def test_taking_contributions_back_leaves_zeros(out: Accumulator) -> None:
    lead(out, NOW)
    out.sign = -1
    lead(out, NOW)
    assert {value for sums in drained(out).values() for value in sums.values()} == {0}


def test_with_sign_0_nothing_is_added(out: Accumulator) -> None:
    out.sign = 0
    lead(out, NOW)
    out.buyer("", NOW, None, None)
    assert drained(out) == {}


def test_a_split_goes_to_its_products_and_not_to_the_events_own() -> None:
    plan = plan_of("product_revenue")
    out = Accumulator(plan, CALENDAR, RULES)
    dims = (None, None, None, None, None, "top")
    out.fact(
        plan.counting("sale", "new"), NOW, dims, (100, 0, 3), products=[("p", 1, (60, 0, 1)), (None, 1, (40, 0, 2))]
    )
    assert {key: sums["won_amount"] for (key, _), sums in drained(out).items()} == {"": 100, "product=p": 60}


def bought(out: Accumulator, measure: str) -> dict[int, int]:
    return {start: sums[measure] for (_, start), sums in drained(out).items() if sums.get(measure)}


def test_a_buyer_of_a_rolling_window_leaves_it_when_it_is_over(out: Accumulator) -> None:
    #  purchase  x
    #  level     +1 --------5m-------- -1
    out.buyer("", NOW, None, None)
    assert bought(out, "buyers@5m") == {SLICE: 1, SLICE + WINDOW_MS: -1}


def test_buying_again_within_the_window_moves_the_exit(out: Accumulator) -> None:
    #  purchases  x    x
    #  level      +1 ------------------- -1
    out.buyer("", NOW, None, None)
    out.buyer("", NOW + MINUTE_MS, NOW, None)
    assert bought(out, "buyers@5m") == {SLICE: 1, SLICE + MINUTE_MS + WINDOW_MS: -1}


def test_buying_again_after_the_window_is_another_stay(out: Accumulator) -> None:
    out.buyer("", NOW, None, None)
    out.buyer("", NOW + 2 * WINDOW_MS, NOW, None)
    assert sum(bought(out, "buyers@5m").values()) == 0
    out.buyer("", NOW, None, None)
    out.buyer("", NOW + 2 * WINDOW_MS, NOW, None)
    assert len(bought(out, "buyers@5m")) == 4


def test_a_repeated_buyer_is_one_from_the_second_purchase_until_the_first_leaves(out: Accumulator) -> None:
    #  purchases  x    x
    #  buyer      |------------------------|
    #  repeated        |-------------|  the first one leaves
    out.buyer("", NOW, None, None)
    drained(out)
    out.buyer("", NOW + MINUTE_MS, NOW, None)
    assert bought(out, "repeat_buyers@5m") == {SLICE + MINUTE_MS: 1, SLICE + WINDOW_MS: -1}


def test_a_buyer_of_a_period_is_counted_at_its_first_purchase_there(out: Accumulator) -> None:
    next_day = NOW + DAY_MS
    out.buyer("", NOW, None, None)
    out.buyer("", NOW + MINUTE_MS, NOW, None)
    out.buyer("", next_day, NOW + MINUTE_MS, NOW)
    deltas = {start: sums for (_, start), sums in drained(out).items()}
    assert deltas[SLICE]["buyers@today"] == 1
    assert deltas[SLICE + MINUTE_MS]["repeat_buyers@today"] == 1
    assert deltas[SLICE + DAY_MS]["buyers@today"] == 1
    assert "repeat_buyers@mtd" not in deltas[SLICE + DAY_MS]
    assert "buyers@all" not in deltas[SLICE + DAY_MS]
