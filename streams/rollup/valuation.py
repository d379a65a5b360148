"""Valuation: the KPI values of series whose window sums changed, and of what compares series with each other.

A value is published when it, its previous one or its window differs from what was published last.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import msgspec

from schemas.kpi import KpiValue, Quality, Unit, dims_key, parse_dims
from schemas.windows import WINDOWS
from streams.publication import Published
from streams.rollup.goals import GROUPING, Goals
from streams.rollup.series import Series, Timeline
from streams.rollup.upstream import RollupRules
from streams.rollup.values import UNKNOWN, Computed, KpisOfWindows, WindowKpi
from streams.rollup.worklist import Work
from streams.time import Span, iso

CLASSES: Final = "\0abc_class"
"""In place of a dimension key: the classes that the global series is split into."""

_CLASS_GROUPING: Final = "abc_class"
_json: Final = msgspec.json.Encoder()


class Stamp(NamedTuple):
    """What all values of a publication have in common."""

    watermark: str | None
    quality: Quality
    emitted_at: str


class _Content(NamedTuple):
    """What makes a value another one than that published before."""

    computed: Computed
    before: Computed | None
    span: Span
    rank: int | None = None


class _Ranked(NamedTuple):
    """A series in a ranking."""

    kpi: WindowKpi
    series: Series
    content: _Content


class Valuation:
    """Values of one owner's series.

    Args:
        kpis: The KPIs of every grouping.
        rules: The reporting currency.
        timeline: The windows at present.
        series: The owner's series, by dimension key.
        goals: Of the owner of the global series; the others have none.
        version_base: What all revisions begin at.
    """

    def __init__(
        self,
        kpis: Mapping[str, KpisOfWindows],
        rules: RollupRules,
        timeline: Timeline,
        series: Mapping[str, Series],
        goals: Goals | None,
        version_base: int = 0,
    ) -> None:
        self._kpis = {grouping: _published_kpis(of_windows) for grouping, of_windows in kpis.items()}
        self._timeline = timeline
        self._version_base = version_base
        self._series = series
        self._published: dict[str, _Content] = {}
        self._rankings: dict[tuple[str, int], dict[str, _Ranked]] = {}
        self._reranked: dict[tuple[str, int], None] = {}
        self._goals = goals
        self._goals_due = False
        self._goals_published: dict[str, tuple[_Content, Unit]] = {}
        self._currency = rules.currency
        self.of_the_present = frozenset(
            grouping
            for grouping, windows in self._kpis.items()
            if any("now_s" in kpi.measures for of_window in windows for kpi in of_window)
        )
        self.of_classes: frozenset[str] = frozenset().union(
            *(kpi.measures for of_window in self._kpis.get(_CLASS_GROUPING, ()) for kpi in of_window)
        )

    def of_series(self, work: Work, stamp: Stamp) -> Iterator[Published]:
        """Return the values of one series that changed; rankings wait for :meth:`compared`."""
        self._goals_due = True
        series = self._series[work.dims if work.dims != CLASSES else ""]
        if self._goals is not None and series.grouping == GROUPING:
            self._goals.note(series)
            return
        if work.forced and not work.dims:
            self._goals_published = {}
        kpis = self._kpis.get(series.grouping if work.dims != CLASSES else _CLASS_GROUPING)
        if kpis is None:
            return
        for index, changed in sorted(work.windows.items()):
            current, previous = series.window_sums(index, self._timeline)
            for kpi in kpis[index]:
                if changed is not None and kpi.measures.isdisjoint(changed):
                    continue
                key = _key(kpi, series)
                if series.dims and key not in self._published and not kpi.exists(series.total):
                    continue
                if index in work.forced:
                    self._published.pop(key, None)
                before = kpi.compute(previous, None) if previous is not None else None
                content = _Content(kpi.compute(current, previous), before, self._timeline.windows[index].span)
                yield from self._changed(key, kpi, series, index, content, stamp)

    def compared(self, now_ms: int, stamp: Stamp) -> Iterator[Published]:
        """Return the values that compare series: rankings and goals."""
        reranked, self._reranked = self._reranked, {}
        for place in reranked:
            yield from self._ranks(self._rankings[place], stamp)
        if self._goals is not None and self._goals_due and (self._goals or self._goals_published):
            yield from self._goal_values(self._goals, now_ms, stamp)
        self._goals_due = False

    def _changed(
        self, key: str, kpi: WindowKpi, series: Series, window: int, content: _Content, stamp: Stamp
    ) -> Iterator[Published]:
        if kpi.kpi.ranked:
            self._rank(kpi, series, window, content)
        elif self._published.get(key) != content:
            yield self._publish(key, kpi, series, content, stamp)

    def _rank(self, kpi: WindowKpi, series: Series, window: int, content: _Content) -> None:
        place = (kpi.kpi.name, window)
        ranking = self._rankings.setdefault(place, {})
        ranking[series.dims] = _Ranked(kpi, series, content)
        self._reranked[place] = None

    def _ranks(self, ranking: Mapping[str, _Ranked], stamp: Stamp) -> Iterator[Published]:
        """Rank series: 1 is the highest, equals share a rank (1, 2, 2, 4)."""
        ordered = sorted(ranking.values(), key=lambda ranked: -(ranked.content.computed.value or 0))
        rank, last = 0, None
        for place, (kpi, series, content) in enumerate(ordered, 1):
            value = content.computed.value or 0
            if value != last:
                rank, last = place, value
            found, key = content._replace(rank=rank), _key(kpi, series)
            if self._published.get(key) != found:
                yield self._publish(key, kpi, series, found, stamp)

    def _publish(self, key: str, kpi: WindowKpi, series: Series, content: _Content, stamp: Stamp) -> Published:
        self._published[key] = content
        dimensions = series.dimensions
        if kpi.member:
            dimensions = {**dimensions, kpi.kpi.class_of: kpi.member}
        revision = self._version_base + series.revision
        value = _value(kpi.kpi.name, kpi.window, dimensions, kpi.kpi.unit, kpi.currency, content, revision, stamp)
        if kpi.kpi.ranked:
            value = msgspec.structs.replace(value, rank=content.rank)
        if kpi.kpi.lowest:
            value = msgspec.structs.replace(value, label=content.computed.label)
        return Published(key, kpi.kpi.name, kpi.window, dims_key(dimensions), value, _json.encode(value))

    def _goal_values(self, goals: Goals, now_ms: int, stamp: Stamp) -> Iterator[Published]:
        """Return what changed of goals; what is no goal any more is unknown, once."""
        said: dict[str, tuple[_Content, Unit]] = {}
        revision = self._version_base + self._series[""].revision
        for kpi, window, dimensions, computed, unit in goals.values(self._series, self._timeline, now_ms):
            name, dims = WINDOWS[window], dims_key(dimensions)
            key = f"{kpi}|{name}|{dims}"
            content = _Content(computed, None, self._timeline.windows[window].span)
            said[key] = (content, unit)
            if self._goals_published.get(key) != said[key]:
                yield self._published_goal(key, dimensions, unit, content, revision, stamp)
        for key, (_, unit) in self._goals_published.items():
            if key not in said:
                _, window_name, dims = key.split("|")
                content = _Content(UNKNOWN, None, self._timeline.windows[WINDOWS.index(window_name)].span)
                yield self._published_goal(key, parse_dims(dims), unit, content, revision, stamp)
        self._goals_published = said

    def _published_goal(
        self, key: str, dimensions: Mapping[str, str], unit: Unit, content: _Content, revision: int, stamp: Stamp
    ) -> Published:
        kpi, window, dims = key.split("|")
        currency = self._currency if unit == "money" else None
        value = _value(kpi, window, dimensions, unit, currency, content, revision, stamp)
        return Published(key, kpi, window, dims, value, _json.encode(value))


def _published_kpis(of_windows: KpisOfWindows) -> KpisOfWindows:
    """Leave out the windows that a KPI is not published for."""
    return tuple(tuple(kpi for kpi in kpis if kpi.window in kpi.kpi.windows) for kpis in of_windows)


def _key(kpi: WindowKpi, series: Series) -> str:
    if kpi.member:
        return f"{kpi.kpi.name}|{kpi.window}|{kpi.kpi.class_of}={kpi.member}"
    return f"{kpi.kpi.name}|{kpi.window}|{series.dims}"


def _value(
    kpi: str,
    window: str,
    dimensions: Mapping[str, str],
    unit: Unit,
    currency: str | None,
    content: _Content,
    revision: int,
    stamp: Stamp,
) -> KpiValue:
    value, numerator, denominator, _ = content.computed
    before = content.before.value if content.before is not None else None
    difference = value - before if value is not None and before is not None else None
    return KpiValue(
        kpi=kpi,
        window=window,
        dimensions=dict(dimensions),
        value=value,
        unit=unit,
        currency=currency,
        numerator=numerator,
        denominator=denominator,
        window_start=iso(content.span.start_ms) if window != "all" else None,
        window_end=iso(content.span.end_ms),
        previous=before,
        difference=difference,
        change=difference / before if difference is not None and before else None,
        watermark=stamp.watermark,
        revision=revision,
        quality=stamp.quality,
        emitted_at=stamp.emitted_at,
    )
