"""KPI values: formulas over the sums of a window, compiled once per KPI and window."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from schemas.catalogue import Kpi
from schemas.currencies import exponent
from schemas.windows import WINDOWS
from streams.formula import parse
from streams.plan import Plan
from streams.time import class_value

Number = int | float

Sums = Mapping[str, int]


class WindowSums(NamedTuple):
    """What is known of one series in one interval.

    Args:
        flow: Sums of the slices in the interval.
        tail: Sums of the slices from the interval's end on, for ever.
        total: Sums of all slices.
    """

    flow: Sums
    tail: Sums
    total: Sums


class Computed(NamedTuple):
    """A KPI of one interval: its value (None: unknown) and the two parts."""

    value: Number | None
    numerator: int | None
    denominator: int | None


class _Term(NamedTuple):
    measure: str
    factor: int
    level: bool


class WindowKpi:
    """One KPI for one window.

    Args:
        kpi: Its declaration.
        window: The window's name.
        plan: Tells levels and measures that exist once a window.
        currency: The reporting currency, for money.
    """

    def __init__(self, kpi: Kpi, window: str, plan: Plan, currency: str) -> None:
        self.kpi = kpi
        self.window = window
        self.currency = currency if kpi.unit == "money" else None
        self._scale = 10 ** exponent(currency) if kpi.unit == "money" else 1
        self._numerator = self._compile(kpi.numerator, plan)
        self._denominator = self._compile(kpi.denominator, plan) if kpi.denominator else ()
        self._fallback = self._compile(kpi.fallback_denominator, plan) if kpi.fallback_denominator else ()
        self._histogram = f"{kpi.numerator}#" if kpi.type == "percentile" else ""
        self._presence = tuple(
            dict.fromkeys(
                f"{plan.presence[name]}@all" if plan.measures[name].per_window else plan.presence[name]
                for name in plan.measure_names(kpi)
                if not plan.measures[name].base_only
            )
        )
        terms = (*self._numerator, *self._denominator, *self._fallback)
        self.measures = frozenset((*(term.measure for term in terms), *self._presence))

    def exists(self, total: Sums) -> bool:
        """Tell whether an event of the KPI's measures ever had the series' dimension value."""
        return any(total.get(count) for count in self._presence)

    def compute(self, sums: WindowSums, previous: WindowSums | None) -> Computed:
        """Return the KPI of an interval; ``previous`` is the interval before, which only growth needs."""
        if self._histogram:
            return self._percentile(sums)
        numerator = self._sum(self._numerator, sums)
        if self.kpi.type == "growth":
            if previous is None:
                return Computed(None, None, None)
            base = self._sum(self._numerator, previous)
            return _divide(numerator - base, base, 1)
        if not self._denominator:
            return Computed(numerator / self._scale if self._scale > 1 else numerator, numerator, None)
        terms = self._denominator
        if self._fallback and not self._sum_total(terms, sums):
            terms = self._fallback
        return _divide(numerator, self._sum(terms, sums), self._scale)

    def _compile(self, formula: str, plan: Plan) -> tuple[_Term, ...]:
        return tuple(self._term(name, factor, plan) for name, factor in parse(formula)) if formula else ()

    def _term(self, name: str, factor: int, plan: Plan) -> _Term:
        stored = f"{name}@{self.window}" if plan.measures[name].per_window else name
        return _Term(stored, factor, self.window == "all" or stored in plan.levels)

    @staticmethod
    def _sum(terms: Iterable[_Term], sums: WindowSums) -> int:
        flow, tail, total = sums
        added = 0
        for measure, factor, level in terms:
            if level:
                added += factor * (total.get(measure, 0) - tail.get(measure, 0))
            else:
                added += factor * flow.get(measure, 0)
        return added

    @staticmethod
    def _sum_total(terms: Iterable[_Term], sums: WindowSums) -> int:
        return sum(sums.total.get(measure, 0) for measure, _, _ in terms)

    def _percentile(self, sums: WindowSums) -> Computed:
        """Nearest rank: the smallest value that at least ``percentile`` per cent of the values do not exceed."""
        prefix, rank = self._histogram, self.kpi.percentile or 50
        source = sums.total if self.window == "all" else sums.flow
        if not source.get(self._presence[0]):
            return Computed(None, None, None)
        classes: list[tuple[int, int]] = []
        for name, count in source.items():
            if name.startswith(prefix):
                left = count - sums.tail.get(name, 0) if self.window == "all" else count
                if left > 0:
                    classes.append((int(name[len(prefix) :]), left))
        total = sum(count for _, count in classes)
        if not total:
            return Computed(None, None, None)
        wanted = -(-total * rank // 100)
        passed = 0
        for index, count in sorted(classes):
            passed += count
            if passed >= wanted:
                return Computed(class_value(index), None, None)
        raise AssertionError("the classes of a histogram add up to its total")


def _divide(numerator: int, denominator: int, scale: int) -> Computed:
    if denominator <= 0:
        return Computed(None, numerator, denominator)
    return Computed(numerator / (denominator * scale) if scale > 1 else numerator / denominator, numerator, denominator)


def compile_kpis(plan: Plan, currency: str) -> dict[str, tuple[tuple[WindowKpi, ...], ...]]:
    """Return, per grouping (dimension names joined by commas; empty: global), the KPIs of every window in order."""
    groupings: dict[str, list[Kpi]] = {}
    for kpi in plan.kpis:
        if kpi.has_global:
            groupings.setdefault("", []).append(kpi)
        for dimension in kpi.dimensions:
            groupings.setdefault(dimension, []).append(kpi)
    return {
        grouping: tuple(tuple(WindowKpi(kpi, window, plan, currency) for kpi in kpis) for window in WINDOWS)
        for grouping, kpis in groupings.items()
    }
