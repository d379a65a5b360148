"""An explanation as people read it: tables that fit into 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Group as Together
from rich.console import RenderableType
from rich.text import Text

from agents.cli.explained_units import Amounts, Clock
from agents.cli.output import plain_table
from agents.cli.units import UNKNOWN, show_value
from schemas.explanation import Added, Events, Explanation, Goals, Groups, Letters, SliceOf, Slices, Sums
from schemas.kpi import KpiValue, dims_key
from schemas.restatements import Restatement, Stated

_COLUMNS: Final = 3
_RESTATED: Final = 10
_LETTERS: Final = 5
_EMPTY_ROWS: Final = 2
_WHY_OFF: Final = (
    "The pipeline may not have taken all of them in yet, topics may have forgotten old ones, or the settings were "
    "others when they were counted."
)


def picture(found: Explanation, zone: str, currency: str) -> RenderableType:
    """Return everything that there is to show, section by section.

    Args:
        found: The explanation.
        zone: Business zone; times are shown in it.
        currency: Reporting currency; money is shown in its major units.
    """
    return Together(*_Picture(found, Clock(zone), Amounts(found, currency)).sections())


class _Picture:
    def __init__(self, found: Explanation, clock: Clock, amounts: Amounts) -> None:
        self._found = found
        self._clock = clock
        self._amounts = amounts

    def sections(self) -> Iterator[RenderableType]:
        found = self._found
        yield from self._head()
        if found.goals is not None:
            yield from _titled("Goals", self._goals(found.goals))
        if found.readings:
            of = f" of {found.source_kpi}" if found.source_kpi is not None else ""
            yield from _titled(f"Measures{of}", self._readings())
        if found.groups is not None and found.groups.groups:
            yield from _titled(f"By {found.groups.by}: {found.groups.rule}", self._groups(found.groups))
        if found.slices is not None and found.slices.slices:
            yield from _titled(f"By {found.slices.step} ({self._clock.name})", self._slices(found.slices))
        yield from _titled("Late and corrected events", self._restatements(found.restatements))
        yield from _titled("Dead letters of the window", self._letters(found.dead_letters))
        if found.events is not None:
            yield from _titled("Events, newest first", self._events(found.events))

    def _head(self) -> Iterator[RenderableType]:
        found, clock = self._found, self._clock
        value = found.value
        where = f" where {dims_key(value.dimensions)}" if value.dimensions else ""
        label = f" ({value.label})" if value.label else ""
        short = value.window in ("5m", "1h")
        yield Text.assemble((found.title, "bold"), f"  {value.kpi}, {value.window}{where}")
        yield Text.assemble((_shown(value) + label, "bold cyan"), _parts(value))
        start, end = (clock.show(time, seconds=short) for time in (value.window_start, value.window_end))
        yield Text(f"{start} to {end} {clock.name}")
        if value.previous is not None:
            yield Text(f"the window before: {show_value(value.previous, value.unit, value.currency)}")
        upto = clock.show(value.watermark, seconds=True) if value.watermark else UNKNOWN
        yield Text(f"{value.quality}, complete up to {upto}, revision {value.revision:,}")
        yield Text("")
        yield Text(found.doc)
        yield Text(f"{value.kpi} = {found.formula}", "cyan")
        if found.moved_on is not None:
            now = found.moved_on
            text = f"Events came in since it was published. It is now {_shown(now)}{_parts(now)}, and so are its parts:"
            yield Text(text, "yellow")

    def _goals(self, goals: Goals) -> RenderableType:
        table = plain_table("goal", "of", "period", "actual", "target", right=("actual", "target"))
        for goal in goals.goals:
            of = f"{goal.kpi or goal.kind} {dims_key(goal.dimensions)}".strip()
            name = f"  {goal.target}" if goal.parent and goals.rolled_up else goal.target
            show = self._amounts.money if goal.kind == "currency" else "{:,}".format
            actual = UNKNOWN if goal.actual is None else show(goal.actual)
            table.add_row(Text(name), Text(of), goal.period, actual, show(goal.value))
        time = Text(f"working time passed: {goals.working_time:,} of {goals.working_time_whole:,}")
        rolled = [Text("the actual value is what these have together")] if goals.rolled_up else []
        return Together(table, time, *rolled)

    def _readings(self) -> RenderableType:
        table = plain_table("measure", "sum", "counts", right=("sum",))
        for reading in self._found.readings:
            amount = self._amounts.show(reading.label, reading.sum)
            table.add_row(Text(reading.label, "cyan"), amount, Text(reading.counts.replace("`", "")))
        return table

    def _groups(self, groups: Groups) -> RenderableType:
        value, by_size = self._found.value, groups.by == "value"
        names = list(groups.groups[0].sums)
        columns = [] if by_size else ["value"]
        table = plain_table("seconds" if by_size else groups.by, *names, *columns, "", right=(*names, "value"))
        for group in groups.groups:
            name = show_value(group.value, "seconds", None) if by_size else group.name
            shown = [] if by_size else [show_value(group.value, value.unit, value.currency)]
            sums = (self._amounts.show(each, group.sums.get(each, 0)) for each in names)
            table.add_row(Text(name), *sums, *shown, Text("<- this one" if group.chosen else "", "bold cyan"))
        return Together(table, *([Text(f"{groups.left_out:,} more are not shown", "dim")] if groups.left_out else []))

    def _slices(self, slices: Slices) -> RenderableType:
        labels = list(dict.fromkeys(label for each in slices.slices for label in each.sums))
        sides = [side for side in ("numerator", "denominator") if any(_side(each, side) for each in slices.slices)]
        shown = labels[:_COLUMNS] if len(labels) <= _COLUMNS or not sides else []
        columns = [*shown, *(sides if len(shown) != 1 else [])]
        table = plain_table("from", *columns, right=columns)

        def row(name: str, sums: Sums, style: str = "") -> None:
            table.add_row(name, *(self._amounts.show(label, sums.get(label, 0)) for label in columns), style=style)

        if slices.starts:
            row("at the start", slices.starts, "dim")
        totals = dict(slices.starts)
        empty = 0
        for each in slices.slices:
            sums = each.sums | {side: _side(each, side) for side in sides}
            for label, amount in sums.items():
                totals[label] = totals.get(label, 0) + amount
            empty = 0 if each.sums else empty + 1
            if empty <= _EMPTY_ROWS:
                row(self._clock.slice(each.start, slices.step), sums)
            elif empty == _EMPTY_ROWS + 1:
                table.add_row(Text("... nothing until", "dim"))
        row("together", totals, "bold")
        return table

    def _restatements(self, restatements: Sequence[Restatement]) -> RenderableType:
        if not restatements:
            return Text("none that changed a day of the window after it was over", "dim")
        table = plain_table("day", "before", "after", "by")
        for each in restatements[:_RESTATED]:
            first = each.events[0]
            more = f" and {each.event_count - 1:,} more" if each.event_count > 1 else ""
            by = f"{first.event_type} {first.event_id} of {self._clock.show(first.occurred_at)}{more}"
            day = self._clock.slice(each.period_start, "month")
            table.add_row(day, _stated(each, each.before), _stated(each, each.after), Text(by))
        left = len(restatements) - _RESTATED
        return Together(table, *([Text(f"{left:,} more are not shown (--json)", "dim")] if left > 0 else []))

    def _letters(self, letters: Letters) -> RenderableType:
        if not letters.count:
            return Text("none that it might have counted", "dim")
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in letters.reasons.items())
        table = plain_table("number", "event", "when", "reason", right=("number",))
        for letter in letters.letters[:_LETTERS]:
            when = self._clock.show(letter.occurred_at or letter.failed_at)
            event = f"{letter.event_type or 'unreadable'} {letter.event_id or ''}".strip()
            refused = "" if letter.occurred_at else "refused "
            table.add_row(letter.number, Text(event), f"{refused}{when}", Text(letter.reason, "red"))
        numbers = " ".join(letter.number for letter in letters.letters[:_LETTERS])
        hint = Text.assemble("look at them: ", (f"salespulse dlq show {numbers}", "cyan"))
        return Together(Text(f"{letters.count:,} that it might have counted: {reasons}"), table, hint)

    def _events(self, events: Events) -> RenderableType:
        if events.note is not None:
            return Text(events.note, "dim")
        table = plain_table("when", "event", "added")
        for event in events.events:
            what = Text.assemble(event.event_type, "\n", (event.event_id, "cyan"))
            if event.ref and event.ref != event.account_id:
                what.append(f"\n{event.ref}", "dim")
            later = (f"{self._added(each)} on {self._clock.show(each.at)}" for each in event.later)
            added = "\n".join([*map(self._added, event.adds), *later])
            table.add_row(self._clock.show(event.occurred_at, seconds=True), what, Text(added))
        return Together(table, *self._summary(events))

    def _added(self, added: Added) -> str:
        return f"{self._amounts.show(added.reading, added.amount, '+')} {added.reading}"

    def _summary(self, events: Events) -> Iterator[RenderableType]:
        listed = len(events.events)
        some = "" if listed == events.count else f"; the newest {listed:,} are listed (--limit)"
        yield Text(f"{events.count:,} events count, of {events.messages:,} in the source topics{some}")
        sums = ", ".join(f"{self._amounts.show(label, amount)} {label}" for label, amount in events.sums.items())
        if not events.difference:
            yield Text(f"together {sums}: exactly the number", "green")
            return
        off = ", ".join(f"{self._amounts.show(label, n, '+')} {label}" for label, n in events.difference.items())
        yield Text(f"together {sums}: {off} against the number.", "yellow")
        reason = (
            "The pipeline may not have taken all in yet, topics may have forgotten old events, or the settings were"
        )
        yield Text(f"{reason} others when they were counted.", "yellow")


def _titled(title: str, content: RenderableType) -> Iterator[RenderableType]:
    yield Text("")
    yield Text(title, "bold")
    yield content


def _shown(value: KpiValue) -> str:
    return show_value(value.value, value.unit, value.currency)


def _parts(value: KpiValue) -> str:
    rank = f", rank {value.rank}" if value.rank else ""
    if value.denominator is None or value.numerator is None:
        return rank
    return f" = {value.numerator:,} / {value.denominator:,}{rank}"


def _side(each: SliceOf, name: str) -> int:
    found = each.numerator if name == "numerator" else each.denominator
    return found or 0


def _stated(each: Restatement, stated: Stated) -> str:
    return show_value(stated.value, each.unit, each.currency)
