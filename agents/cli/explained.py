"""An explanation as people read it: tables that fit into 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from rich.console import Group as Together
from rich.console import RenderableType
from rich.text import Text

from agents.cli.output import plain_table
from agents.cli.units import UNKNOWN, show_value
from schemas.explanation import Added, Events, Explanation, Goals, Groups, Letters, Slices, Sums
from schemas.kpi import KpiValue, dims_key
from schemas.restatements import Restatement, Stated

_COLUMNS: Final = 3
_RESTATED: Final = 10
_LETTERS: Final = 5


def picture(found: Explanation, zone: str) -> RenderableType:
    """Return everything that there is to show, section by section.

    Args:
        found: The explanation.
        zone: Business zone; times are shown in it.
    """
    clock = _Clock(zone)
    return Together(*(part for section in _sections(found, clock) for part in section))


class _Clock:
    """Times as people read them, in the business zone."""

    def __init__(self, zone: str) -> None:
        self.name = zone
        self._zone = ZoneInfo(zone)

    def show(self, text: str | None, *, seconds: bool = False) -> str:
        """A time of a document; `the beginning` where there is none."""
        if text is None:
            return "the beginning"
        local = datetime.fromisoformat(text).astimezone(self._zone)
        return local.strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")

    def slice(self, text: str | None, step: str) -> str:
        """The start of a slice, as short as its step allows."""
        if text is None:
            return "before"
        local = datetime.fromisoformat(text).astimezone(self._zone)
        formats = {"day": "%a %Y-%m-%d", "week": "%Y-%m-%d", "month": "%Y-%m-%d", "quarter": "%Y-%m-%d"}
        return local.strftime(formats.get(step, "%Y-%m-%d" if step == "year" else "%m-%d %H:%M"))


def _sections(found: Explanation, clock: _Clock) -> Iterator[list[RenderableType]]:
    yield _head(found, clock)
    if found.goals is not None:
        yield _section("Goals", _goals(found.goals))
    if found.readings:
        yield _section("Measures" if found.source_kpi is None else f"Measures of {found.source_kpi}", _readings(found))
    if found.groups is not None:
        yield _section(f"By {found.groups.by}: {found.groups.rule}", _groups(found.groups, found.value))
    if found.slices is not None and found.slices.slices:
        yield _section(f"By {found.slices.step} ({clock.name})", _slices(found.slices, clock))
    yield _section("Late and corrected events", _restatements(found.restatements, clock))
    yield _section("Dead letters of the window", _letters(found.dead_letters, clock))
    if found.events is not None:
        yield _section("Events, newest first", _events(found.events, clock))


def _section(title: str, content: RenderableType) -> list[RenderableType]:
    return [Text(""), Text(title, "bold"), content]


def _head(found: Explanation, clock: _Clock) -> list[RenderableType]:
    value = found.value
    where = f" where {dims_key(value.dimensions)}" if value.dimensions else ""
    label = f" ({value.label})" if value.label else ""
    shown = show_value(value.value, value.unit, value.currency)
    lines: list[RenderableType] = [
        Text.assemble((found.title, "bold"), f"  {value.kpi}, {value.window}{where}"),
        Text.assemble((shown + label, "bold cyan"), f"  {_parts(value)}"),
        Text(f"{clock.show(value.window_start)} to {clock.show(value.window_end)} {clock.name}"),
    ]
    if value.previous is not None:
        lines.append(Text(f"before: {show_value(value.previous, value.unit, value.currency)}"))
    lines += [
        Text(
            f"{value.quality}, complete up to {clock.show(value.watermark, seconds=True)}, revision {value.revision:,}"
        ),
        Text(""),
        Text(found.doc),
        Text(f"{value.kpi} = {found.formula}", "cyan"),
    ]
    if found.moved_on is not None:
        now = found.moved_on
        shown = f"{show_value(now.value, now.unit, now.currency)}  {_parts(now)}"
        lines.append(Text(f"Events came in since it was published: it is now {shown}, and so are its parts.", "yellow"))
    return lines


def _parts(value: KpiValue) -> str:
    if value.numerator is None:
        return f"rank {value.rank}" if value.rank else ""
    numerator = _integer(value.numerator, value)
    over = f"{numerator} / {_integer(value.denominator, value)}" if value.denominator is not None else numerator
    minor = " minor units" if value.unit == "money" and value.denominator is None else ""
    return f"= {over}{minor}" + (f", rank {value.rank}" if value.rank else "")


def _integer(number: int, _value: KpiValue) -> str:
    return f"{number:,}"


def _goals(goals: Goals) -> RenderableType:
    table = plain_table("goal", "of", "period", "actual", "target", right=("actual", "target"))
    for goal in goals.goals:
        of = f"{goal.kpi or goal.kind} {dims_key(goal.dimensions)}".strip()
        name = f"  {goal.target}" if goal.parent and goals.rolled_up else goal.target
        actual = UNKNOWN if goal.actual is None else f"{goal.actual:,}"
        table.add_row(Text(name), Text(of), goal.period, actual, f"{goal.value:,}")
    time = Text(f"working time passed: {goals.working_time:,} of {goals.working_time_whole:,}")
    rolled = [Text("the actual value is what these have together")] if goals.rolled_up else []
    return Together(table, time, *rolled)


def _readings(found: Explanation) -> RenderableType:
    table = plain_table("measure", "sum", "counts", right=("sum",))
    for reading in found.readings:
        table.add_row(Text(reading.label, "cyan"), f"{reading.sum:,}", Text(reading.counts.replace("`", "")))
    return table


def _groups(groups: Groups, value: KpiValue) -> RenderableType:
    names = list(groups.groups[0].sums) if groups.groups else []
    table = plain_table(groups.by, *names, "value", "", right=(*names, "value"))
    for group in groups.groups:
        name = show_value(group.value, "seconds", None) if groups.by == "value" else group.name
        shown = "" if groups.by == "value" else show_value(group.value, value.unit, value.currency)
        marks = "<- this one" if group.chosen else ""
        table.add_row(Text(name), *(f"{group.sums.get(each, 0):,}" for each in names), shown, Text(marks, "bold cyan"))
    if not groups.left_out:
        return table
    return Together(table, Text(f"{groups.left_out:,} more are not shown", "dim"))


def _slices(slices: Slices, clock: _Clock) -> RenderableType:
    labels = list(dict.fromkeys(label for each in slices.slices for label in each.sums))
    sides = [name for name in ("numerator", "denominator") if any(getattr(s, name) is not None for s in slices.slices)]
    shown = labels if len(labels) <= _COLUMNS or not sides else []
    columns = [*shown[:_COLUMNS], *(side for side in sides if len(shown) != 1)]
    table = plain_table("from", *columns, right=columns)

    def row(name: str, sums: Sums, parts: Mapping[str, int | None], style: str = "") -> None:
        cells = [sums.get(label, 0) if label in shown else parts.get(label) for label in columns]
        table.add_row(name, *(UNKNOWN if cell is None else f"{cell:,}" for cell in cells), style=style)

    if slices.starts:
        row("at the start", slices.starts, {}, "dim")
    totals: Sums = dict(slices.starts)
    sums_of_sides = dict.fromkeys(sides, 0)
    for each in slices.slices:
        parts = {name: getattr(each, name) for name in sides}
        row(clock.slice(each.start, slices.step), each.sums, parts)
        for label, amount in each.sums.items():
            totals[label] = totals.get(label, 0) + amount
        for name in sides:
            sums_of_sides[name] += parts[name] or 0
    row("together", totals, sums_of_sides, "bold")
    return table


def _restatements(restatements: Sequence[Restatement], clock: _Clock) -> RenderableType:
    if not restatements:
        return Text("none changed a day of the window that was over", "dim")
    table = plain_table("day", "before", "after", "by")
    for each in restatements[:_RESTATED]:
        first = each.events[0]
        more = f" and {each.event_count - 1:,} more" if each.event_count > 1 else ""
        by = f"{first.event_type} {first.event_id} of {clock.show(first.occurred_at)}{more}"
        day = clock.slice(each.period_start, "month")
        table.add_row(day, _stated(each, each.before), _stated(each, each.after), Text(by))
    left = len(restatements) - _RESTATED
    return Together(table, Text(f"{left:,} more are not shown (--json)", "dim")) if left > 0 else table


def _stated(each: Restatement, stated: Stated) -> str:
    return show_value(stated.value, each.unit, each.currency)


def _letters(letters: Letters, clock: _Clock) -> RenderableType:
    if not letters.count:
        return Text("none that it might have counted", "dim")
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in letters.reasons.items())
    table = plain_table("number", "event", "when", "reason", right=("number",))
    for letter in letters.letters[:_LETTERS]:
        when = clock.show(letter.occurred_at) if letter.occurred_at else f"refused {clock.show(letter.failed_at)}"
        event = f"{letter.event_type or 'unreadable'} {letter.event_id or ''}".strip()
        table.add_row(letter.number, Text(event), when, Text(letter.reason, "red"))
    numbers = " ".join(letter.number for letter in letters.letters[:_LETTERS])
    hint = Text.assemble("look at them: ", (f"salespulse dlq show {numbers}", "cyan"))
    return Together(Text(f"{letters.count:,} that it might have counted: {reasons}"), table, hint)


def _events(events: Events, clock: _Clock) -> RenderableType:
    if events.note is not None:
        return Text(events.note, "dim")
    table = plain_table("when", "event", "added", right=())
    for event in events.events:
        what = Text.assemble(event.event_type, "\n", (event.event_id, "cyan"))
        if event.ref and event.ref != event.account_id:
            what.append(f"\n{event.ref}", "dim")
        added = "\n".join(
            [*map(_added, event.adds), *(f"{_added(each)} from {clock.show(each.at)}" for each in event.later)]
        )
        table.add_row(clock.show(event.occurred_at, seconds=True), what, Text(added))
    return Together(table, *_summary(events))


def _added(added: Added) -> str:
    return f"{added.amount:+,} {added.reading}"


def _summary(events: Events) -> Iterator[RenderableType]:
    listed = len(events.events)
    some = "" if listed == events.count else f"; the newest {listed:,} are listed (--limit)"
    yield Text(f"{events.count:,} events count, of {events.messages:,} in the source topics{some}")
    sums = ", ".join(f"{amount:,} {label}" for label, amount in events.sums.items())
    if not events.difference:
        yield Text(f"together {sums}: exactly the number", "green")
        return
    off = ", ".join(f"{amount:+,} {label}" for label, amount in events.difference.items())
    yield Text(f"together {sums}: {off} against the number.", "yellow")
    yield Text(
        "The pipeline has not taken them all in yet, the topics forgot old events, or the settings were others then.",
        "yellow",
    )
