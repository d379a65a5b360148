"""What every event added to the readings of one series: the fold once more, account by account, event by event.

An account's events are taken in order of event time, so what is shown is each event's own increment, and never what
others lost to one that came late. What an account contributes is a pure function of its events in that order, but for
calls, e-mails, visits and service events, which count under the dimensions that were known when they were folded: these
are found first, in order of arrival. So the increments add up to the cells, integer by integer.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from schemas.kpi import parse_dims
from schemas.rows import Row
from schemas.windows import EVENT_DIMENSIONS
from streams.counting import CountingPlan
from streams.dimensions import Dims
from streams.explain.anatomy import Reading
from streams.fold.account import Account, AccountRecord, stated_before
from streams.fold.accumulator import Accumulator
from streams.fold.events import order_of
from streams.fold.gathering import flat
from streams.fold.history import REPLAYED
from streams.fold.rules import FoldRules
from streams.plan import Plan
from streams.time import Calendar

_NEVER_MS: Final = -(1 << 60)


class Step(NamedTuple):
    """What an event added to a reading in one 10 s slice; of a level below 0 where it ends a stay."""

    label: str
    start_ms: int
    amount: int


class Contribution(NamedTuple):
    """An event that counts.

    Args:
        row: The event; ``section`` and ``offset`` say where it is.
        sums: What it added to every reading, by label.
        steps: The same slice by slice.
        later: What it adds to levels in slices after the window: the exits to come.
    """

    row: Row
    sums: Mapping[str, int]
    steps: Sequence[Step]
    later: Sequence[Step]


class Attribution:
    """Attributes the readings of one series to events.

    Args:
        plan: The catalogue in force.
        calendar: Periods of the business zone.
        rules: As of the fold.
        dims: Dimension key of the series whose cells are read.
        readings: What is attributed.
    """

    def __init__(
        self, plan: Plan, calendar: Calendar, rules: FoldRules, dims: str, readings: Iterable[Reading]
    ) -> None:
        self._dims = dims
        self._readings = tuple(readings)
        self._end_ms = max((reading.span.end_ms for reading in self._readings), default=0)
        self._out = Accumulator(_narrow(plan, dims, self._readings), calendar, rules)
        stated = parse_dims(dims)
        # Classes, stages and directions are no dimensions that an event states.
        self._values = tuple(value.encode() for name, value in stated.items() if name in EVENT_DIMENSIONS)

    def concerns(self, packed: Sequence[bytes]) -> bool:
        """Tell whether an account can matter, by its events still encoded: all values of the series occur."""
        return all(any(value in row for row in packed) for value in self._values)

    def of_account(self, arrived: Sequence[Row]) -> Iterator[Contribution]:
        """Yield the events of an account that count, in order of event time.

        Args:
            arrived: Its events in order of arrival; of those with one id the first counts.
        """
        known = _known_on_arrival(arrived, self._out)
        account = Account(AccountRecord([], {}), self._out)
        for row in sorted({row.event_hash: row for row in reversed(arrived)}.values(), key=order_of):
            place = row.section, row.offset
            account.fold(row, _NEVER_MS, known.get(row.event_hash))
            row.section, row.offset = place
            found = self._taken(row)
            if found is not None:
                yield found
        self._out.wins = []

    def _taken(self, row: Row) -> Contribution | None:
        steps: list[Step] = []
        later: list[Step] = []
        for dims, start_ms, sums in flat(self._out.drain()):
            if dims != self._dims:
                continue
            for reading in self._readings:
                amount = sum(value for name, value in sums.items() if reading.takes(name))
                if amount:
                    step = Step(reading.label, start_ms, amount)
                    if reading.counts(start_ms):
                        steps.append(step)
                    elif reading.level and start_ms >= self._end_ms == reading.span.end_ms:
                        later.append(step)
        totals: dict[str, int] = {}
        for step in steps:
            totals[step.label] = totals.get(step.label, 0) + step.amount
        return Contribution(row, totals, steps, later) if steps else None


def _known_on_arrival(arrived: Sequence[Row], out: Accumulator) -> dict[int, Dims]:
    """Return, by event hash, the dimensions of those events that count as they were first known.

    Nothing where events arrived in order: then they are those of the order.
    """
    if all(order_of(before) < order_of(row) for before, row in pairwise(arrived)):
        return {}
    rows: list[Row] = []
    known: dict[int, Dims] = {}
    seen: set[int] = set()
    for row in arrived:
        if row.event_hash in seen:
            continue
        seen.add(row.event_hash)
        place = bisect_right(rows, order_of(row), key=order_of)
        if row.kind not in REPLAYED:
            stated = zip(out.stated(row), stated_before(rows, place, out), strict=True)
            known[row.event_hash] = [own if own is not None else before for own, before in stated]
        rows.insert(place, row)
    return known


def _narrow(plan: Plan, dims: str, readings: Iterable[Reading]) -> CountingPlan:
    """Return a plan that counts nothing but what is read: most of an event's cost is fanning it out."""
    grouping = frozenset((",".join(parse_dims(dims)),))
    names = dict.fromkeys(reading.measure for reading in readings)
    return CountingPlan({name: plan.measures[name] for name in names}, dict.fromkeys(names, grouping), plan.own)
