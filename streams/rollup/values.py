"""KPI values: formulas over the sums of a window, compiled once per KPI and window."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache, partial
from typing import Final

import msgspec

from schemas.catalogue import Kpi
from schemas.currencies import exponent
from schemas.formula import Factor, parse
from schemas.windows import WINDOWS
from streams.plan import Plan
from streams.rollup.distribution import Classes, lowest
from streams.rollup.sums import WindowSums
from streams.rollup.upstream import RollupRules

Number = int | float

CLASS_NAMES: Final = ("A", "B", "C")
_SCORE_SCALE: Final = 1000
_FLOW, _LEVEL, _START, _EVERY, _VARIABLE = range(5)
_MODES: Final = {"start": _START, "end": _LEVEL, "every": _EVERY, "variable": _VARIABLE}

_Factors = tuple[tuple[int, str], ...]
_Terms = tuple[tuple[int, _Factors], ...]
_Summing = Callable[[WindowSums], int]


class Computed(msgspec.Struct, frozen=True, gc=False):
    """A KPI of one interval: its value (None: unknown), the two parts, and what the lowest is called."""

    value: Number | None
    numerator: int | None
    denominator: int | None
    label: str | None = None


UNKNOWN: Final = Computed(None, None, None)


class WindowKpi:
    """One KPI for one window.

    Args:
        kpi: Its declaration.
        window: The window's name.
        plan: Tells levels and measures that exist once a window.
        rules: Currency, and what else formulas need of the settings.
        member: Of a KPI that is split into classes: the class.
    """

    def __init__(self, kpi: Kpi, window: str, plan: Plan, rules: RollupRules, member: str = "") -> None:
        self.kpi = kpi
        self.window = window
        self.member = member
        self.currency = rules.currency if kpi.unit == "money" else None
        self._scale = scale_of(kpi.unit, rules.currency)
        self._rules = rules
        self._variables = {"mean_lifetime_s": rules.mean_lifetime_s}
        self._numerator = self._compile(kpi.numerator, plan)
        self._denominator = self._compile(kpi.denominator, plan)
        self._fallback = self._compile(kpi.fallback_denominator, plan)
        self._needs = self._compile(kpi.needs, plan)
        self._presence = frozenset(self._presence_of(name, plan) for name in plan.measure_names(kpi)) - {""}
        terms = (*self._numerator, *self._denominator, *self._fallback, *self._needs)
        named = {*kpi.class_by, *(name for _, factors in terms for _, name in factors)}
        self.measures = frozenset((*named, *self._presence))
        # `all` has no start: what is related to the start is unknown.
        self._never = window == "all" and any(mode == _START for _, factors in terms for mode, _ in factors)
        self.has_levels = any(mode in (_LEVEL, _START, _EVERY) for _, factors in terms for mode, _ in factors)
        self.is_of_flows = self._is_of_flows(terms)
        self.of_totals = frozenset(self._of_totals(terms)) if window != "all" else frozenset()
        self._sum_of_numerator, self._sum_of_denominator = map(self._summing, (self._numerator, self._denominator))
        self._sum_of_fallback, self._sum_of_needs = map(self._summing, (self._fallback, self._needs))
        self._evaluate = self._evaluation()

    def _is_of_flows(self, terms: _Terms) -> bool:
        """Tell whether the flows of an interval are all that its value depends on, and no other series."""
        kpi = self.kpi
        compares = kpi.ranked or kpi.lowest or kpi.growth or bool(self._fallback or self.member)
        return self.window != "all" and not compares and all(mode == _FLOW for _, fs in terms for mode, _ in fs)

    def _of_totals(self, terms: _Terms) -> Iterator[str]:
        """Measures whose sum over all time says something of this window."""
        for _, factors in terms:
            yield from (name for mode, name in factors if mode in (_LEVEL, _START, _EVERY))
        if self._fallback:
            yield from (name for _, factors in self._denominator for _, name in factors)

    def exists(self, ever: Iterable[str]) -> bool:
        """Tell whether an event of the KPI's measures ever had the series' dimension value.

        Args:
            ever: Measures that were ever counted there.
        """
        return not self._presence.isdisjoint(ever)

    def is_counted(self, total: Mapping[str, int]) -> bool:
        """Tell whether an event of the KPI's measures has the series' dimension value, as all is resolved now.

        Args:
            total: Sums of everything that was counted there.
        """
        return any(total.get(name, 0) > 0 for name in self._presence)

    def compute(self, sums: WindowSums, previous: WindowSums | None) -> Computed:
        """Return the KPI of an interval; ``previous`` is the interval before, which only growth needs."""
        return self._evaluate(sums, previous)

    def _evaluation(self) -> Callable[[WindowSums, WindowSums | None], Computed]:
        kpi = self.kpi
        if self._never:
            return lambda _sums, _previous: UNKNOWN
        if kpi.percentile is not None:
            return self._percentile
        if kpi.growth:
            return self._growth
        if kpi.lowest:
            return self._lowest
        if self.member:
            return self._of_class
        return self._ratio if self._denominator else self._simple

    def _simple(self, sums: WindowSums, _previous: WindowSums | None) -> Computed:
        return self._amount(self._sum_of_numerator(sums))

    def _ratio(self, sums: WindowSums, _previous: WindowSums | None) -> Computed:
        summing = self._sum_of_denominator
        if self._fallback and not any(sums.total.get(name) for _, factors in self._denominator for _, name in factors):
            summing = self._sum_of_fallback
        denominator = summing(sums)
        if self._needs and self._sum_of_needs(sums) <= 0:
            denominator = 0
        return divide(self._sum_of_numerator(sums), denominator, self._scale)

    def _growth(self, sums: WindowSums, previous: WindowSums | None) -> Computed:
        if previous is None:
            return UNKNOWN
        base = self._sum_of_numerator(previous)
        return divide(self._sum_of_numerator(sums) - base, base)

    def _percentile(self, sums: WindowSums, _previous: WindowSums | None) -> Computed:
        histogram = sums.histogram(self._numerator[0][1][0][1], whole=self.window == "all")
        return Computed(histogram.percentile(self.kpi.percentile or 50), None, None)

    def _lowest(self, sums: WindowSums, _previous: WindowSums | None) -> Computed:
        over, under = (name for _, ((_, name),) in (*self._numerator, *self._denominator))
        whole = self.window == "all"
        found = lowest(sums.keyed(over, whole=whole), sums.keyed(under, whole=whole), sums.keys(over))
        if found is None:
            return UNKNOWN
        numerator, denominator, label = found
        return Computed(numerator / denominator, numerator, denominator, label)

    def _of_class(self, sums: WindowSums, _previous: WindowSums | None) -> Computed:
        """Return the KPI of one class of a distribution; its formulas name one keyed measure each."""
        place = CLASS_NAMES.index(self.member)
        classes = sums.classes(self.kpi.class_by, self._rules.abc_shares)
        numerator = _class_measure(self._numerator, classes, place)
        if not self._denominator:
            return self._amount(numerator)
        return divide(numerator, _class_measure(self._denominator, classes, place), self._scale)

    def _amount(self, numerator: int) -> Computed:
        return Computed(numerator / self._scale if self._scale > 1 else numerator, numerator, None)

    def _compile(self, formula: str | None, plan: Plan) -> _Terms:
        if not formula:
            return ()
        return tuple((n, tuple(self._factor(factor, plan) for factor in factors)) for n, factors in parse(formula))

    def _factor(self, factor: Factor, plan: Plan) -> tuple[int, str]:
        scope, name = factor
        if scope == "variable":
            return _VARIABLE, name
        stored = f"{name}@{self.window}" if plan.measures[name].per_window else name
        is_level = self.window == "all" or stored in plan.levels
        return _MODES.get(scope, _LEVEL if is_level else _FLOW), stored

    @staticmethod
    def _presence_of(name: str, plan: Plan) -> str:
        measure = plan.measures[name]
        if measure.base_only:
            return ""
        return f"{plan.presence[name]}@all" if measure.per_window else plan.presence[name]

    def _summing(self, terms: _Terms) -> _Summing:
        """Return what computes the sum of some terms; most have one, and that is what was counted in the interval."""
        match terms:
            case ((1, ((mode, name),)),) if mode == _FLOW:
                return lambda sums: sums.flow.get(name, 0)
            case ((1, ((mode, name),)),) if mode == _LEVEL:
                return lambda sums: sums.total.get(name, 0) - sums.tail.get(name, 0)
            case _:
                return partial(self._sum, terms)

    def _sum(self, terms: _Terms, sums: WindowSums) -> int:
        flow, tail, total = sums.flow, sums.tail, sums.total
        added = 0
        for coefficient, factors in terms:
            product = coefficient
            for mode, name in factors:
                if mode == _FLOW:
                    product *= flow.get(name, 0)
                elif mode == _LEVEL:
                    product *= total.get(name, 0) - tail.get(name, 0)
                elif mode == _START:
                    product *= total.get(name, 0) - tail.get(name, 0) - flow.get(name, 0)
                else:
                    product *= self._variable(name, sums)
            added += product
        return added

    def _variable(self, name: str, sums: WindowSums) -> int:
        if name == "end_s":
            return sums.end_s
        return sums.now_s if name == "now_s" else self._variables[name]


def _class_measure(terms: _Terms, classes: Classes, place: int) -> int:
    ((_, ((mode, name),)),) = terms
    parts = classes.parts(name)
    return sum(parts) if mode == _EVERY else parts[place]


def divide(numerator: int, denominator: int, scale: int = 1) -> Computed:
    """Return a ratio; unknown when the denominator is 0 or negative."""
    if denominator <= 0:
        return Computed(None, numerator, denominator)
    return Computed(numerator / (denominator * scale) if scale > 1 else numerator / denominator, numerator, denominator)


def scale_of(unit: str, currency: str) -> int:
    """Return what one unit of a value is in the measures: money in minor units, scores in thousandths."""
    if unit == "money":
        return int(10 ** exponent(currency))
    return _SCORE_SCALE if unit == "score" else 1


KpisOfWindows = tuple[tuple[WindowKpi, ...], ...]
"""The KPIs of every window, in the order of :data:`WINDOWS`."""


@lru_cache(maxsize=2)
def compile_kpis(plan: Plan, rules: RollupRules) -> Mapping[str, KpisOfWindows]:
    """Return, per grouping (dimension names joined by commas; empty: global), the KPIs of every window in order.

    What is said of goals is not among them; classes are under the dimension they are classes of. All rollups of a
    worker share them: to compile them for each of its partitions makes a start and every rebalance dearer.
    """
    groupings: dict[str, list[tuple[Kpi, str]]] = {}
    for kpi in plan.kpis:
        if kpi.goal is None:
            for grouping in kpi.groupings:
                members: Iterable[str] = CLASS_NAMES if kpi.class_of else ("",)
                groupings.setdefault(grouping, []).extend((kpi, member) for member in members)
    return {
        grouping: tuple(
            tuple(WindowKpi(kpi, window, plan, rules, member) for kpi, member in kpis) for window in WINDOWS
        )
        for grouping, kpis in groupings.items()
    }
