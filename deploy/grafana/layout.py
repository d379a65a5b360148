"""Places panels in 24 columns, row by row, so that none overlap, and numbers them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models import dashboard as models

from deploy.grafana.panels import BAD, COLUMNS
from deploy.grafana.queries import datasource
from schemas.areas import Board
from schemas.windows import WINDOWS

TAG: Final = "salespulse"
"""What all dashboards have, and are linked by."""

Band = tuple[int, Sequence[tuple[int, Any]]]
"""Height, and (width, panel) from left to right; widths add up to at most 24."""


def placed(bands: Iterable[Band]) -> list[Any]:
    """Give panels positions and ids, one band under the other.

    Raises:
        ValueError: A band is wider than the dashboard.
    """
    panels: list[Any] = []
    y = 0
    for height, band in bands:
        if sum(width for width, _ in band) > COLUMNS:
            raise ValueError(f"a band of panels is wider than {COLUMNS} columns")
        x = 0
        for width, panel in band:
            panels.append(panel.id(len(panels) + 1).grid_pos(models.GridPos(h=height, w=width, x=x, y=y)))
            x += width
        y += height
    return panels


def across(panels: Sequence[Any]) -> list[tuple[int, Any]]:
    """Give panels equal widths; what is left goes to the last one."""
    width = COLUMNS // len(panels)
    return [*((width, panel) for panel in panels[:-1]), (COLUMNS - width * (len(panels) - 1), panels[-1])]


def page(board: Board, panels: Iterable[Any], variables: Iterable[Any] = ()) -> Any:
    """Return a dashboard that refreshes as often as scrapes come, with alerts as annotations and links to others."""
    built = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.doc)
        .tags([TAG])
        .link(
            dashboard.DashboardLink("SalesPulse")
            .type(models.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .include_vars(include_vars=True)
            .keep_time(keep_time=True)
        )
        .refresh("5s")
        .time("now-6h", "now")
        .timezone("browser")
        .readonly()
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .annotation(
            dashboard.AnnotationQuery()
            .name("Alerts")
            .datasource(datasource())
            .enable(enable=True)
            .icon_color(BAD)
            .expr('ALERTS{alertstate="firing"}')
        )
    )
    for variable in variables:
        built = built.with_variable(variable)
    for panel in panels:
        built = built.with_panel(panel)
    return built.build()


def window_variable(first: str) -> Any:
    """Which window all panels show; the first one until another is chosen."""
    choices = [models.VariableOption(selected=name == first, text=name, value=name) for name in WINDOWS]
    return (
        dashboard.CustomVariable("window")
        .label("Window")
        .values(",".join(WINDOWS))
        .options(choices)
        .current(models.VariableOption(selected=True, text=first, value=first))
    )


def values_variable(label: str, metric: str) -> Any:
    """Every value of a dimension, to choose some of them or to repeat a panel for each."""
    expression = f"label_values({metric}, {label})"
    return (
        dashboard.QueryVariable(label)
        .label(label.capitalize())
        .datasource(datasource())
        .query({"query": expression, "refId": "PrometheusVariableQueryEditor-VariableQuery", "qryType": 1})
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(multi=True)
        .include_all(include_all=True)
        .current(models.VariableOption(selected=True, text=["All"], value=["$__all"]))
    )
