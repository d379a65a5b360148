"""Valuation: the KPI values of series whose window sums changed, and of what compares series with each other.

A value is published when it, its previous one or its window differs from what was published last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec
from msgspec import UNSET

from streams.publication import Published
from streams.rollup.content import Content, Stamp, kpi_value
from streams.rollup.goal_series import GoalSeries
from streams.rollup.goals import GROUPING, SeriesOf
from streams.rollup.series import Series
from streams.rollup.timeline import Timeline
from streams.rollup.values import UNKNOWN, KpisOfWindows, WindowKpi
from streams.rollup.worklist import Work

CLASSES: Final = "\0abc_class"
"""In place of a dimension key: the classes that the global series is split into."""

_CLASS_GROUPING: Final = "abc_class"
_json: Final = msgspec.json.Encoder()


class _Ranked(msgspec.Struct, frozen=True, gc=False):
    """A series in a ranking."""

    kpi: WindowKpi
    series: Series
    content: Content


_Place = tuple[str, str, int]
"""What is ranked with each other: the series of one KPI and grouping in one window."""


class Valuation:
    """Values of one owner's series.

    Args:
        kpis: The KPIs of every grouping.
        timeline: The windows at present.
        series: The owner's series, by dimension key.
        goals: Of the owner of the global series; the others have none.
        version_base: What all revisions begin at.
    """

    def __init__(
        self,
        kpis: Mapping[str, KpisOfWindows],
        timeline: Timeline,
        series: Mapping[str, Series],
        goals: GoalSeries | None,
        version_base: int = 0,
    ) -> None:
        self._kpis = {grouping: _published_kpis(of_windows) for grouping, of_windows in kpis.items()}
        self._timeline = timeline
        self._version_base = version_base
        self._series = series
        self._published: dict[str, Content] = {}
        self._rankings: dict[_Place, dict[str, _Ranked]] = {}
        self._reranked: dict[_Place, None] = {}
        self._goals = goals
        self.of_the_present = frozenset(
            grouping
            for grouping, windows in self._kpis.items()
            if any("now_s" in kpi.measures for of_window in windows for kpi in of_window)
        )
        self.of_totals: frozenset[str] = frozenset().union(
            *(kpi.of_totals for windows in self._kpis.values() for of_window in windows for kpi in of_window)
        )
        self.of_classes: frozenset[str] = frozenset().union(
            *(kpi.measures for of_window in self._kpis.get(_CLASS_GROUPING, ()) for kpi in of_window)
        )

    def of_series(self, work: Work, stamp: Stamp) -> Iterator[Published]:
        """Return the values of one series that changed; rankings wait for :meth:`compared`."""
        series = self._series[work.dims if work.dims != CLASSES else ""]
        if self._goals is not None:
            self._goals.renew(everything=bool(work.forced and not work.dims))
            if series.grouping == GROUPING:
                self._goals.note(series)
                return
        kpis = self._kpis.get(series.grouping if work.dims != CLASSES else _CLASS_GROUPING)
        if kpis is None:
            return
        revision = self._version_base + series.revision
        for index in sorted(work.windows):
            for key, kpi, content in self._contents(series, work, index, kpis[index]):
                said = self._rank(kpi, series, index, content) if kpi.kpi.ranked else content
                if said is not None and self._published.get(key) != said:
                    yield self._publish(key, kpi, series, said, revision, stamp)
        if work.dims != CLASSES:
            series.previous_changed.difference_update(work.windows)

    def _contents(
        self, series: Series, work: Work, window: int, kpis: Iterable[WindowKpi]
    ) -> Iterator[tuple[str, WindowKpi, Content]]:
        """Compute the KPIs of one window that changed measures concern.

        What was found of the previous interval is used again where no event changed it: few ever do.
        """
        changed, forced = work.windows[window], window in work.forced
        is_moved = changed is None or window in series.previous_changed
        current, previous = series.window_sums(window)
        span = self._timeline.windows[window].span
        for kpi in kpis:
            if changed is not None and kpi.measures.isdisjoint(changed):
                continue
            key = _key(kpi, series)
            known = self._published.get(key)
            if known is None and series.dims and not kpi.exists(series.ever):
                continue
            if forced:
                self._published.pop(key, None)
            if known is None or is_moved or not kpi.is_of_flows:
                before = kpi.compute(previous, None) if previous is not None else None
            else:
                before = known.before
            yield key, kpi, Content(kpi.compute(current, previous), before, span)

    def compared(self, series_of: SeriesOf, now_ms: int, stamp: Stamp) -> Iterator[Published]:
        """Return the values that compare series: rankings, and goals, which are about any series."""
        reranked, self._reranked = self._reranked, {}
        for place in reranked:
            yield from self._ranks(self._rankings[place], stamp)
        if self._goals is not None:
            yield from self._goals.values(series_of, self._timeline, now_ms, stamp)

    def _rank(self, kpi: WindowKpi, series: Series, window: int, content: Content) -> Content | None:
        """Have a series ranked by :meth:`compared`; returns what is said at once of one that is in no ranking any more.

        All its events were resolved anew to other values, and its 0 would be ahead of everybody below 0.
        """
        place = kpi.kpi.name, series.grouping, window
        self._reranked[place] = None
        ranking = self._rankings.setdefault(place, {})
        if kpi.is_counted(series.total):
            ranking[series.dims] = _Ranked(kpi, series, content)
            return None
        ranking.pop(series.dims, None)
        return Content(UNKNOWN, None, content.span)

    def _ranks(self, ranking: Mapping[str, _Ranked], stamp: Stamp) -> Iterator[Published]:
        """Rank series: 1 is the highest, equals share a rank (1, 2, 2, 4)."""
        ordered = sorted(ranking.values(), key=lambda ranked: -(ranked.content.computed.value or 0))
        rank, last = 0, None
        for place, ranked in enumerate(ordered, 1):
            kpi, series, content = ranked.kpi, ranked.series, ranked.content
            value = content.computed.value or 0
            if value != last:
                rank, last = place, value
            found, key = Content(content.computed, content.before, content.span, rank), _key(kpi, series)
            if self._published.get(key) != found:
                yield self._publish(key, kpi, series, found, self._version_base + series.revision, stamp)

    def _publish(
        self, key: str, kpi: WindowKpi, series: Series, content: Content, revision: int, stamp: Stamp
    ) -> Published:
        self._published[key] = content
        declared, dims, dimensions = kpi.kpi, series.dims, series.dimensions
        if kpi.member:
            dims, dimensions = f"{declared.class_of}={kpi.member}", {declared.class_of: kpi.member}
        value = kpi_value(
            declared.name,
            kpi.window,
            dimensions,
            declared.unit,
            kpi.currency,
            content,
            revision,
            stamp,
            rank=content.rank if declared.ranked else UNSET,
            label=content.computed.label if declared.lowest else UNSET,
        )
        return Published(key, declared.name, kpi.window, dims, value, _json.encode(value))


def _published_kpis(of_windows: KpisOfWindows) -> KpisOfWindows:
    """Leave out the windows that a KPI is not published for."""
    return tuple(tuple(kpi for kpi in kpis if kpi.window in kpi.kpi.windows) for kpis in of_windows)


def _key(kpi: WindowKpi, series: Series) -> str:
    if kpi.member:
        return f"{kpi.kpi.name}|{kpi.window}|{kpi.kpi.class_of}={kpi.member}"
    return f"{kpi.kpi.name}|{kpi.window}|{series.dims}"
