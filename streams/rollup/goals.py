"""Goals: how far each is, in the to-date window of its period, and what their sums say.

A goal's actual value is the numerator of its KPI in the series that it is about; a parent has its children's. All of
it is known to the owner of the global series, which owns the six event dimensions and ``target`` as well. Which KPIs
say something of goals, of which KPI's goals they say the sums, and what they set against them, the catalogue declares.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from fractions import Fraction
from typing import Final, NamedTuple

from schemas.catalogue import Kpi
from schemas.kpi import Unit, dims_key, parse_dims
from schemas.windows import WINDOWS
from streams.fold.goals import PREFIX, Goal, goal_of
from streams.plan import Plan
from streams.rollup.series import Series
from streams.rollup.timeline import Timeline
from streams.rollup.upstream import RollupRules
from streams.rollup.values import UNKNOWN, Computed, KpisOfWindows, WindowKpi, divide, scale_of
from streams.time import LAST_DAY, LAST_MS, Calendar
from streams.worktime import WorkTime

__all__ = ["GROUPING", "PREFIX", "GoalKey", "GoalValue", "Goals", "standing_goals"]

GROUPING: Final = "target"
RATIO: Final = "ratio"
"""The kind of a goal that a ratio is to reach; only declarations of KPIs set such."""

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


class _Progress(NamedTuple):
    """How far a goal is, in its own units; ``actual`` is None where its KPI is not counted."""

    actual: int | None
    value: int

    @property
    def reached(self) -> bool:
        return self.value > 0 and (self.actual or 0) >= self.value


class _Present(NamedTuple):
    """What progress is measured with at one time; what is counted already on the way from the top is ``above``."""

    goals: Mapping[str, Goal]
    children: Mapping[str, Sequence[str]]
    series: Mapping[str, Series]
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

    def values(self, series: Mapping[str, Series], timeline: Timeline, now_ms: int) -> Iterator[GoalValue]:
        """Return what is to be said of the goals whose period is the present one."""
        known = {**self._standing, **self._goals}
        if not (known and self._of_goals):
            return
        goals = {name: goal for name, goal in sorted(known.items()) if self._is_current(goal, now_ms)}
        present = _Present(goals, _children(goals), series, timeline)
        sums: dict[tuple[str, str, str], list[_Progress]] = {}
        for name, goal in goals.items():
            own = self._progress(name, present)
            for kpi in self._of_goals:
                # A ratio does not grow with the period, so it has no pace and ends nowhere else.
                if GROUPING in kpi.groupings and (goal.kind != RATIO or kpi.goal == "attainment"):
                    yield self._value(kpi, _window_of(goal), {GROUPING: name}, own, _unit_of(goal), present)
            if goal.kind == "currency":
                sums.setdefault((goal.kpi or "", _window_of(goal), dims_key(goal.dimensions)), []).append(own)
        for (summed, window, dims), parts in sums.items():
            for kpi in self._of_sum(summed, parse_dims(dims)):
                yield self._value(kpi, window, parse_dims(dims), _add(parts), "money", present)

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
            period = self._calendar.period(_window_of(goal), self._start_ms(goal))
            if not holds and period.end_ms > since_ms and (now_ms is None or period.start_ms < now_ms):
                for kpi in self._of_goals:
                    if GROUPING in kpi.groupings:
                        dims = dims_key({GROUPING: target_id})
                        yield GoalKey(kpi.name, _window_of(goal), dims, _said_in(kpi, _unit_of(goal)))
                for kpi in self._of_sum(goal.kpi or "", goal.dimensions) if goal.kind == "currency" else ():
                    yield GoalKey(kpi.name, _window_of(goal), dims_key(goal.dimensions), _said_in(kpi, "money"))

    def _of_sum(self, summed: str, dimensions: Mapping[str, str]) -> list[Kpi]:
        """Return the KPIs that say something of the sum of a KPI's goals in a series."""
        grouping = ",".join(dimensions)
        return [kpi for kpi in self._of_goals if kpi.summed == summed and grouping in kpi.groupings]

    def _is_current(self, goal: Goal, now_ms: int) -> bool:
        if goal.start is None:
            return True
        window = _window_of(goal)
        start_ms = self._calendar.period_start(window, self._start_ms(goal))
        return start_ms == self._calendar.period_start(window, now_ms - 1)

    def _start_ms(self, goal: Goal) -> int:
        # Intake once let in any day that can be written, and in small letters: the log may hold such.
        start = goal.start or 0
        if isinstance(start, str):
            start = self._calendar.midnight(min(date.fromisoformat(start.upper()), LAST_DAY))
        return min(start, LAST_MS)

    def _progress(self, name: str, present: _Present) -> _Progress:
        goal = present.goals[name]
        value = round(goal.value)
        if name in present.children:
            # Without the goal itself among them, so that a circle of parents ends.
            below = present._replace(above=present.above | {name})
            children = {other: present.goals[other] for other in present.children[name] if other not in below.above}
            if children:
                return self._rolled_up(goal, children, below)
        if goal.kind == "boolean":
            return _Progress(int(goal.done > 0), 1)
        if goal.kind == "tasks":
            return _Progress(goal.done, value)
        if goal.kind == RATIO:
            return self._ratio(goal, present)
        return _Progress(self._actual(goal.kpi or "", goal.dimensions, _window_of(goal), present), value)

    def _rolled_up(self, goal: Goal, children: Mapping[str, Goal], present: _Present) -> _Progress:
        """Return what the children of a goal make of it."""
        done = {other: self._progress(other, present) for other in children}
        if goal.kind == "tasks":
            return _Progress(sum(child.reached for child in done.values()), len(done))
        if goal.kind == "boolean":
            return _Progress(int(all(child.reached for child in done.values())), 1)
        total = _add(done[other] for other, child in children.items() if child.kind == goal.kind)
        return _Progress(total.actual, round(goal.value) or total.value)

    def _ratio(self, goal: Goal, present: _Present) -> _Progress:
        """Return a ratio and its target over one another as integers: ``n / d`` over ``p / q`` is ``n q / d p``."""
        computed = self._compute(goal.kpi or "", goal.dimensions, _window_of(goal), present)
        if computed is None or computed.numerator is None or computed.denominator is None:
            return _Progress(None, 0)
        compiled = self._kpis[",".join(goal.dimensions), _window_of(goal), goal.kpi or ""]
        target = Fraction(str(goal.value)) * scale_of(compiled.kpi.unit, self._currency)
        return _Progress(computed.numerator * target.denominator, computed.denominator * target.numerator)

    def _actual(self, kpi: str, dimensions: Mapping[str, str], window: str, present: _Present) -> int | None:
        """Return the numerator of a KPI; 0 where nothing was counted yet, None where it is not counted at all."""
        if (",".join(dimensions), window, kpi) not in self._kpis:
            return None
        computed = self._compute(kpi, dimensions, window, present)
        return (computed.numerator or 0) if computed is not None else 0

    def _compute(self, kpi: str, dimensions: Mapping[str, str], window: str, present: _Present) -> Computed | None:
        """Return a KPI of a series; None where it is not counted, or nothing was counted yet."""
        compiled: WindowKpi | None = self._kpis.get((",".join(dimensions), window, kpi))
        found = present.series.get(dims_key(dimensions))
        if compiled is None or found is None:
            return None
        sums, previous = found.window_sums(WINDOWS.index(window), present.timeline)
        return compiled.compute(sums, previous)

    def _value(
        self, kpi: Kpi, window: str, dimensions: Mapping[str, str], own: _Progress, unit: Unit, present: _Present
    ) -> GoalValue:
        index = WINDOWS.index(window)
        unit = _said_in(kpi, unit)
        return GoalValue(kpi.name, index, dimensions, self._computed(kpi, index, dimensions, own, unit, present), unit)

    def _computed(
        self, kpi: Kpi, window: int, dimensions: Mapping[str, str], own: _Progress, unit: Unit, present: _Present
    ) -> Computed:
        actual, value = own
        if actual is None:
            return UNKNOWN
        if kpi.goal == "attainment":
            return divide(actual, value)
        if kpi.goal == "coverage":
            covering = self._actual(kpi.covered_by, dimensions, WINDOWS[window], present)
            return UNKNOWN if covering is None else divide(covering, value - actual)
        span = present.timeline.windows[window].span
        elapsed, whole = self._worktime.elapsed(self._calendar.period(WINDOWS[window], span.start_ms), span.end_ms)
        if kpi.goal == "pace":
            return divide(actual * whole, value * elapsed)
        return divide(actual * whole, elapsed, scale_of(unit, self._currency))


