"""An account may have thousands of sales: what a further one costs does not grow with those before it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

from schemas.rows import Row
from schemas.windows import HOUR_MS
from tests.unit.streams.rows import Book, at, plan_of, row

FIRST_MS = at("2024-01-01 10:00")
PLAN = plan_of("new_customers", "ltv", "abc_customers")


def calls_of(act: Callable[[], object]) -> int:
    """Count calls of functions and values asked of generators: unlike time, they are the same on every machine."""
    calls = 0

    def note(_frame: object, event: str, _arg: object) -> None:
        nonlocal calls
        calls += event == "call"

    before: Any = sys.getprofile()
    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(before)
    return calls


def sales(count: int, begin: int = 0) -> Iterator[Row]:
    for number in range(begin, begin + count):
        yield row("deal.won", FIRST_MS + number * HOUR_MS, deal_id=str(number), amount=100 + number, cost=10)


def book_of(count: int) -> Book:
    return Book(PLAN).take(*sales(count))


def cost_of(events: list[Row], after: int) -> int:
    book = book_of(after)
    return calls_of(lambda: [book.account.fold(event, 0) for event in events])


def test_a_sale_costs_the_same_whatever_was_sold_before() -> None:
    further = list(sales(20, begin=1000))
    assert cost_of(further, after=400) < 1.2 * cost_of(further, after=20)


def test_a_correction_of_the_last_sale_costs_the_same_whatever_was_sold_before() -> None:
    def corrected(number: int) -> list[Row]:
        return [row("deal.amended", FIRST_MS + 2000 * HOUR_MS, deal_id=str(number), amount=7, cost=1)]

    assert cost_of(corrected(399), after=400) < 1.2 * cost_of(corrected(19), after=20)


def test_a_late_sale_costs_as_much_as_there_are_events() -> None:
    late = [row("deal.won", FIRST_MS - HOUR_MS, deal_id="late", amount=5)]
    assert cost_of(late, after=400) < 2.5 * cost_of(late, after=200)
