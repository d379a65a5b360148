"""What goals are: how each is measured, those that declarations of KPIs set, how far one is, and what is said of it.

Targets are decimals of six places at most, and stay exact as fractions; the parts of a KPI value are integers. So
attainment of a target p/q has both parts q times as large: 2 of 2.5 are 4 over 5. Targets that are integers have the
parts as they are.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Final, NamedTuple

from schemas.catalogue import Kpi
from schemas.kpi import Unit
from streams.fold.goals import Goal
from streams.rollup.values import Computed, scale_of

RATIO: Final = "ratio"
"""The kind of a goal that a ratio is to reach, whatever its definition calls it."""

_DECIMALS: Final = 6
_WINDOW_OF: Final = {"day": "today", "week": "wtd", "month": "mtd", "quarter": "qtd", "year": "ytd"}
_UNIT_OF: Final[Mapping[str, Unit]] = {"currency": "money"}


class GoalValue(NamedTuple):
    """A value to publish: its KPI, the index of its window, its dimensions, and the unit it is in."""

    kpi: str
    window: int
    dimensions: Mapping[str, str]
    computed: Computed
    unit: Unit


class GoalKey(NamedTuple):
    """A series of a goal or of a sum of goals, and the unit it is in."""

    kpi: str
    window: str
    dims: str
    unit: Unit


class Progress(NamedTuple):
    """How far a goal is, in its own units; ``actual`` is None where it is not known."""

    actual: int | None
    value: Fraction

    @property
    def reached(self) -> bool:
        """Whether nothing is left to do."""
        return self.value > 0 and (self.actual or 0) >= self.value


def add(parts: Iterable[Progress]) -> Progress:
    """Add up how far goals of one kind are; unknown where one of them is."""
    parts = list(parts)
    known = [part.actual for part in parts if part.actual is not None]
    return Progress(sum(known) if len(known) == len(parts) else None, sum((part.value for part in parts), Fraction(0)))


def target_of(goal: Goal) -> Fraction:
    """Return what is to be reached, as exactly as it was written, to the sixth decimal.

    The parts of a value grow with the decimals, and others read them as integers of 64 bits.
    """
    return round(Fraction(str(goal.value)), _DECIMALS)


def kind_of(goal: Goal, ratios: Container[str]) -> str:
    """Return how a goal is measured: what sets a number or an amount for a ratio is about the ratio.

    Args:
        goal: Its definition.
        ratios: The KPIs that are ratios.
    """
    return RATIO if goal.kind in ("number", "currency") and goal.kpi in ratios else goal.kind


def ratios_of(kpis: Iterable[Kpi]) -> frozenset[str]:
    """Return the names of the KPIs that are ratios."""
    return frozenset(kpi.name for kpi in kpis if kpi.is_ratio)


def standing_goals(kpi: Kpi, currency: str) -> Iterator[tuple[str, Goal]]:
    """Return the goals that a KPI's declaration sets for every period, by their ids: ``{kpi}-{period}``."""
    for period, target in kpi.targets.items():
        value: int | float = target
        kind = RATIO if kpi.is_ratio else "number"
        if kind == "number":
            scaled = Fraction(str(target)) * scale_of(kpi.unit, currency)
            kind, value = ("currency", round(scaled)) if kpi.unit == "money" else (kind, float(scaled))
        yield f"{kpi.name}-{period}", Goal(kind, period, None, kpi.name, {}, value)


def window_of(goal: Goal) -> str:
    """Return the to-date window of a goal's period."""
    return _WINDOW_OF[goal.period or "month"]


def unit_of(goal: Goal) -> Unit:
    """Return what a goal is in."""
    return _UNIT_OF.get(goal.kind, "count")


def said_in(kpi: Kpi, unit: Unit) -> Unit:
    """Return the unit of what a KPI says of a goal that is in a unit: where it ends is in its own, the rest a ratio."""
    return unit if kpi.goal == "projection" else "ratio"
