"""Under which dimension values an event counts: those it states, else its deal's, else its account's (kpis.md, 7)."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.oracle.events import FIELD_OF_DIMENSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.oracle.events import Event, Order

# These keep what was known when they arrived; leads and deals see statements that came later as well.
_KEEP_WHAT_WAS_KNOWN = {"call", "email", "web", "service"}
_WITHOUT_ACCOUNT = {"spend", "target"}


@dataclass(frozen=True, slots=True)
class Fact:
    """An event with the dimension values under which it counts."""

    type: str
    at_ms: int
    order: Order
    account: str
    deal: str | None
    dims: Mapping[str, str]
    body: Mapping[str, Any]


class Statements:
    """What one account's events have said of each dimension, for the account and for each of its deals."""

    def __init__(self) -> None:
        """Nothing has been said."""
        self._said: dict[tuple[str | None, str], list[tuple[Order, str]]] = defaultdict(list)

    def add(self, event: Event) -> None:
        """Take in what an event states: for its account, and for its deal if it has one."""
        for dimension, value in event.said.items():
            insort(self._said[None, dimension], (event.order, value))
            if event.deal is not None:
                insort(self._said[event.deal, dimension], (event.order, value))

    def dims(self, event: Event) -> dict[str, str]:
        """Values for an event, of the statements that are known by now and not after it in event time."""
        found: dict[str, str] = {}
        for dimension in FIELD_OF_DIMENSION:
            value = event.said.get(dimension)
            if value is None and event.deal is not None:
                value = self._last(event.deal, dimension, event.order)
            if value is None:
                value = self._last(None, dimension, event.order)
            if value is not None:
                found[dimension] = value
        return found

    def _last(self, deal: str | None, dimension: str, order: Order) -> str | None:
        said = self._said.get((deal, dimension))
        if not said:
            return None
        place = bisect_right(said, order, key=lambda statement: statement[0])
        return said[place - 1][1] if place else None


def facts_by_account(events: Iterable[Event]) -> dict[str, list[Fact]]:
    """Facts of each account in event order; those of spend and targets, which have no account, under ""."""
    by_account: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        by_account["" if event.family in _WITHOUT_ACCOUNT else event.account].append(event)
    return {account: sorted(_facts(found), key=lambda fact: fact.order) for account, found in by_account.items()}


def _facts(arrivals: list[Event]) -> list[Fact]:
    statements = Statements()
    kept: list[Mapping[str, str] | None] = []
    for event in arrivals:
        if event.family in _WITHOUT_ACCOUNT:
            kept.append(event.said)
            continue
        statements.add(event)
        kept.append(statements.dims(event) if event.family in _KEEP_WHAT_WAS_KNOWN else None)
    return [
        _fact(event, statements.dims(event) if dims is None else dims)
        for event, dims in zip(arrivals, kept, strict=True)
    ]


def _fact(event: Event, dims: Mapping[str, str]) -> Fact:
    return Fact(event.type, event.at_ms, event.order, event.account, event.deal, dims, event.body)
