"""Goals: how far each is, in the to-date window of its period, and what their sums say.

A goal's actual value is the numerator of its KPI in the series that it is about; a parent has its children's. All of
it is known to the owner of the global series, which owns the six event dimensions and ``target`` as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Final, NamedTuple

from schemas.kpi import Unit, dims_key
from schemas.windows import WINDOWS
from streams.fold.goals import PREFIX, Goal, goal_of
from streams.plan import Plan
from streams.rollup.series import Series, Timeline
from streams.rollup.upstream import RollupRules
from streams.rollup.values import UNKNOWN, Computed, KpisOfWindows, WindowKpi, divide, scale_of
from streams.time import Calendar
from streams.worktime import WorkTime

GROUPING: Final = "target"
_WINDOW_OF: Final = {"day": "today", "week": "wtd", "month": "mtd", "quarter": "qtd", "year": "ytd"}
_UNIT_OF: Final[Mapping[str, Unit]] = {"currency": "money"}
_SUMMED: Final = ("rep", "team")
_COVERED: Final = ("", "rep")


class GoalValue(NamedTuple):
    """A value to publish: its KPI, the index of its window, its dimensions, and the unit it is in."""

    kpi: str
    window: int
    dimensions: Mapping[str, str]
    computed: Computed
    unit: Unit


class _Progress(NamedTuple):
    """How far a goal is, in its own units; ``actual`` is None where its KPI is not counted."""

    actual: int | None
    value: int

    @property
    def reached(self) -> bool:
        return self.value > 0 and (self.actual or 0) >= self.value


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
        self._by_kind = {kpi.goal: kpi for kpi in plan.kpis if kpi.goal is not None}
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

    def __bool__(self) -> bool:
        return bool(self._goals and self._by_kind)

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
        current = {name: goal for name, goal in sorted(self._goals.items()) if self._is_current(goal, now_ms)}
        progress = {name: self._progress(name, current, series, timeline) for name in current}
        sums: dict[tuple[str, str], list[_Progress]] = {}
        for name, goal in current.items():
            unit = _UNIT_OF.get(goal.kind, "count")
            yield from self._said(_window_of(goal), {GROUPING: name}, progress[name], unit, timeline)
            if goal.kind == "currency" and goal.kpi == "revenue" and set(goal.dimensions) <= set(_SUMMED):
                sums.setdefault((_window_of(goal), dims_key(goal.dimensions)), []).append(progress[name])
        for (window, dims), parts in sums.items():
            total = _add(parts)
            dimensions = dict(next(goal for goal in current.values() if dims_key(goal.dimensions) == dims).dimensions)
            yield from self._said(window, dimensions, total, "money", timeline)
            if ",".join(dimensions) in _COVERED and "coverage" in self._by_kind:
                yield self._coverage(window, dimensions, total, series, timeline)

    def _is_current(self, goal: Goal, now_ms: int) -> bool:
        window = _window_of(goal)
        start = goal.start or 0
        start_ms = self._calendar.midnight(date.fromisoformat(start)) if isinstance(start, str) else start
        return self._calendar.period_start(window, start_ms) == self._calendar.period_start(window, now_ms - 1)

    def _progress(
        self, name: str, goals: Mapping[str, Goal], series: Mapping[str, Series], timeline: Timeline
    ) -> _Progress:
        goal = goals[name]
        value = round(goal.value)
        # Without the goal itself among them, so that a circle of parents ends.
        others = {other: found for other, found in goals.items() if other != name}
        children = {other: found for other, found in others.items() if found.parent == name}
        done = {other: self._progress(other, others, series, timeline) for other in children}
        if children and goal.kind == "tasks":
            return _Progress(sum(child.reached for child in done.values()), len(done))
        if children and goal.kind == "boolean":
            return _Progress(int(all(child.reached for child in done.values())), 1)
        if children:
            total = _add(done[other] for other, child in children.items() if child.kind == goal.kind)
            return _Progress(total.actual, value or total.value)
        if goal.kind == "boolean":
            return _Progress(int(goal.done > 0), 1)
        if goal.kind == "tasks":
            return _Progress(goal.done, value)
        return _Progress(self._actual(goal.kpi or "", goal.dimensions, _window_of(goal), series, timeline), value)

    def _actual(
        self,
        kpi: str,
        dimensions: Mapping[str, str],
        window: str,
        series: Mapping[str, Series],
        timeline: Timeline,
    ) -> int | None:
        """Return the numerator of a KPI; 0 where nothing was counted yet, None where it is not counted at all."""
        compiled: WindowKpi | None = self._kpis.get((",".join(dimensions), window, kpi))
        if compiled is None:
            return None
        found = series.get(dims_key(dimensions))
        if found is None:
            return 0
        sums, previous = found.window_sums(WINDOWS.index(window), timeline)
        return compiled.compute(sums, previous).numerator or 0

    def _said(
        self, window: str, dimensions: Mapping[str, str], own: _Progress, unit: Unit, timeline: Timeline
    ) -> Iterator[GoalValue]:
        index = WINDOWS.index(window)
        span = timeline.windows[index].span
        elapsed, whole = self._worktime.elapsed(self._calendar.period(window, span.start_ms), span.end_ms)
        actual, value = own
        computed = (
            {
                "attainment": divide(actual, value),
                "pace": divide(actual * whole, value * elapsed),
                "projection": divide(actual * whole, elapsed, scale_of(unit, self._currency)),
            }
            if actual is not None
            else {}
        )
        for kind in ("attainment", "pace", "projection"):
            kpi = self._by_kind.get(kind)
            if kpi is not None:
                of_kind: Unit = unit if kind == "projection" else "ratio"
                yield GoalValue(kpi.name, index, dimensions, computed.get(kind, UNKNOWN), of_kind)

    def _coverage(
        self,
        window: str,
        dimensions: Mapping[str, str],
        total: _Progress,
        series: Mapping[str, Series],
        timeline: Timeline,
    ) -> GoalValue:
        open_amount = self._actual("open_pipeline", dimensions, window, series, timeline) or 0
        computed = divide(open_amount, total.value - (total.actual or 0))
        return GoalValue(self._by_kind["coverage"].name, WINDOWS.index(window), dimensions, computed, "ratio")


def _window_of(goal: Goal) -> str:
    return _WINDOW_OF[goal.period or "month"]


def _add(parts: Iterable[_Progress]) -> _Progress:
    """Add up how far goals of one kind are; unknown where one of them is."""
    parts = list(parts)
    known = [part.actual for part in parts if part.actual is not None]
    return _Progress(sum(known) if len(known) == len(parts) else None, sum(part.value for part in parts))
