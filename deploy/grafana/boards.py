"""The dashboards: what each begins with for its audience, and then all KPIs of its areas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from deploy.grafana.health import health
from deploy.grafana.layout import Band, across, page, placed, values_variable, window_variable
from deploy.grafana.panels import bars, lines, tile
from deploy.grafana.queries import current, unit_of
from deploy.grafana.sections import filters_of, sections, shown_on
from deploy.grafana.tables import of_kpis, steps_of
from deploy.grafana.wall import teams, wall
from schemas.areas import Board
from schemas.catalogue import Kpi
from schemas.metric_names import metric_name

FUNNEL: Final = ("leads_created", "opportunities_created", "quotes_sent", "deals_won")
PEOPLE: Final = ("revenue", "deals_won", "win_rate", "average_ticket", "gross_margin")


def dashboard_of(board: Board, kpis: Sequence[Kpi]) -> Any:
    """Return a dashboard, made of a catalogue."""
    named = {kpi.name: kpi for kpi in kpis}
    if board.uid == "system-health":
        return page(board, placed(health()))
    window = window_variable(board.window)
    if board.uid == "sales-wall":
        return page(board, placed(wall(board, named)), [window, teams(named)])
    chosen = [values_variable(name, metric_name(named["revenue"], (name,))) for name in filters_of(board)]
    return page(board, placed(_bands(board, kpis, named)), [window, *chosen])


def _bands(board: Board, kpis: Sequence[Kpi], named: Mapping[str, Kpi]) -> Iterator[Band]:
    yield 5, across([tile(named[name]) for name in board.highlights])
    if board.uid == "sales-manager":
        yield from _people(board, named)
    if board.uid == "sales-funnel":
        yield from _funnel(board, named)
    yield from sections(board, shown_on(board, kpis))


def _people(board: Board, named: Mapping[str, Kpi]) -> Iterator[Band]:
    """Reps, teams and regions, all that are chosen."""
    figures, filters = [named[name] for name in PEOPLE], filters_of(board)
    yield 9, across([of_kpis(f"By {name}", "By revenue.", name, figures, filters) for name in (*filters, "region")])
    revenue = figures[0]
    yield (
        8,
        across(
            [
                lines(
                    f"{revenue.title} of each {name}",
                    revenue.doc,
                    unit_of(revenue),
                    {f"{{{{{name}}}}}": current(revenue, name, filters)},
                )
                for name in filters
            ]
        ),
    )


def _funnel(board: Board, named: Mapping[str, Kpi]) -> Iterator[Band]:
    """From lead to deal, and from stage to stage."""
    counts = {named[name].title: current(named[name]) for name in FUNNEL}
    stage = named["stage_conversion"]
    others = [named[name] for name in ("stage_dwell_p50", "stuck_leads", "open_deals")]
    yield (
        8,
        [
            (10, bars("From lead to deal", "What happened in the window, step by step.", "locale", counts)),
            (14, steps_of(stage, "stage", others, filters_of(board))),
        ],
    )
