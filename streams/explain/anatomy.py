"""What a KPI of one window is made of: its formulas taken apart into measures, each with the slices that it counts.

A measure that a formula names is a *reading*: the slices of a stored measure that lie in an interval. What happened in
the window is read from its start to its end, a level (and everything of the window ``all``) from the beginning to the
window's end, ``start(m)`` from the beginning to its start. Growth reads the previous window as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from schemas.declare import Kpi
from schemas.formula import Factor, parse
from streams.plan import Plan
from streams.time import Span

BEGINNING_MS: Final = -(1 << 60)
"""Before every slice."""


class Reading(NamedTuple):
    """A measure as a formula takes it.

    Args:
        label: As in the formula: ``deals_won``, ``end(customers)``, ``start(customers)``, ``previous(won_amount)``.
        measure: Its declared name.
        stored: What cells call it; of a keyed measure the part before ``#``.
        keyed: It is all keys of ``stored`` together.
        level: It says what is in a state, and not what happened: slices from the beginning on.
        span: The slices that count are those that start in it.
    """

    label: str
    measure: str
    stored: str
    keyed: bool
    level: bool
    span: Span

    def takes(self, stored: str) -> bool:
        """Tell whether a stored measure belongs to it."""
        return stored == self.stored or (self.keyed and stored.partition("#")[0] == self.stored)

    def counts(self, start_ms: int) -> bool:
        """Tell whether it counts a slice."""
        return self.span.start_ms <= start_ms < self.span.end_ms


class Side(NamedTuple):
    """A numerator or denominator: integers times products of readings, to be added up."""

    terms: tuple[tuple[int, tuple[str, ...]], ...]

    @property
    def linear(self) -> bool:
        """Whether every event's share of it is known by itself: no product of readings, no constant."""
        return all(len(labels) == 1 for _, labels in self.terms)

    def of(self, sums: Mapping[str, int]) -> int:
        """Return its value over the sums of its readings."""
        added = 0
        for coefficient, labels in self.terms:
            product = coefficient
            for label in labels:
                product *= sums.get(label, 0)
            added += product
        return added


class Intervals(NamedTuple):
    """A window at one moment, and the one it is compared with."""

    window: str
    span: Span
    previous: Span | None
    now_s: int


class Anatomy(NamedTuple):
    """A KPI of one window taken apart.

    Args:
        readings: Every reading, by label.
        numerator: None where it is no sum of readings (percentiles, classes).
        denominator: None where it divides by nothing.
        needed: What must be above 0 as well.
    """

    readings: Mapping[str, Reading]
    numerator: Side | None
    denominator: Side | None
    needed: Side | None

    def sides(self) -> dict[str, Side]:
        """Return numerator and denominator where they are sums of readings."""
        sides = {"numerator": self.numerator, "denominator": self.denominator}
        return {name: side for name, side in sides.items() if side is not None}


class _Taker:
    """Takes formulas apart.

    Args:
        plan: Tells levels, keyed measures and measures that exist once a window.
        intervals: The window.
        variables: What formulas may name beside measures.
        key: Of keyed measures, the one key that is looked at; empty: all of them together.
    """

    def __init__(self, plan: Plan, intervals: Intervals, variables: Mapping[str, int], key: str) -> None:
        self.readings: dict[str, Reading] = {}
        self._plan = plan
        self._intervals = intervals
        self._variables = {**variables, "now_s": intervals.now_s, "end_s": intervals.span.end_ms // 1000}
        self._key = key

    def side(self, formula: str | None, *, before: bool = False) -> Side | None:
        """Return a formula over readings, of the window or of the one before it; None for no formula."""
        if not formula:
            return None
        terms = []
        for coefficient, factors in parse(formula):
            number, labels = coefficient, []
            for factor in factors:
                if factor.scope == "variable":
                    number *= self._variables[factor.name]
                else:
                    labels.append(self._reading(factor, before=before))
            terms.append((number, tuple(labels)))
        return Side(tuple(terms))

    def _reading(self, factor: Factor, *, before: bool) -> str:
        window, span, previous, _ = self._intervals
        measure = self._plan.measures[factor.name]
        stored = f"{measure.name}@{window}" if measure.per_window else measure.name
        over = previous if before and previous is not None else span
        level = factor.scope != "window" or window == "all" or stored in self._plan.levels
        if factor.scope == "start":
            over = Span(BEGINNING_MS, over.start_ms)
        elif level:
            over = Span(BEGINNING_MS, over.end_ms)
        label = measure.name if factor.scope in ("window", "every") else f"{factor.scope}({measure.name})"
        if measure.keyed_by and self._key:
            label, stored = f"{label}#{self._key}", f"{stored}#{self._key}"
        if before:
            label = f"previous({label})"
        keyed = bool(measure.keyed_by) and not self._key
        self.readings[label] = Reading(label, measure.name, stored, keyed, level, over)
        return label


def anatomy_of(
    kpi: Kpi,
    plan: Plan,
    intervals: Intervals,
    variables: Mapping[str, int],
    *,
    fallback: bool = False,
    key: str = "",
) -> Anatomy:
    """Take a KPI apart.

    Args:
        kpi: Any but one of goals, which are about other KPIs.
        plan: The catalogue in force.
        intervals: The window.
        variables: ``mean_lifetime_s``.
        fallback: Its denominator was 0 in all time, so the other one holds.
        key: Of the lowest ratio of two keyed measures, the key that has it.
    """
    taker = _Taker(plan, intervals, variables, key)
    numerator = taker.side(kpi.numerator)
    denominator = taker.side(kpi.fallback_denominator if fallback else kpi.denominator)
    if kpi.growth and intervals.previous is not None:
        base = taker.side(kpi.numerator, before=True)
        numerator, denominator = _less(numerator, base), base
    never = intervals.window == "all" and (
        kpi.growth or any(r.label.startswith("start(") for r in taker.readings.values())
    )
    if never or kpi.percentile is not None or kpi.class_of or (kpi.lowest and not key):
        numerator = denominator = None
    return Anatomy(taker.readings, numerator, denominator, taker.side(kpi.needs))


def _less(side: Side | None, other: Side | None) -> Side:
    mine, theirs = (found.terms if found is not None else () for found in (side, other))
    return Side((*mine, *((-coefficient, labels) for coefficient, labels in theirs)))


def stored_in(readings: Sequence[Reading], sums: Mapping[str, int]) -> dict[str, int]:
    """Return what readings take of the sums of stored measures, by label; zeros are left out."""
    found: dict[str, int] = {}
    for reading in readings:
        if reading.keyed:
            value = sum(amount for name, amount in sums.items() if reading.takes(name))
        else:
            value = sums.get(reading.stored, 0)
        if value:
            found[reading.label] = value
    return found
