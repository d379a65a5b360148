"""The plan of a catalogue: its KPIs, the measures they are computed from, and the groupings those are counted under."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from schemas.catalogue import KPIS, Kpi
from schemas.catalogue.compose import Catalogue
from schemas.declare import Dimension
from schemas.errors import CatalogueError
from schemas.facts import FACTS
from schemas.formula import measures_of
from schemas.measures import COUNT, MEASURES, Measure
from schemas.windows import EVENT_DIMENSIONS, ROLLING_MS
from streams.counting import GLOBAL, CountingPlan, names_in


class Plan(CountingPlan):
    """What a catalogue needs counted.

    Args:
        kpis: The catalogue in force.
        measures: Every measure that formulas may name.
        own: Dimensions of the user's own.

    Raises:
        CatalogueError: A formula names an unknown measure, or a dimension that a measure's facts do not have.
    """

    def __init__(
        self, kpis: Sequence[Kpi] = KPIS, measures: Iterable[Measure] = MEASURES, own: Iterable[Dimension] = ()
    ) -> None:
        self.kpis = tuple(kpis)
        own = tuple(own)
        known = {measure.name: measure for measure in measures}
        self.presence = dict(_presence(known))
        groupings = self._needed(known, {*EVENT_DIMENSIONS, *(dimension.name for dimension in own)})
        super().__init__(known, {name: frozenset(found) for name, found in groupings.items()}, own)
        self.levels = frozenset(self._levels())

    def measure_names(self, kpi: Kpi) -> tuple[str, ...]:
        """Return the measures a KPI is computed from."""
        formulas = (kpi.numerator, kpi.denominator, kpi.fallback_denominator, kpi.needs)
        return tuple(dict.fromkeys(name for formula in formulas for name in measures_of(formula)))

    def counted_for(self, kpi: Kpi) -> dict[str, set[str]]:
        """Return the measures that a KPI needs counted, those that tell its series exist too, and their groupings."""
        # Classes are made of what is kept globally.
        wanted = {GLOBAL} if kpi.class_of else {*kpi.groupings}
        names = self.measure_names(kpi)
        return {counted: wanted for name in names for counted in (name, self.presence.get(name, name))}

    def _needed(self, measures: dict[str, Measure], event_dimensions: set[str]) -> dict[str, set[str]]:
        groupings: dict[str, set[str]] = {name: set() for name in measures}
        for kpi in self.kpis:
            for name in self.measure_names(kpi):
                if name not in groupings:
                    raise CatalogueError(f"KPI {kpi.name}: no measure is called {name!r}")
            for name, wanted in self.counted_for(kpi).items():
                _check_dimensions(kpi, measures[name], wanted, event_dimensions)
                groupings[name] |= wanted
        return groupings

    def _levels(self) -> Iterable[str]:
        """Stored measures that are levels: those of level facts, and of windows that roll."""
        for measure in self.measures.values():
            if measure.per_window:
                yield from (f"{measure.name}@{window}" for window in ROLLING_MS)
            elif measure.is_level and measure.quantity != "entries":
                yield measure.name


def _presence(measures: dict[str, Measure]) -> Iterable[tuple[str, str]]:
    """Measure -> the count of the same facts: a series exists where that is not 0.

    A quantity may well be 0 (a gift), and a level falls to 0, so where no such count is declared one is added.
    """
    counts = {(m.fact, *sorted(m.where.items())): m.name for m in measures.values() if _is_presence(m)}
    for measure in tuple(measures.values()):
        if measure.base_only:
            continue
        facts = (measure.fact, *sorted(measure.where.items()))
        if facts not in counts:
            counts[facts] = f"{measure.name}_count"
            quantity = "entries" if measure.is_level else COUNT
            measures[counts[facts]] = Measure(counts[facts], measure.fact, quantity, measure.where)
        yield measure.name, counts[facts]


def _is_presence(measure: Measure) -> bool:
    return measure.quantity == ("entries" if measure.is_level else COUNT) and not measure.keyed_by


def plan_of(catalogue: Catalogue) -> Plan:
    """Return what a catalogue needs counted."""
    return Plan(catalogue.kpis, catalogue.measures, catalogue.dimensions)


def _check_dimensions(kpi: Kpi, measure: Measure, groupings: set[str], event_dimensions: set[str]) -> None:
    known = {*event_dimensions, *FACTS[measure.fact].attributes}
    for dimension in names_in(groupings):
        if dimension not in known:
            raise CatalogueError(
                f"KPI {kpi.name}: its measure {measure.name} is of {measure.fact!r} facts, which have no "
                f"{dimension!r}; allowed: {', '.join(sorted(known))}"
            )
