"""Goals: attainment, pace, projection and the pipeline's coverage of what remains (kpis.md, 39-42)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from tests.oracle.catalogue import CATALOGUE
from tests.oracle.contributions import encode
from tests.oracle.events import instant_ms
from tests.oracle.further_catalogue import FURTHER_CATALOGUE
from tests.oracle.kpis import KpiValue, Values, ratio, scale_of
from tests.oracle.periods import WEEKDAYS, Window, period_start, to_local, to_ms

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.oracle.dimensions import Fact
    from tests.oracle.settings import OracleSettings

WINDOW_OF_PERIOD = {"day": "today", "week": "wtd", "month": "mtd", "quarter": "qtd", "year": "ytd"}
_GROUPINGS = {kpi.name: kpi.groupings() for kpi in (*CATALOGUE, *FURTHER_CATALOGUE)}
_RATIOS = {
    *(kpi.name for kpi in (*CATALOGUE, *FURTHER_CATALOGUE) if kpi.denominator or kpi.grows),
    *("cohort_maturity", "ltv_predicted", "ltv_cac", "weakest_stage"),
}
_ATTAINMENT = "target_attainment|"
UNIT_OF_KIND = {"currency": "money", "number": "count", "boolean": "count", "tasks": "count"}


@dataclass(frozen=True)
class Goal:
    """The last target.set of an id whose period is the running one; `dims` as in a series key."""

    target_id: str
    kpi: str
    dims: str
    window: str
    kind: str
    value: Fraction
    parent: str | None
    done: int

    @property
    def is_of_ratio(self) -> bool:
        """Whether it says how high a ratio is to be: it is no sum, so it has no pace and is in no parent's."""
        return self.kind in ("number", "currency") and self.kpi in _RATIOS


@dataclass(frozen=True)
class Progress:
    """How far a goal is, in its own units; `actual` is None where it is not known."""

    actual: int | None
    value: Fraction | int

    @property
    def reached(self) -> bool:
        """Whether nothing is left to do."""
        return self.actual is not None and self.actual >= self.value > 0


def _added(parts: Iterable[Progress]) -> Progress:
    """Unknown where one of them is."""
    actuals, values = zip(*((part.actual, part.value) for part in parts), strict=True)
    known = [actual for actual in actuals if actual is not None]
    return Progress(sum(known) if len(known) == len(actuals) else None, sum(values))


def target_kpis(
    facts: Iterable[Fact], values: Values, windows: Mapping[str, Window], settings: OracleSettings, now_ms: int
) -> Values:
    """Every goal's series, and the sums of the currency goals on revenue, globally and by rep and team."""
    goals = current_goals(facts, settings, now_ms)
    progress = {goal.target_id: _progress(goal, goals, values, settings) for goal in goals}
    found: Values = {}
    for goal in goals:
        of_goal = (goal.window, f"target={encode(goal.target_id)}")
        of_this = _series(of_goal, goal.kind, progress[goal.target_id], windows, settings)
        found |= {key: said for key, said in of_this.items() if not goal.is_of_ratio or key.startswith(_ATTAINMENT)}
    sums: dict[tuple[str, str], Progress] = {}
    for goal in goals:
        if goal.kind == "currency" and goal.kpi == "revenue" and goal.dims.partition("=")[0] in ("", "rep", "team"):
            so_far = sums.get((goal.window, goal.dims), Progress(0, 0))
            sums[goal.window, goal.dims] = _added((so_far, progress[goal.target_id]))
    for (window, dims), total in sums.items():
        found |= _series((window, dims), "currency", total, windows, settings)
        if not dims.startswith("team="):
            found[f"pipeline_coverage|{window}|{dims}"] = _coverage(dims, total, values, windows[window])
    return found


def current_goals(facts: Iterable[Fact], settings: OracleSettings, now_ms: int) -> list[Goal]:
    """The goals that hold now, by id."""
    last = {fact.body["target_id"]: fact for fact in facts if fact.type == "target.set"}
    last = {target_id: fact for target_id, fact in sorted(last.items()) if not fact.body.get("withdrawn")}
    now = to_local(now_ms - 1, settings.zone)
    goals = [_goal(fact.body, settings) for fact in last.values()]
    starts = {name: _start(fact.body.get("start") or fact.at_ms, settings) for name, fact in last.items()}
    return [
        goal
        for goal in goals
        if period_start(goal.window, starts[goal.target_id], settings.week_start)
        == period_start(goal.window, now, settings.week_start)
    ]


def _goal(body: Mapping[str, Any], settings: OracleSettings) -> Goal:
    dims = ",".join(f"{name}={encode(value)}" for name, value in sorted((body.get("dimensions") or {}).items()))
    value = body.get("value") or 0
    return Goal(
        target_id=body["target_id"],
        kpi=body.get("kpi") or "",
        dims=dims,
        window=WINDOW_OF_PERIOD[body["period"]],
        kind=body["kind"],
        value=round(
            Fraction(settings.convert(value, body.get("currency")) if body["kind"] == "currency" else str(value)), 6
        ),
        parent=body.get("parent") or None,
        done=int(body.get("done") or 0),
    )


