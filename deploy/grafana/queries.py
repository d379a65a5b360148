"""Queries by KPI, and how their answers are called and measured."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from schemas.catalogue import Kpi
from schemas.kpi import Unit
from schemas.metric_names import label_name, metric_name, previous_name
from schemas.windows import TO_DATE

DATASOURCE_UID: Final = "salespulse-prometheus"
_GRAFANA_UNIT: Final[dict[Unit, str]] = {
    "count": "locale",
    "money": "short",  # the currency is a setting; its code is the series' name
    "ratio": "percentunit",
    "seconds": "s",
    "score": "none",
}


def datasource() -> Any:
    """Return the reference to the provisioned Prometheus."""
    return models.DataSourceRef(type_val="prometheus", uid=DATASOURCE_UID)


def known(metric: str, selector: str = 'window="$window"') -> str:
    """Return the query for a metric's known values: NaN is left out, so that a panel says NO DATA.

    Two workers may both show a series for a moment while it changes hands; ``max`` makes one of them.
    """
    return f"max without (instance, job) ({metric}{{{selector}}}) > -Inf"


def current(kpi: Kpi, grouping: str = "", filters: Collection[str] = ()) -> str:
    """Return the query for a KPI in the chosen window; of goals in the windows of their periods.

    Args:
        kpi: The KPI.
        grouping: Dimensions joined by commas, empty for the global series.
        filters: Dimensions of which the dashboard lets one choose values.
    """
    names = grouping.split(",") if grouping else []
    window = f'window=~"{"|".join(TO_DATE)}"' if kpi.goal else 'window="$window"'
    chosen = (f'{label_name(name)}=~"${name}"' for name in names if name in filters)
    return known(metric_name(kpi, names), ", ".join((window, *chosen)))


def before(kpi: Kpi) -> str:
    """Return the query for a KPI's global value in the window before."""
    return known(previous_name(kpi))


def change(kpi: Kpi) -> str:
    """Return the query for the change against the window before; nothing where that was 0 or less."""
    return f"({current(kpi)}) / ({known(previous_name(kpi))} > 0) - 1"


def query(expression: str, ref: str = "A", legend: str = "", *, instant: bool = False, table: bool = False) -> Any:
    """Return one target of a panel."""
    built = prometheus.Dataquery().expr(expression).ref_id(ref).legend_format(legend).datasource(datasource())
    if table:
        built = built.format(PromQueryFormat.TABLE)
    return built.instant() if instant or table else built.range()


def legend_of(kpi: Kpi) -> str:
    """Return what a global value is called inside its panel: a label of its own, or the KPI."""
    if kpi.goal is not None:
        return "{{window}}"
    if kpi.lowest:
        return "{{label}}"
    return "{{currency}}" if kpi.unit == "money" else kpi.title


def unit_of(kpi: Kpi) -> str:
    """Return Grafana's unit for a KPI."""
    return _GRAFANA_UNIT[kpi.unit]
