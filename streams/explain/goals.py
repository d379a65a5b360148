"""The goals behind a value: which they are, how far each is, and whose numbers its actual value is."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from typing import Final, NamedTuple

from schemas.catalogue import KPIS
from schemas.declare import Kpi, goal_kpi
from schemas.explanation import Goal, Goals
from schemas.kpi import KpiValue, series_key
from streams.fold.goals import PREFIX, goal_of
from streams.fold.goals import Goal as Definition
from streams.publication import Published
from streams.rollup.goal_kinds import RATIO, kind_of
from streams.rollup.goals import GROUPING
from streams.rollup.series import Series

ATTAINMENT: Final = goal_kpi(KPIS, "attainment")


class Behind(NamedTuple):
    """The goals, and the KPI and dimensions whose numerator the actual value is; None where it is not counted."""

    goals: list[Goal]
    rolled_up: bool
    subject: tuple[str, Mapping[str, str]] | None

    def document(self, working_time: tuple[int, int]) -> Goals:
        """Return it with the working time passed, and that of the whole period."""
        passed, whole = working_time
        return Goals(goals=self.goals, rolled_up=self.rolled_up, working_time=passed, working_time_whole=whole)


def goals_behind(
    kpi: Kpi,
    value: KpiValue,
    series: Mapping[str, Series],
    values: Mapping[str, Published],
    standing: Mapping[str, Definition],
    ratios: Container[str],
) -> Behind:
    """Return the goals that a value of a goal KPI is about.

    Args:
        kpi: Its declaration.
        value: What it is.
        series: By dimension key, those of goals among them.
        values: All values of the moment; those of attainment tell which goals are current, and how far.
        standing: Goals that declarations of KPIs set, by id.
        ratios: The KPIs that are ratios.
    """
    definitions = {**standing, **dict(_defined(series))}
    current = {goal.target: goal for goal in _current(value.window, definitions, values, ratios)}
    target = value.dimensions.get(GROUPING)
    if target is not None:
        mine = [current[target]] if target in current else []
        children = [goal for goal in current.values() if goal.parent == target and goal.target != target]
        leaf = mine[0] if mine and not children and mine[0].kind in ("number", "currency", RATIO) else None
        subject = (leaf.kpi, leaf.dimensions) if leaf is not None and leaf.kpi else None
        return Behind([*mine, *children], bool(children), subject)
    summed = [
        goal
        for goal in current.values()
        if goal.kind == "currency" and goal.kpi == kpi.summed and goal.dimensions == value.dimensions
    ]
    if kpi.goal == "coverage":
        return Behind(summed, len(summed) > 1, (kpi.covered_by, value.dimensions))
    return Behind(summed, len(summed) > 1, (kpi.summed, value.dimensions))


def _defined(series: Mapping[str, Series]) -> Iterator[tuple[str, Definition]]:
    for found in series.values():
        names = [name for name, count in found.total.items() if count > 0 and name.startswith(PREFIX)]
        if found.grouping == GROUPING and names:
            yield found.dimensions[GROUPING], goal_of(names[0])


def _current(
    window: str, definitions: Mapping[str, Definition], values: Mapping[str, Published], ratios: Container[str]
) -> Iterator[Goal]:
    """Go through the goals of the periods of now; children may be of another period than their parent."""
    for target, goal in definitions.items():
        windows = (window, "today", "wtd", "mtd", "qtd", "ytd")
        said = (values.get(series_key(ATTAINMENT, each, {GROUPING: target})) for each in windows)
        attained = next((each.value for each in said if each is not None), None)
        if attained is None:
            continue
        yield Goal(
            target=target,
            kpi=goal.kpi,
            dimensions=goal.dimensions,
            kind=kind_of(goal, ratios),
            period=goal.period or "month",
            value=attained.denominator if attained.denominator is not None else round(goal.value),
            actual=attained.numerator,
            parent=goal.parent,
        )
