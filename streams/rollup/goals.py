"""Goals: how far each is, in the to-date window of its period, and what their sums say.

A goal's actual value is the numerator of its KPI in the series that it is about, of a ratio the ratio; a parent has its
children's. All of it is known to the owner of the global series, which owns the six event dimensions and ``target`` as
well. Which KPIs say something of goals, of which KPI's goals they say the sums, and what they set against them, the
catalogue declares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from fractions import Fraction
from typing import Final, NamedTuple

from schemas.catalogue import Kpi
from schemas.kpi import Unit, dims_key, parse_dims
from schemas.windows import WINDOWS
from streams.fold.goals import PREFIX, Goal, goal_of
from streams.plan import Plan
from streams.rollup.goal_kinds import (
    RATIO,
    GoalKey,
    GoalValue,
    Progress,
    add,
    kind_of,
    ratios_of,
    said_in,
    standing_goals,
    target_of,
    unit_of,
    window_of,
)
from streams.rollup.series import Series
from streams.rollup.timeline import Timeline
from streams.rollup.upstream import RollupRules
from streams.rollup.values import UNKNOWN, Computed, KpisOfWindows, WindowKpi, divide, scale_of
from streams.time import LAST_DAY, LAST_MS, Calendar
from streams.worktime import WorkTime

__all__ = ["GROUPING", "PREFIX", "GoalKey", "GoalValue", "Goals", "SeriesOf", "standing_goals"]

GROUPING: Final = "target"


SeriesOf = Callable[[str], Series | None]
"""Dimension key -> its series, brought to the present; None where nothing was counted yet."""


class _Present(NamedTuple):
    """What progress is measured with at one time; what is counted already on the way from the top is ``above``."""

    goals: Mapping[str, Goal]
    children: Mapping[str, Sequence[str]]
    series_of: SeriesOf
    timeline: Timeline
    above: frozenset[str] = frozenset()


class Goals:
    """All goals that hold.

    Args:
        plan: Which KPIs say something of goals.
        rules: Currency.
        kpis: The KPIs of every grouping, for the actual values.
        calendar: Periods of the business zone.
        worktime: How much of a period's working time has passed.
    """

    def __init__(
        self,
        plan: Plan,
        rules: RollupRules,
        kpis: Mapping[str, KpisOfWindows],
        calendar: Calendar,
        worktime: WorkTime,
    ) -> None:
        self._of_goals = tuple(kpi for kpi in plan.kpis if kpi.goal is not None)
        self._ratios = ratios_of(plan.kpis)
        self._currency = rules.currency
        self._kpis = {
            (grouping, WINDOWS[index], kpi.kpi.name): kpi
            for grouping, windows in kpis.items()
            for index, of_window in enumerate(windows)
            for kpi in of_window
        }
        self._calendar = calendar
        self._worktime = worktime
        self._goals: dict[str, Goal] = {}
        self._standing = {name: goal for kpi in plan.kpis for name, goal in standing_goals(kpi, rules.currency)}

    def note(self, series: Series) -> None:
        """Take what a series of the grouping ``target`` says: the definition of its goal, or that there is none."""
        target_id = series.dimensions[GROUPING]
        defined = [name for name, count in series.total.items() if count > 0 and name.startswith(PREFIX)]
        if defined:
            self._goals[target_id] = goal_of(defined[0])
        else:
            self._goals.pop(target_id, None)

    def values(self, series_of: SeriesOf, timeline: Timeline, now_ms: int) -> Iterator[GoalValue]:
        """Return what is to be said of the goals whose period is the present one."""
        known = {**self._standing, **self._goals}
        if not (known and self._of_goals):
            return
        goals = {name: goal for name, goal in sorted(known.items()) if self._is_current(goal, now_ms)}
        present = _Present(goals, _children(goals), series_of, timeline)
        sums: dict[tuple[str, str, str], list[Progress]] = {}
        for name, goal in goals.items():
            own = self._progress(name, present)
            for kpi in self._of_goal(goal):
                yield self._value(kpi, window_of(goal), {GROUPING: name}, own, unit_of(goal), present)
            if goal.kind == "currency":
                sums.setdefault((goal.kpi or "", window_of(goal), dims_key(goal.dimensions)), []).append(own)
        for (summed, window, dims), parts in sums.items():
            for kpi in self._of_sum(summed, parse_dims(dims)):
                yield self._value(kpi, window, parse_dims(dims), add(parts), "money", present)

    def former(self, passed_by: Iterable[tuple[str, str]], since_ms: int, now_ms: int | None) -> Iterator[GoalKey]:
        """Return the series of goals that were current after an instant, and are not, or are others, now.

        Args:
            passed_by: Ids and definitions (as measures).
            since_ms: The instant.
            now_ms: None: of all that may have been current since.
        """
        for target_id, measure in passed_by:
            goal = goal_of(measure)
            holds = self._goals.get(target_id) == goal and now_ms is not None and self._is_current(goal, now_ms)
            period = self._calendar.period(window_of(goal), self._start_ms(goal))
            if not holds and period.end_ms > since_ms and (now_ms is None or period.start_ms < now_ms):
                dims = dims_key({GROUPING: target_id})
                for kpi in self._of_goal(goal):
                    yield GoalKey(kpi.name, window_of(goal), dims, said_in(kpi, unit_of(goal)))
                for kpi in self._of_sum(goal.kpi or "", goal.dimensions) if goal.kind == "currency" else ():
                    yield GoalKey(kpi.name, window_of(goal), dims_key(goal.dimensions), said_in(kpi, "money"))

    def _of_goal(self, goal: Goal) -> list[Kpi]:
        """Return the KPIs that say something of a goal; a ratio does not grow with the period, so it has no pace."""
        steady = kind_of(goal, self._ratios) == RATIO
        return [kpi for kpi in self._of_goals if GROUPING in kpi.groupings and (kpi.goal == "attainment" or not steady)]

    def _of_sum(self, summed: str, dimensions: Mapping[str, str]) -> list[Kpi]:
        """Return the KPIs that say something of the sum of a KPI's goals in a series."""
        grouping = ",".join(dimensions)
        return [kpi for kpi in self._of_goals if kpi.summed == summed and grouping in kpi.groupings]

    def _is_current(self, goal: Goal, now_ms: int) -> bool:
        if goal.start is None:
            return True
        window = window_of(goal)
        start_ms = self._calendar.period_start(window, self._start_ms(goal))
        return start_ms == self._calendar.period_start(window, now_ms - 1)

    def _start_ms(self, goal: Goal) -> int:
        # Intake once let in any day that can be written, and in small letters: the log may hold such.
        start = goal.start or 0
        if isinstance(start, str):
            start = self._calendar.midnight(min(date.fromisoformat(start.upper()), LAST_DAY))
        return min(start, LAST_MS)

    def _progress(self, name: str, present: _Present) -> Progress:
        goal = present.goals[name]
        kind = kind_of(goal, self._ratios)
        if kind == RATIO:  # which is not what its parts have together
            return self._ratio(goal, present)
        if name in present.children:
            # Without the goal itself among them, so that a circle of parents ends.
            below = present._replace(above=present.above | {name})
            children = {other: present.goals[other] for other in present.children[name] if other not in below.above}
            if children:
                return self._rolled_up(goal, children, below)
        if kind == "boolean":
            return Progress(int(goal.done > 0), Fraction(1))
        if kind == "tasks":
            return Progress(goal.done, target_of(goal))
        return Progress(self._actual(goal.kpi or "", goal.dimensions, window_of(goal), present), target_of(goal))

    def _rolled_up(self, goal: Goal, children: Mapping[str, Goal], present: _Present) -> Progress:
        """Return what the children of a goal make of it."""
        done = {other: self._progress(other, present) for other in children}
        if goal.kind == "tasks":
            return Progress(sum(child.reached for child in done.values()), Fraction(len(done)))
        if goal.kind == "boolean":
            return Progress(int(all(child.reached for child in done.values())), Fraction(1))
        total = add(done[other] for other, child in children.items() if kind_of(child, self._ratios) == goal.kind)
        return Progress(total.actual, target_of(goal) or total.value)

    def _ratio(self, goal: Goal, present: _Present) -> Progress:
        """Return a ratio against its target: ``n / d`` of a target is ``n`` of ``d`` times the target."""
        computed = self._compute(goal.kpi or "", goal.dimensions, window_of(goal), present)
        if computed is None or computed.value is None or computed.numerator is None or computed.denominator is None:
            return Progress(None, Fraction(0))
        compiled = self._kpis[",".join(goal.dimensions), window_of(goal), goal.kpi or ""]
        # An amount is in minor units, as the parts are; other targets are in what the value is in.
        target = target_of(goal) * (1 if goal.kind == "currency" else scale_of(compiled.kpi.unit, self._currency))
        return Progress(computed.numerator, computed.denominator * target)

    def _actual(self, kpi: str, dimensions: Mapping[str, str], window: str, present: _Present) -> int | None:
        """Return the numerator of a KPI; 0 where nothing was counted yet, None where it is not counted at all."""
        if (",".join(dimensions), window, kpi) not in self._kpis:
            return None
        computed = self._compute(kpi, dimensions, window, present)
        return (computed.numerator or 0) if computed is not None else 0

    def _compute(self, kpi: str, dimensions: Mapping[str, str], window: str, present: _Present) -> Computed | None:
        """Return a KPI of a series; None where it is not counted, or nothing was counted yet."""
        compiled: WindowKpi | None = self._kpis.get((",".join(dimensions), window, kpi))
        found = present.series_of(dims_key(dimensions))
        if compiled is None or found is None:
            return None
        sums, previous = found.window_sums(WINDOWS.index(window))
        return compiled.compute(sums, previous)

    def _value(
        self, kpi: Kpi, window: str, dimensions: Mapping[str, str], own: Progress, unit: Unit, present: _Present
    ) -> GoalValue:
        index = WINDOWS.index(window)
        unit = said_in(kpi, unit)
        return GoalValue(kpi.name, index, dimensions, self._computed(kpi, index, dimensions, own, unit, present), unit)

    def _computed(
        self, kpi: Kpi, window: int, dimensions: Mapping[str, str], own: Progress, unit: Unit, present: _Present
    ) -> Computed:
        if own.actual is None:
            return UNKNOWN
        value, times = own.value.as_integer_ratio()
        actual = own.actual * times
        if kpi.goal == "attainment":
            return divide(actual, value)
        if kpi.goal == "coverage":
            covering = self._actual(kpi.covered_by, dimensions, WINDOWS[window], present)
            return UNKNOWN if covering is None else divide(covering * times, value - actual)
        span = present.timeline.windows[window].span
        elapsed, whole = self._worktime.elapsed(self._calendar.period(WINDOWS[window], span.start_ms), span.end_ms)
        if kpi.goal == "pace":
            return divide(actual * whole, value * elapsed)
        return divide(own.actual * whole, elapsed, scale_of(unit, self._currency))


def _children(goals: Mapping[str, Goal]) -> dict[str, list[str]]:
    """Return which goals have a goal as their parent: found out once, as there may be one for every rep."""
    children: dict[str, list[str]] = {}
    for name, goal in goals.items():
        if goal.parent is not None:
            children.setdefault(goal.parent, []).append(name)
    return children
