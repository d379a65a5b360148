"""Restatements: the KPIs of closed days, weeks, months, quarters and years that late events and corrections change.

What an event changed in a day is said with the cells that hold it, so what a period was before is what it is now less
the change. Compared are the sums of day cells; KPIs that look at other windows too (growth) or at the present (cohort
maturity) are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from schemas.restatements import Cause, Restatement, Stated
from schemas.rows import EVENT_TYPES
from schemas.windows import TO_DATE, WINDOWS
from schemas.wire import Restated
from streams.rollup.distribution import Names, add_names
from streams.rollup.series import Series
from streams.rollup.slices import Sums
from streams.rollup.sums import WindowSums
from streams.rollup.values import Computed, KpisOfWindows, WindowKpi
from streams.time import Calendar, Span, iso

_SHOWN: Final = 20


class _Change(NamedTuple):
    """What changed in one day of one series, and by which events, each with the measures that it changed."""

    series: Series
    day_ms: int
    delta: Mapping[str, int]
    events: list[tuple[Cause, frozenset[str]]]
    offset: int


class _Period(NamedTuple):
    """A period that is over, of one series, as it is now."""

    start: str
    end: str
    sums: WindowSums
    values: list[Computed]


class _Known:
    """What was found out once of series that no cells are added to meanwhile: many days that change lie in one year."""

    def __init__(self) -> None:
        self._periods: dict[tuple[str, Span, tuple[WindowKpi, ...]], _Period] = {}
        self._names: dict[str, Names] = {}

    def period(self, series: Series, span: Span, kpis: tuple[WindowKpi, ...]) -> _Period:
        """Compute some KPIs of a period from its days, and from all days after it where they look at its end."""
        place = series.dims, span, kpis
        found = self._periods.get(place)
        if found is None:
            measures = frozenset().union(*(kpi.measures for kpi in kpis))
            keyed = any(kpi.kpi.percentile is not None or kpi.kpi.lowest for kpi in kpis)
            flow = _sum_days(series, span, measures, keyed=keyed)
            tail: Sums = {}
            if any(kpi.has_levels for kpi in kpis):
                tail = _sum_days(series, Span(span.end_ms, 1 << 60), measures, keyed=False)
            names = self._names_of(series, flow) if keyed else {}
            sums = WindowSums(flow, tail, series.total, span.end_ms // 1000, 0, {}, names)
            values = [kpi.compute(sums, None) for kpi in kpis]
            found = self._periods[place] = _Period(iso(span.start_ms), iso(span.end_ms), sums, values)
        return found

    def _names_of(self, series: Series, flow: Sums) -> Names:
        names = self._names.get(series.dims)
        if names is None:
            names = self._names[series.dims] = {}
            add_names(names, series.total)
        add_names(names, flow.keys() - series.total.keys())
        return names


class Restater:
    """Computes the restatements of one owner's series.

    Args:
        kpis: The KPIs of every grouping.
        calendar: Periods of the business zone.
    """

    def __init__(self, kpis: Mapping[str, KpisOfWindows], calendar: Calendar) -> None:
        self.told: dict[int, int] = {}
        """Log partition -> last log offset whose restatements were told."""
        self._kpis = kpis
        self._calendar = calendar
        self._of_changed = lru_cache(maxsize=4_096)(self._restated)

    def restatements(
        self, partition: int, noted: Iterable[Restated], series: Mapping[str, Series], now_ms: int, wall_ms: int
    ) -> Iterator[list[Restatement]]:
        """Find what changed in periods that are over at ``now_ms``, in frames that were not told of before.

        They count as told once all of them were asked for; until then no other cells may be added to the series.

        Args:
            partition: Log partition that the notes are of.
            noted: What events changed; the cells hold it already.
            series: By dimension key.
            now_ms: End of what counts.
            wall_ms: For ``emitted_at``.

        Yields:
            What a day of one series has to say, which may be nothing.
        """
        told = self.told.get(partition, -1)
        new = [note for note in noted if note.offset > told]
        emitted_at = iso(wall_ms)
        known = _Known()
        for change in _changes(new, series):
            yield list(self._of_change(partition, change, now_ms, emitted_at, known))
        if new:
            self.told[partition] = max(note.offset for note in new)

    def _of_change(
        self, partition: int, change: _Change, now_ms: int, emitted_at: str, known: _Known
    ) -> Iterator[Restatement]:
        series, delta = change.series, change.delta
        changed = frozenset(name.partition("#")[0] for name, value in delta.items() if value)
        total = _less(series.total, delta)
        for window in TO_DATE:
            kpis = self._of_changed(series.grouping, window, changed)
            span = self._calendar.period(window, change.day_ms)
            if not kpis or span.end_ms > now_ms:
                continue
            period = known.period(series, span, kpis)
            sums = period.sums
            before = msgspec.structs.replace(sums, flow=_less(sums.flow, delta), total=total, memo={})
            for kpi, now in zip(kpis, period.values, strict=True):
                was = kpi.compute(before, None)
                if was != now:
                    yield _restatement(partition, change, kpi, period, (was, now), emitted_at)

    def _restated(self, grouping: str, window: str, changed: frozenset[str]) -> tuple[WindowKpi, ...]:
        """Return the KPIs of a window that may be restated where some measures changed."""
        windows = self._kpis.get(grouping)
        return tuple(kpi for kpi in windows[WINDOWS.index(window)] if _is_restated(kpi, changed)) if windows else ()


def _changes(noted: Iterable[Restated], series: Mapping[str, Series]) -> Iterator[_Change]:
    """Add up what is noted, by series and day."""
    by_day: dict[tuple[str, int], list[Restated]] = {}
    for note in noted:
        by_day.setdefault((note.dims, note.day_ms), []).append(note)
    for (dims, day_ms), notes in by_day.items():
        found = series.get(dims)
        if found is not None:
            delta: Counter[str] = Counter()
            for note in notes:
                delta.update(note.delta)
            events = [
                (
                    Cause(note.event_id, EVENT_TYPES[note.kind], iso(note.at_ms)),
                    frozenset(name.partition("#")[0] for name in note.delta),
                )
                for note in notes
            ]
            yield _Change(found, day_ms, delta, events, notes[-1].offset)


def _is_restated(kpi: WindowKpi, changed: frozenset[str]) -> bool:
    return not (kpi.kpi.growth or kpi.member or "now_s" in kpi.measures or kpi.measures.isdisjoint(changed))


def _sum_days(series: Series, span: Span, measures: frozenset[str], *, keyed: bool) -> Sums:
    """Add up day cells: of the measures, and if ``keyed`` of their keys."""
    sums: Sums = {}
    for start_ms, cell in series.days.items():
        if span.start_ms <= start_ms < span.end_ms:
            names = [name for name in cell if name.partition("#")[0] in measures] if keyed else measures & cell.keys()
            for name in names:
                sums[name] = sums.get(name, 0) + cell[name]
    return sums


def _less(sums: Mapping[str, int], delta: Mapping[str, int]) -> Sums:
    return {**sums, **{name: sums.get(name, 0) - value for name, value in delta.items()}}


def _restatement(
    partition: int,
    change: _Change,
    kpi: WindowKpi,
    period: _Period,
    values: tuple[Computed, Computed],
    emitted_at: str,
) -> Restatement:
    series, before, after = change.series, *map(_stated, values)
    causes = [cause for cause, measures in change.events if not kpi.measures.isdisjoint(measures)]
    key = f"{kpi.kpi.name}|{kpi.window}|{series.dims}|{period.start}"
    return Restatement(
        id=f"{partition}/{change.offset}/{change.day_ms}/{key}",
        kpi=kpi.kpi.name,
        window=kpi.window,
        period_start=period.start,
        period_end=period.end,
        dimensions=series.dimensions,
        unit=kpi.kpi.unit,
        currency=kpi.currency,
        before=before,
        after=after,
        events=causes[:_SHOWN],
        event_count=len(causes),
        emitted_at=emitted_at,
    )


def _stated(computed: Computed) -> Stated:
    return Stated(computed.value, computed.numerator, computed.denominator)