def _start(value: str | int, settings: OracleSettings) -> datetime:
    """A goal's start as local time: a plain date is one already."""
    if isinstance(value, str) and len(value) == len("2024-03-01"):
        day = date.fromisoformat(value)
        return datetime(day.year, day.month, day.day)
    return to_local(instant_ms(value), settings.zone)


def _progress(goal: Goal, goals: list[Goal], values: Values, settings: OracleSettings) -> Progress:
    if goal.is_of_ratio:
        return _of_ratio(goal, values, settings)
    children = [child for child in goals if child.parent == goal.target_id and child is not goal]
    # Without the goal itself among them, so that a circle of parents ends.
    others = [other for other in goals if other is not goal]
    done = [_progress(child, others, values, settings) for child in children]
    if children:
        return _of_children(goal, dict(zip((child.target_id for child in children), done, strict=True)), children)
    if goal.kind == "boolean":
        return Progress(int(goal.done > 0), 1)
    if goal.kind == "tasks":
        return Progress(goal.done, goal.value)
    if goal.dims and (goal.dims.partition("=")[0],) not in _GROUPINGS[goal.kpi]:
        return Progress(None, goal.value)
    actual = values.get(f"{goal.kpi}|{goal.window}|{goal.dims}")
    return Progress((actual["numerator"] if actual else None) or 0, goal.value)


def _of_ratio(goal: Goal, values: Values, settings: OracleSettings) -> Progress:
    """The ratio's numerator, against as many times the target as its denominator; an amount is in minor units."""
    found = values.get(f"{goal.kpi}|{goal.window}|{goal.dims}")
    if found is None or found["value"] is None or found["denominator"] is None:
        return Progress(None, 0)
    unit = 1 if goal.kind == "currency" else scale_of(found["unit"], settings)
    return Progress(found["numerator"], goal.value * unit * found["denominator"])


def _of_children(goal: Goal, done: Mapping[str, Progress], children: Iterable[Goal]) -> Progress:
    if goal.kind == "tasks":
        return Progress(sum(child.reached for child in done.values()), len(done))
    if goal.kind == "boolean":
        return Progress(int(all(child.reached for child in done.values())), 1)
    alike = [child for child in children if child.kind == goal.kind and not child.is_of_ratio]
    total = _added([Progress(0, 0), *(done[child.target_id] for child in alike)])
    return Progress(total.actual, goal.value or total.value)


def _series(
    series: tuple[str, str], kind: str, own: Progress, windows: Mapping[str, Window], settings: OracleSettings
) -> Values:
    name, dims = series
    window = windows[name]
    elapsed, whole = working_days(window, settings)
    scale = settings.minor_per_major if kind == "currency" else 1
    if own.actual is None:
        unknown = _value("ratio", window, None, None, None)
        return {
            f"target_attainment|{name}|{dims}": unknown,
            f"target_pace|{name}|{dims}": unknown,
            f"target_projection|{name}|{dims}": _value(UNIT_OF_KIND[kind], window, None, None, None),
        }
    # A target of 5 / 2 makes both parts twice as large, so that they are integers.
    attained = (own.actual * own.value.denominator, own.value.numerator)
    attainment = _value("ratio", window, ratio(attained), *attained)
    # Attainment over the share of the working days that have passed, and the actual value over that share.
    pace = (attained[0] * whole, attained[1] * elapsed)
    projection = (own.actual * whole, elapsed)
    return {
        f"target_attainment|{name}|{dims}": attainment,
        f"target_pace|{name}|{dims}": _value("ratio", window, ratio(pace), *pace),
        f"target_projection|{name}|{dims}": _value(UNIT_OF_KIND[kind], window, ratio(projection, scale), *projection),
    }


def _coverage(dims: str, total: Progress, values: Values, window: Window) -> KpiValue:
    if total.actual is None:
        return _value("ratio", window, None, None, None)
    pipeline = values.get(f"open_pipeline|{window.name}|{dims}")
    parts = ((pipeline["numerator"] if pipeline else None) or 0, int(total.value) - total.actual)
    return _value("ratio", window, ratio(parts), *parts)


def _value(unit: str, window: Window, value: float | None, numerator: int | None, denominator: int | None) -> KpiValue:
    return KpiValue(
        value=value,
        numerator=numerator,
        denominator=denominator,
        unit=unit,
        window_start_ms=window.start_ms,
        window_end_ms=window.end_ms,
        previous=None,
        difference=None,
        change=None,
    )


def working_days(window: Window, settings: OracleSettings) -> tuple[int, int]:
    """Whole local working days of a to-date window's period: up to the window's end, and all of them."""
    start = day = period_start(window.name, to_local(window.start_ms, settings.zone), settings.week_start)
    elapsed = whole = 0
    while period_start(window.name, day, settings.week_start) == start:
        following = day + timedelta(days=1)
        is_holiday = day.date().isoformat() in settings.holidays
        if WEEKDAYS[day.weekday()] in settings.working_days and not is_holiday:
            whole += 1
            elapsed += to_ms(following, settings.zone) <= window.end_ms
        day = following
    return elapsed, whole