def _children(goals: Mapping[str, Goal]) -> dict[str, list[str]]:
    """Return which goals have a goal as their parent: found out once, as there may be one for every rep."""
    children: dict[str, list[str]] = {}
    for name, goal in goals.items():
        if goal.parent is not None:
            children.setdefault(goal.parent, []).append(name)
    return children


def standing_goals(kpi: Kpi, currency: str) -> Iterator[tuple[str, Goal]]:
    """Return the goals that a KPI's declaration sets for every period, by their ids: ``{kpi}-{period}``."""
    for period, target in kpi.targets.items():
        value: int | float = target
        kind = RATIO if kpi.is_ratio else "number"
        if kind == "number":
            kind = "currency" if kpi.unit == "money" else kind
            value = round(Fraction(str(target)) * scale_of(kpi.unit, currency))
        yield f"{kpi.name}-{period}", Goal(kind, period, None, kpi.name, {}, value)


def _window_of(goal: Goal) -> str:
    return _WINDOW_OF[goal.period or "month"]


def _unit_of(goal: Goal) -> Unit:
    return _UNIT_OF.get(goal.kind, "count")


def _said_in(kpi: Kpi, unit: Unit) -> Unit:
    """Return the unit of what a KPI says of a goal that is in a unit: where it ends is in its own, the rest a ratio."""
    return unit if kpi.goal == "projection" else "ratio"


def _add(parts: Iterable[_Progress]) -> _Progress:
    """Add up how far goals of one kind are; unknown where one of them is."""
    parts = list(parts)
    known = [part.actual for part in parts if part.actual is not None]
    return _Progress(sum(known) if len(known) == len(parts) else None, sum(part.value for part in parts))
