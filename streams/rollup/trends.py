"""Trends: what some series were in each hour and each day, from the cells that the windows are summed from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from schemas.kpi import dims_key, parse_dims
from schemas.playlist import Page
from schemas.windows import WINDOWS
from streams.history import HistoryPoint, HistoryStep, slices
from streams.rollup.series import Series
from streams.rollup.sums import WindowSums
from streams.rollup.values import KpisOfWindows, WindowKpi
from streams.time import Calendar, Span

_RESOLUTION: Final = "15m"
_WINDOW_OF: Final[Mapping[HistoryStep, str]] = {"1h": "1h", "1d": "today"}


class Trend(NamedTuple):
    """A series whose history somebody looks at."""

    kpi: str
    dims: str
    step: HistoryStep


def trends_of(pages: Iterable[Page]) -> tuple[Trend, ...]:
    """Return the trends that the tiles of a playlist show, each once."""
    tiles = (tile for page in pages for tile in page.tiles)
    return tuple(
        dict.fromkeys(Trend(kpi, dims_key(tile.where), tile.step) for tile in tiles if tile.step for kpi in tile.kpis)
    )


class Trends:
    """The trends of one owner's series.

    Args:
        kpis: The KPIs of every grouping.
        calendar: Days and hours of the business zone.
        trends: Those that are looked at.
    """

    def __init__(self, kpis: Mapping[str, KpisOfWindows], calendar: Calendar, trends: Sequence[Trend]) -> None:
        self._calendar = calendar
        self._trends = [(trend, kpi) for trend in trends for kpi in _compiled(kpis, trend)]
        self._told: dict[tuple[Trend, int], HistoryPoint] = {}

    def points(self, series: Mapping[str, Series], clock_ms: int) -> tuple[list[HistoryPoint], bool]:
        """Return the points that changed since the last time, and whether they are all there are (the first time)."""
        first = not self._told
        changed: list[HistoryPoint] = []
        told: dict[tuple[Trend, int], HistoryPoint] = {}
        for trend, kpi in self._trends:
            found = series.get(trend.dims)
            if found is None:
                continue
            for span in slices(trend.step, clock_ms, self._calendar):
                point = self._point(trend, kpi, found, span)
                told[trend, span.start_ms] = point
                if self._told.get((trend, span.start_ms)) != point:
                    changed.append(point)
        self._told = told
        return changed, first

    def _point(self, trend: Trend, kpi: WindowKpi, series: Series, span: Span) -> HistoryPoint:
        flow: dict[str, int] = {}
        for part in self._calendar.cover(span, _RESOLUTION):
            for name, value in series.sum_between(part.start_ms, part.end_ms, part.resolution).items():
                flow[name] = flow.get(name, 0) + value
        tail: dict[str, int] = {}
        for part in self._calendar.tail(span.end_ms, _RESOLUTION) if kpi.has_levels else ():
            for name, value in series.sum_between(part.start_ms, part.end_ms, part.resolution).items():
                tail[name] = tail.get(name, 0) + value
        end_s = span.end_ms // 1000
        computed = kpi.compute(WindowSums(flow, tail, series.total, end_s, end_s, {}), None)
        return HistoryPoint(
            trend.kpi, trend.dims, trend.step, span.start_ms, computed.value, computed.numerator, computed.denominator
        )


def _compiled(kpis: Mapping[str, KpisOfWindows], trend: Trend) -> Iterator[WindowKpi]:
    windows = kpis.get(",".join(parse_dims(trend.dims)))
    if windows is not None:
        yield from (kpi for kpi in windows[WINDOWS.index(_WINDOW_OF[trend.step])] if kpi.kpi.name == trend.kpi)
