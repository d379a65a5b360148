"""What gathers comes out in the order in which it came up; what is added to the past can be kept apart."""

from __future__ import annotations

from streams.fold.accumulator import Accumulator
from streams.fold.gathering import Gathering, flat
from tests.unit.streams.rows import CALENDAR, PLAN, RULES, drained

DIMS = ("r", None, None, None, None, None)
SLICE_MS = 10_000


def test_facts_and_single_additions_meet_in_one_cell() -> None:
    out = Accumulator(PLAN, CALENDAR, RULES)
    out.add("rep=r", 0, "leads_created", 2)
    out.fact(PLAN.counting("lead"), 0, DIMS, (7,))
    out.add("rep=r", 0, "leads_created", 3)
    assert drained(out)["rep=r", 0]["leads_created"] == 6


def test_cells_come_out_in_the_order_in_which_they_came_up() -> None:
    gathered = Gathering()
    for start_ms, key in ((SLICE_MS, "b"), (0, "b"), (SLICE_MS, "a"), (0, "b")):
        gathered.add({start_ms: {key: {"n": 1}}})
    assert list(flat([gathered])) == [("b", SLICE_MS, {"n": 1}), ("a", SLICE_MS, {"n": 1}), ("b", 0, {"n": 2})]


def test_only_what_is_added_to_the_past_is_kept_apart_and_then_added_to_the_rest() -> None:
    out = Accumulator(PLAN, CALENDAR, RULES)
    out.add("", SLICE_MS, "n", 1)
    apart = out.keep_apart(before_ms=2 * SLICE_MS)
    for start_ms, delta in ((0, 2), (SLICE_MS, 4), (2 * SLICE_MS, 8)):
        out.add("", start_ms, "n", delta)
    assert list(flat(out.put_together(apart))) == [("", SLICE_MS, {"n": 4})]
    out.add("", 0, "n", 16)
    assert drained(out) == {("", 0): {"n": 18}, ("", SLICE_MS): {"n": 5}, ("", 2 * SLICE_MS): {"n": 8}}
