"""Restatements: the KPIs of closed days, weeks, months, quarters and years that late events and corrections change.

What an event changed in a day is said with the cells that hold it, so what a period was before is what it is now less
the change. Compared are the sums of day cells; KPIs that look at other windows too (growth) or at the present (cohort
maturity) are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from schemas.restatements import Cause, Restatement, Stated
from schemas.rows import EVENT_TYPES
from schemas.windows import RESOLUTIONS, TO_DATE, WINDOWS
from schemas.wire import Restated
from streams.rollup.series import Series, Sums
from streams.rollup.sums import WindowSums
from streams.rollup.values import Computed, KpisOfWindows, WindowKpi
from streams.time import Calendar, Span, iso

_DAY: Final = RESOLUTIONS.index("1d")
_SHOWN: Final = 20


class _Change(NamedTuple):
    """What changed in one day of one series, and by which events."""

    series: Series
    day_ms: int
    delta: Sums
    events: list[Restated]


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
        self._waiting: list[Restatement] = []

    def restate(
        self, partition: int, noted: Iterable[Restated], series: Mapping[str, Series], now_ms: int, wall_ms: int
    ) -> None:
        """Find what changed in periods that are over at ``now_ms``, in frames that were not told of before.

        Args:
            partition: Log partition that the notes are of.
            noted: What events changed; the cells hold it already.
            series: By dimension key.
            now_ms: End of what counts.
            wall_ms: For ``emitted_at``.
        """
        told = self.told.get(partition, -1)
        new = [note for note in noted if note.offset > told]
        if new:
            self._waiting += self._restatements(partition, new, series, now_ms, wall_ms)
            self.told[partition] = max(note.offset for note in new)

    def take(self) -> list[Restatement]:
        """Return what was found since the last time."""
        taken, self._waiting = self._waiting, []
        return taken

    def _restatements(
        self, partition: int, noted: Iterable[Restated], series: Mapping[str, Series], now_ms: int, wall_ms: int
    ) -> Iterator[Restatement]:
        changes: dict[tuple[str, int], _Change] = {}
        for note in noted:
            found = series.get(note.dims)
            if found is not None:
                change = changes.setdefault((note.dims, note.day_ms), _Change(found, note.day_ms, {}, []))
                change.events.append(note)
                for name, value in note.delta.items():
                    change.delta[name] = change.delta.get(name, 0) + value
        for change in changes.values():
            for window in TO_DATE:
                span = self._calendar.period(window, change.day_ms)
                if span.end_ms <= now_ms:
                    yield from self._of_period(partition, change, window, span, iso(wall_ms))

    def _of_period(
        self, partition: int, change: _Change, window: str, span: Span, emitted_at: str
    ) -> Iterator[Restatement]:
        series, delta = change.series, change.delta
        changed = {name.partition("#")[0] for name, value in delta.items() if value}
        windows = self._kpis.get(series.grouping)
        kpis = [kpi for kpi in windows[WINDOWS.index(window)] if _is_restated(kpi, changed)] if windows else []
        if not kpis:
            return
        measures = frozenset().union(*(kpi.measures for kpi in kpis))
        keyed = any(kpi.kpi.percentile is not None or kpi.kpi.lowest for kpi in kpis)
        flow = _sum_days(series, span, measures, keyed=keyed)
        tail = _sum_days(series, Span(span.end_ms, 1 << 60), measures, keyed=False)
        after = WindowSums(flow, tail, series.total, span.end_ms // 1000, 0, {})
        before = after._replace(flow=_less(flow, delta), total=_less(series.total, delta), memo={})
        for kpi in kpis:
            was, now = kpi.compute(before, None), kpi.compute(after, None)
            if was != now:
                yield _restatement(partition, change, kpi, span, (was, now), emitted_at)


def _is_restated(kpi: WindowKpi, changed: set[str]) -> bool:
    return not (kpi.kpi.growth or kpi.member or "now_s" in kpi.measures or kpi.measures.isdisjoint(changed))


def _touches(kpi: WindowKpi, event: Restated) -> bool:
    return not kpi.measures.isdisjoint(name.partition("#")[0] for name in event.delta)


def _sum_days(series: Series, span: Span, measures: frozenset[str], *, keyed: bool) -> Sums:
    """Add up day cells: of the measures, and if ``keyed`` of their keys."""
    sums: Sums = {}
    for start_ms, cell in series.cells[_DAY].items():
        if span.start_ms <= start_ms < span.end_ms:
            names = [name for name in cell if name.partition("#")[0] in measures] if keyed else measures & cell.keys()
            for name in names:
                sums[name] = sums.get(name, 0) + cell[name]
    return sums


def _less(sums: Mapping[str, int], delta: Mapping[str, int]) -> Sums:
    return {**sums, **{name: sums.get(name, 0) - value for name, value in delta.items()}}


def _restatement(
    partition: int, change: _Change, kpi: WindowKpi, span: Span, values: tuple[Computed, Computed], emitted_at: str
) -> Restatement:
    last = change.events[-1]
    causes = [event for event in change.events if _touches(kpi, event)]
    before, after = (Stated(value, numerator, denominator) for value, numerator, denominator, _ in values)
    key = f"{kpi.kpi.name}|{kpi.window}|{change.series.dims}|{iso(span.start_ms)}"
    return Restatement(
        id=f"{partition}/{last.offset}/{change.day_ms}/{key}",
        kpi=kpi.kpi.name,
        window=kpi.window,
        period_start=iso(span.start_ms),
        period_end=iso(span.end_ms),
        dimensions=change.series.dimensions,
        unit=kpi.kpi.unit,
        currency=kpi.currency,
        before=before,
        after=after,
        events=[Cause(event.event_id, EVENT_TYPES[event.kind], iso(event.at_ms)) for event in causes[:_SHOWN]],
        event_count=len(causes),
        emitted_at=emitted_at,
    )
