"""What a dashboard shows of a KPI follows from its declaration: here each sort of KPI gets the panels that suit it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from typing import Final, Literal

from deploy.grafana.layout import Band, across
from deploy.grafana.panels import bars, lines, ranking, tile, trend
from deploy.grafana.queries import current, unit_of
from deploy.grafana.tables import crosswise, of_kpis, ranks
from schemas.areas import Board
from schemas.catalogue import Kpi

FILTERED: Final = ("rep", "team")
"""Dimensions of which a dashboard lets one choose values, if its audience compares by them."""

Sort = Literal["durations", "classes", "ranking", "goals", "plain"]


def filters_of(board: Board) -> tuple[str, ...]:
    """Return the dimensions of which values can be chosen on a dashboard."""
    return tuple(name for name in FILTERED if name in board.breakdowns)


def sections(board: Board, kpis: Sequence[Kpi]) -> Iterator[Band]:
    """Yield the bands of all KPIs of a dashboard, in the order of the catalogue."""
    for _, group in groupby(kpis, key=_group):
        yield from _bands(board, tuple(group))


def _group(kpi: Kpi) -> tuple[Sort, str]:
    """What is shown together: KPIs of one row, all goals, all rankings of an area, and others each by itself."""
    sort = _sort(kpi)
    together: dict[Sort, str] = {"plain": kpi.name, "durations": _stem(kpi), "classes": str(kpi.row)}
    return sort, together.get(sort, kpi.area)


def _sort(kpi: Kpi) -> Sort:
    if kpi.goal is not None and "target" in kpi.dimensions:
        return "goals"
    if kpi.ranked:
        return "ranking"
    if not kpi.has_global:
        return "classes"
    return "durations" if kpi.type == "distribution" or _is_mean(kpi) else "plain"


def _is_mean(kpi: Kpi) -> bool:
    return kpi.name.endswith("_mean") and kpi.unit == "seconds"


def _stem(kpi: Kpi) -> str:
    return kpi.name.rpartition("_")[0]


def _bands(board: Board, kpis: tuple[Kpi, ...]) -> Iterator[Band]:
    match _sort(kpis[0]):
        case "goals":
            yield from _goals(board, kpis)
        case "ranking":
            yield 9, across([ranks(kpi, dimension) for kpi in kpis for dimension in kpi.dimensions])
        case "classes":
            yield 5, across([_classes(kpi) for kpi in kpis])
        case "durations":
            yield _durations(board, kpis)
        case "plain":
            yield _plain(board, kpis[0])
    yield from _pairs(board, kpis[0])


def _plain(board: Board, kpi: Kpi) -> Band:
    """Number, course against the window before, and who has how much of it."""
    by = breakdowns(board, kpi)[:2]
    rankings = [ranking(kpi, dimension, filters_of(board)) for dimension in by]
    shown = [] if kpi.name in board.highlights else [(4, tile(kpi))]
    left = 24 - sum(width for width, _ in shown)
    each = left // 3 if by else 0
    return 7, [*shown, (left - each * len(rankings), trend(kpi)), *((each, panel) for panel in rankings)]


def _durations(board: Board, kpis: Sequence[Kpi]) -> Band:
    """Mean and percentiles in one panel, and side by side for each value of a dimension."""
    title = kpis[0].title.partition(" (")[0]
    course = lines(title, kpis[0].doc, unit_of(kpis[0]), {_short(kpi): current(kpi) for kpi in kpis})
    by = breakdowns(board, kpis[0])[:1]
    sides = [of_kpis(f"{title} by {name}", kpis[0].doc, name, kpis, filters_of(board)) for name in by]
    return 8, across([course, *sides])


def _short(kpi: Kpi) -> str:
    """Mean, median or 90th percentile."""
    return kpi.title.partition("(")[2].rstrip(")") or kpi.title


def _classes(kpi: Kpi) -> object:
    """All classes as bars."""
    dimension = kpi.dimensions[0]
    return bars(kpi.title, kpi.doc, unit_of(kpi), {f"{{{{{dimension}}}}}": f"sort_desc({current(kpi, dimension)})"})


def _goals(board: Board, kpis: Sequence[Kpi]) -> Iterator[Band]:
    """Each target with all that is said of it, and the sums of the revenue targets."""
    doc = "Each target in the window of its own period, whatever window is chosen."
    yield 9, [(14, of_kpis("Targets", doc, "target", kpis)), (10, ranking(kpis[0], "target"))]
    yield 5, across([tile(kpi) for kpi in kpis])
    for kpi in kpis:
        others = [name for name in kpi.dimensions if name != "target"]
        yield 6, across([ranking(kpi, name, filters_of(board)) for name in others])


def _pairs(board: Board, kpi: Kpi) -> Iterator[Band]:
    """A table for each pair of dimensions."""
    pairs = [grouping.split(",") for grouping in kpi.dimensions if "," in grouping]
    if pairs:
        yield 8, across([crosswise(kpi, rows, columns, filters_of(board)) for rows, columns in pairs])


def breakdowns(board: Board, kpi: Kpi) -> tuple[str, ...]:
    """Return the single dimensions of a KPI: those by which the dashboard's audience compares first."""
    single = [name for name in kpi.dimensions if "," not in name]
    return (*(name for name in board.breakdowns if name in single), *(n for n in single if n not in board.breakdowns))


def shown_on(board: Board, kpis: Collection[Kpi]) -> list[Kpi]:
    """Return the KPIs of a dashboard's areas."""
    return [kpi for kpi in kpis if kpi.area in board.areas]
