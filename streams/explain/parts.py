"""The parts of one value: readings, slices, groups and goals, from the cells that it was computed of.

Cells are enough for all of this, so the source topics need not be read for it: the rollup that owns the series keeps
them in its changelog, which holds exactly what the value was computed from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from schemas.declare import Kpi
from schemas.explanation import Goals, Groups, SliceOf, Slices
from schemas.explanation import Reading as ReadingDocument
from schemas.formula import measures_of
from schemas.kpi import KpiValue, dims_key
from schemas.kpi_words import fact_words, measure_words, unit_of
from schemas.windows import WINDOW_RESOLUTION
from streams.explain.anatomy import Anatomy, Intervals, Reading, anatomy_of
from streams.explain.goals import Behind, goals_behind
from streams.explain.groups import groups_of
from streams.explain.slices import read, spread
from streams.plan import Plan
from streams.publication import Published
from streams.rollup.goal_kinds import ratios_of, standing_goals
from streams.rollup.series import Series
from streams.rollup.upstream import RollupRules
from streams.time import Calendar, ceil_to, iso
from streams.worktime import WorkTime


class Moment(NamedTuple):
    """All series that matter, at the moment of a value.

    Args:
        now_ms: End of what counts, exclusive.
        series: By dimension key.
        values: By series key.
    """

    now_ms: int
    series: Mapping[str, Series]
    values: Mapping[str, Published]


class Parts(NamedTuple):
    """What a value is made of.

    Args:
        source: The KPI that the readings are of; None where the actual value of goals is that of others, or ticked off.
        dims: Dimension key of the cells.
        anatomy: Its readings and how they make the value up.
        intervals: The window.
        sums: What readings come to, by label.
        readings: The same as a document.
        slices: How they spread.
        groups: What it was found among.
        goals: The goals behind it.
    """

    source: Kpi | None
    dims: str
    anatomy: Anatomy
    intervals: Intervals
    sums: Mapping[str, int]
    readings: list[ReadingDocument]
    slices: Slices | None
    groups: Groups | None
    goals: Goals | None


class Explainer:
    """Takes values apart.

    Args:
        plan: The catalogue in force.
        calendar: Local days and periods.
        rules: What the rollup needs of the settings.
        worktime: Working time of the goals' periods.
    """

    def __init__(self, plan: Plan, calendar: Calendar, rules: RollupRules, worktime: WorkTime) -> None:
        self.plan = plan
        self.calendar = calendar
        self._rules = rules
        self._worktime = worktime
        self._kpis = {kpi.name: kpi for kpi in plan.kpis}
        self._standing = dict(goal for kpi in plan.kpis for goal in standing_goals(kpi, rules.currency))
        self._ratios = ratios_of(plan.kpis)

    def parts(self, value: KpiValue, moment: Moment) -> Parts:
        """Return the parts of a value, as the cells of its moment have them."""
        kpi = self._kpis[value.kpi]
        intervals = self._intervals(value.window, moment.now_ms)
        if kpi.goal is None:
            dims = "" if kpi.class_of else dims_key(value.dimensions)
            return self._of_series(kpi, value, dims, intervals, moment)
        behind = goals_behind(kpi, value, moment.series, moment.values, self._standing, self._ratios)
        return self._of_goal(value, behind, intervals, moment)

    def _intervals(self, window: str, now_ms: int) -> Intervals:
        now_s = ceil_to(now_ms, 10_000) // 1000
        return Intervals(window, self.calendar.window(window, now_ms), self.calendar.previous(window, now_ms), now_s)

    def _of_goal(self, value: KpiValue, behind: Behind, intervals: Intervals, moment: Moment) -> Parts:
        span = intervals.span
        period = self.calendar.period(value.window, span.start_ms)
        goals = behind.document(self._worktime.elapsed(period, span.end_ms))
        source = self._kpis.get(behind.subject[0]) if behind.subject is not None else None
        if source is None or source.goal is not None or behind.subject is None:
            return Parts(
                None, dims_key(value.dimensions), Anatomy({}, None, None, None), intervals, {}, [], None, None, goals
            )
        # The actual value is the numerator alone.
        numerator = msgspec.structs.replace(source, denominator=None, fallback_denominator=None, needs=None)
        found = self._of_series(numerator, value, dims_key(behind.subject[1]), intervals, moment)
        return found._replace(source=source, goals=goals)

    def _of_series(self, kpi: Kpi, value: KpiValue, dims: str, intervals: Intervals, moment: Moment) -> Parts:
        series = moment.series.get(dims) or Series(dims)
        variables = {"mean_lifetime_s": self._rules.mean_lifetime_s}
        fallback = bool(kpi.fallback_denominator) and not any(
            series.total.get(stored)
            for name in measures_of(kpi.denominator)
            for stored in self._stored(name, intervals)
        )
        whole = anatomy_of(kpi, self.plan, intervals, variables, fallback=fallback)
        key = str(value.label or "") if kpi.lowest else ""
        anatomy = anatomy_of(kpi, self.plan, intervals, variables, fallback=fallback, key=key) if key else whole
        sums = read(series, self.calendar, anatomy.readings, intervals.window)
        groups = groups_of(
            kpi,
            value,
            whole,
            series,
            self.calendar,
            WINDOW_RESOLUTION[intervals.window],
            self._rules.abc_shares,
            moment.values,
        )
        readings = [self._document(reading, sums) for reading in anatomy.readings.values()]
        return Parts(
            kpi, dims, anatomy, intervals, sums, readings, self._slices(series, anatomy, intervals), groups, None
        )

    def _stored(self, name: str, intervals: Intervals) -> tuple[str, ...]:
        return (f"{name}@{intervals.window}",) if self.plan.measures[name].per_window else (name,)

    def _document(self, reading: Reading, sums: Mapping[str, int]) -> ReadingDocument:
        measure = self.plan.measures[reading.measure]
        return ReadingDocument(
            label=reading.label,
            measure=reading.measure,
            counts=f"{measure_words(measure)}. {fact_words(measure)}",
            unit=unit_of(measure),
            level=reading.level,
            start=iso(reading.span.start_ms) if reading.span.start_ms > 0 else None,
            end=iso(max(reading.span.end_ms, 0)),
            sum=sums[reading.label],
        )

    def _slices(self, series: Series, anatomy: Anatomy, intervals: Intervals) -> Slices:
        found = spread(series, self.calendar, anatomy.readings, intervals)
        window_only = all(not reading.level and reading.span == intervals.span for reading in anatomy.readings.values())
        sides = {name: side for name, side in anatomy.sides().items() if window_only and side.linear}
        slices = [
            SliceOf(
                start=iso(span.start_ms) if span.start_ms > 0 else None,
                end=iso(span.end_ms),
                sums=sums,
                **{name: side.of(sums) for name, side in sides.items()},
            )
            for span, sums in found.slices
        ]
        return Slices(step=found.step, slices=slices, starts=dict(found.starts))
