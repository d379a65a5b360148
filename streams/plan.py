"""The plan of a catalogue: its KPIs, the measures they are computed from, and the groupings those are counted under."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from schemas.catalogue import KPIS, Kpi
from schemas.catalogue.compose import Catalogue
from schemas.declare import Dimension
from schemas.errors import CatalogueError
from schemas.facts import FACTS
from schemas.formula import measures_of
from schemas.generations import Counted, settings_that_count
from schemas.measures import COUNT, MEASURES, Measure
from schemas.sections import Settings
from schemas.windows import EVENT_DIMENSIONS, ROLLING_MS
from streams.counting import GLOBAL, CountingPlan, names_in


class Plan(CountingPlan):
    """What a catalogue needs counted.

    Args:
        kpis: The catalogue in force.
        measures: Every measure that formulas may name.
        own: Dimensions of the user's own.
        counted: What is counted already, and stays so; by default what the KPIs need.

    Raises:
        CatalogueError: A formula names an unknown measure, or a dimension that a measure's facts do not have.
    """

    def __init__(
        self,
        kpis: Sequence[Kpi] = KPIS,
        measures: Iterable[Measure] = MEASURES,
        own: Iterable[Dimension] = (),
        counted: Counted | None = None,
    ) -> None:
        self.kpis = tuple(kpis)
        if counted is not None:
            measures, own = counted.measures, counted.dimensions
        own = tuple(own)
        known = {measure.name: measure for measure in measures}
        self.presence = dict(_presence(known))
        needed = self._needed(known, {*EVENT_DIMENSIONS, *(dimension.name for dimension in own)})
        groupings: Mapping[str, Iterable[str]] = needed if counted is None else counted.groupings
        super().__init__(known, {name: frozenset(groupings.get(name, ())) for name in known}, own)
        self.levels = frozenset(self._levels())

    def counted(self, settings: Settings) -> Counted:
        """Return what is counted, to be written down."""
        groupings = {name: tuple(sorted(found)) for name, found in self.groupings.items() if found}
        return Counted(tuple(self.measures.values()), groupings, self.own, settings_that_count(settings))

    def measure_names(self, kpi: Kpi) -> tuple[str, ...]:
        """Return the measures a KPI is computed from."""
        formulas = (kpi.numerator, kpi.denominator, kpi.fallback_denominator, kpi.needs)
        return tuple(dict.fromkeys((*(name for formula in formulas for name in measures_of(formula)), *kpi.class_by)))

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


class Answerable(NamedTuple):
    """A plan of what can be computed from what is counted, and the names of the KPIs that cannot."""

    plan: Plan
    waiting: tuple[str, ...]


def plan_over(catalogue: Catalogue, counted: Counted) -> Answerable:
    """Return the plan of the KPIs of a catalogue that need nothing beyond what is counted already."""
    wanted = plan_of(catalogue)
    measures = {measure.name: measure for measure in counted.measures}
    dimensions = {dimension.name: dimension for dimension in counted.dimensions}
    own = {dimension.name: dimension for dimension in catalogue.dimensions}

    def is_counted(kpi: Kpi) -> bool:
        return all(
            wanted.measures[name] == measures.get(name)
            and groupings <= set(counted.groupings.get(name, ()))
            and all(own.get(each) == dimensions.get(each) for each in _dimensions_of(wanted.measures[name], groupings))
            for name, groupings in wanted.counted_for(kpi).items()
        )

    kpis = tuple(kpi for kpi in catalogue.kpis if is_counted(kpi))
    waiting = tuple(kpi.name for kpi in catalogue.kpis if kpi not in kpis)
    return Answerable(Plan(kpis, counted=counted), waiting)


def _dimensions_of(measure: Measure, groupings: set[str]) -> Iterable[str]:
    """Return the dimensions that a measure is broken down by or filtered on."""
    return (*names_in(groupings), *measure.where)


def _check_dimensions(kpi: Kpi, measure: Measure, groupings: set[str], event_dimensions: set[str]) -> None:
    known = {*event_dimensions, *FACTS[measure.fact].attributes}
    for dimension in names_in(groupings):
        if dimension not in known:
            raise CatalogueError(
                f"KPI {kpi.name}: its measure {measure.name} is of {measure.fact!r} facts, which have no "
                f"{dimension!r}; allowed: {', '.join(sorted(known))}"
            )
