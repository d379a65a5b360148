"""What an event changed in days that are over: noted event by event, for the log of restatements.

Most events cannot: they are of the running day. Of late ones, and of those that restate a sale or an invoice, what they
add to the past is kept apart at first.
"""

from __future__ import annotations

from typing import Final

from schemas.facts import FACTS
from schemas.rows import KIND, Row
from schemas.wire import Restated
from streams.counting import CountingPlan
from streams.fold.account import Account
from streams.fold.accumulator import Accumulator
from streams.fold.gathering import flat
from streams.fold.goals import PREFIX

RESTATING: Final = frozenset(KIND[name] for name in ("deal.won", "deal.amended", "deal.invoice_paid"))
"""Kinds that may change a day that is over though they come on time; any other event has to be late for that."""


class Restating:
    """Notes of one log partition.

    Args:
        plan: Tells measures that go on growing in closed windows, which is no restatement.
        out: Where contributions go.
    """

    def __init__(self, plan: CountingPlan, out: Accumulator) -> None:
        self._out = out
        self._maturing = frozenset(m.name for m in plan.measures.values() if FACTS[m.fact].maturing)
        self._noted: list[Restated] = []

    def take(self) -> list[Restated]:
        """Return what has been noted since the last time."""
        noted, self._noted = self._noted, []
        return noted

    def fold(self, account: Account, row: Row, horizon_ms: int, offset: int, closed_ms: int) -> bool:
        """Have an account fold an event, note what that changes before ``closed_ms``; returns what the account does."""
        apart = self._out.keep_apart(closed_ms)
        event_id, kind, at_ms = row.event_id, row.kind, row.at_ms
        folded = account.fold(row, horizon_ms)
        days: dict[tuple[str, int], dict[str, int]] = {}
        for dims, start_ms, sums in flat(self._out.put_together(apart)):
            delta = days.setdefault((dims, self._out.calendar.day_start(start_ms)), {})
            for measure, value in sums.items():
                delta[measure] = delta.get(measure, 0) + value
        for (dims, day_ms), delta in days.items():
            changed = {name: value for name, value in delta.items() if value and self._counts(name)}
            if changed:
                self._noted.append(Restated(offset, event_id, kind, at_ms, dims, day_ms, changed))
        return folded

    def _counts(self, measure: str) -> bool:
        return measure not in self._maturing and not measure.startswith(PREFIX)
