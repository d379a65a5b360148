"""The counting plan: which measures a fact adds to, under which groupings. Made once from catalogue and measures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from schemas.catalogue import KPIS, Kpi
from schemas.errors import CatalogueError
from schemas.measures import COUNT, FACTS, MEASURES, Measure
from schemas.windows import EVENT_DIMENSIONS, RESOLUTIONS, ROLLING_MS, WINDOW_RESOLUTION, WINDOWS
from streams.formula import parse

GLOBAL: Final = ""


class Op(NamedTuple):
    """Add one of a fact's integers to a measure; ``slot`` 0 is the count, 1.. the fact's quantities."""

    measure: str
    slot: int


class Counting(NamedTuple):
    """What facts with certain attributes add to.

    Args:
        groupings: ``(dimension index, ops)`` for the event dimensions; index -1 is the global grouping.
        attributes: ``(dimension name, value, ops)`` for groupings by the fact's own attributes.
        histograms: ``(measure, slot, dimension indexes)``; -1 is the global grouping.
        products: Whether any of it is broken down by product.
    """

    groupings: tuple[tuple[int, tuple[Op, ...]], ...]
    attributes: tuple[tuple[str, str, tuple[Op, ...]], ...]
    histograms: tuple[tuple[str, int, tuple[int, ...]], ...]


class Plan:
    """Measures and the groupings they are kept under.

    Args:
        kpis: The catalogue in force.
        measures: Every measure that formulas may name.

    Raises:
        CatalogueError: A formula names an unknown measure, or a dimension that a measure's facts do not have.
    """

    def __init__(self, kpis: Sequence[Kpi] = KPIS, measures: Iterable[Measure] = MEASURES) -> None:
        self.kpis = tuple(kpis)
        self.measures = {measure.name: measure for measure in measures}
        self.presence = dict(self._presence())
        self.groupings = {name: frozenset(found) for name, found in self._groupings().items()}
        self.finest = dict(self._finest())
        self.levels = frozenset(
            f"{m.name}@{window}" for m in self.measures.values() if m.per_window for window in ROLLING_MS
        )
        self.plain_facts = frozenset(measure.fact for measure in self.measures.values() if self.groupings[measure.name])
        self._counting: dict[tuple[str, ...], Counting] = {}

    def measure_names(self, kpi: Kpi) -> tuple[str, ...]:
        """Return the measures a KPI is computed from."""
        formulas = (kpi.numerator, kpi.denominator, kpi.fallback_denominator)
        return tuple(dict.fromkeys(name for formula in formulas if formula for name, _ in parse(formula)))

    def counting(self, fact: str, *attributes: str | None) -> Counting:
        """Return what a fact with these attributes (in the order of its declaration) adds to."""
        key = (fact, *(value or "" for value in attributes))
        found = self._counting.get(key)
        if found is None:
            attributes_of = dict(zip(FACTS[fact].attributes, key[1:], strict=False))
            found = self._counting[key] = self._make_counting(fact, attributes_of)
        return found

    def dimensions_of(self, fact: str) -> tuple[int, ...]:
        """Return the dimension indexes under which any measure of a fact is kept; -1 is the global grouping."""
        names = {dimension for m in self.measures.values() if m.fact == fact for dimension in self.groupings[m.name]}
        return tuple(index for index, name in _indexed_dimensions() if name in names)

    def _presence(self) -> Iterable[tuple[str, str]]:
        """Measure -> the count of the same facts: a series exists where that is not 0.

        A quantity may well be 0 (a gift), so where no count of the same facts is declared one is added.
        """
        counts = {(m.fact, *sorted(m.where.items())): m.name for m in self.measures.values() if _is_count(m)}
        for measure in tuple(self.measures.values()):
            if measure.base_only:
                continue
            facts = (measure.fact, *sorted(measure.where.items()))
            if facts not in counts:
                counts[facts] = f"{measure.name}_count"
                self.measures[counts[facts]] = Measure(counts[facts], measure.fact, where=measure.where)
            yield measure.name, counts[facts]

    def _make_counting(self, fact: str, attributes: dict[str, str]) -> Counting:
        measures = [
            measure
            for measure in self.measures.values()
            if measure.fact == fact and all(attributes.get(name) in allowed for name, allowed in measure.where.items())
        ]
        plain = [measure for measure in measures if not measure.histogram]
        by_dimension = ((index, self._ops(plain, name)) for index, name in _indexed_dimensions())
        by_attribute = ((name, value, self._ops(plain, name)) for name, value in attributes.items() if value)
        histograms = (
            (
                measure.name,
                _slot(measure),
                tuple(index for index, name in _indexed_dimensions() if name in self.groupings[measure.name]),
            )
            for measure in measures
            if measure.histogram
        )
        return Counting(
            tuple((index, ops) for index, ops in by_dimension if ops),
            tuple((name, value, ops) for name, value, ops in by_attribute if ops),
            tuple(histograms),
        )

    def _ops(self, measures: Iterable[Measure], dimension: str) -> tuple[Op, ...]:
        return tuple(Op(m.name, _slot(m)) for m in measures if dimension in self.groupings[m.name])

    def _groupings(self) -> dict[str, set[str]]:
        groupings: dict[str, set[str]] = {name: set() for name in self.measures}
        for kpi in self.kpis:
            wanted = {*kpi.dimensions, GLOBAL} if kpi.has_global else {*kpi.dimensions}
            for name in self.measure_names(kpi):
                if name not in groupings:
                    raise CatalogueError(f"KPI {kpi.name}: no measure is called {name!r}")
                self._check_dimensions(kpi, self.measures[name])
                groupings[name] |= wanted
                groupings[self.presence.get(name, name)] |= wanted
        return groupings

    @staticmethod
    def _check_dimensions(kpi: Kpi, measure: Measure) -> None:
        known = {*EVENT_DIMENSIONS, *FACTS[measure.fact].attributes}
        for dimension in kpi.dimensions:
            if dimension not in known:
                raise CatalogueError(
                    f"KPI {kpi.name}: its measure {measure.name} is of {measure.fact!r} facts, which have no "
                    f"{dimension!r}; allowed: {', '.join(sorted(known))}"
                )

    def _finest(self) -> Iterable[tuple[str, int]]:
        """Stored measure -> index of the finest resolution that it has cells of, where that is not the first."""
        for measure in self.measures.values():
            if measure.per_window:
                for window in WINDOWS:
                    yield f"{measure.name}@{window}", RESOLUTIONS.index(WINDOW_RESOLUTION[window])


def _is_count(measure: Measure) -> bool:
    return measure.quantity == COUNT and not measure.histogram


def _slot(measure: Measure) -> int:
    if measure.quantity == COUNT:
        return 0
    return 1 + FACTS[measure.fact].quantities.index(measure.quantity)


def _indexed_dimensions() -> Iterable[tuple[int, str]]:
    return ((-1, GLOBAL), *enumerate(EVENT_DIMENSIONS))
