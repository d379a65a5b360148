"""Building blocks of the dashboards: queries by KPI, and panels that read well from far away."""

from __future__ import annotations

from typing import Any, Final

from grafana_foundation_sdk.builders import bargauge, common, dashboard, prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from schemas.catalogue import Kpi
from schemas.kpi import Unit
from schemas.metric_names import label_name, metric_name, previous_name

DATASOURCE_UID: Final = "salespulse-prometheus"
COLUMNS: Final = 24
GOOD: Final = "#56B4E9"  # Okabe-Ito: sky and vermillion differ for everybody; green and red do not
BAD: Final = "#D55E00"
AMBER: Final = "#E69F00"
GREY: Final = "#8E8E8E"
NO_DATA: Final = "NO DATA"

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


def current(kpi: Kpi, dimension: str | None = None) -> str:
    """Return the query for a KPI in the chosen window."""
    return known(metric_name(kpi, () if dimension is None else (dimension,)))


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
    """Return what a global value is called inside its panel: the currency, or the KPI."""
    return "{{currency}}" if kpi.unit == "money" else kpi.title


def tile(kpi: Kpi) -> Any:
    """A big number, and its change against the window before with sign and colour."""
    better, worse = (BAD, GOOD) if kpi.better == "lower" else (GOOD, BAD)
    panel = (
        _stat(kpi.title, kpi.doc, unit_of(kpi))
        .with_target(query(current(kpi), "A", legend_of(kpi), instant=True))
        .color_mode(options.BigValueColorMode.VALUE)
        .thresholds(steps((None, GOOD)))
    )
    if kpi.growth:  # is a change already
        return panel
    return panel.with_target(query(change(kpi), "B", "to the window before", instant=True)).override_by_query(
        "B",
        [
            models.DynamicConfigValue(id_val="unit", value="percentunit"),
            models.DynamicConfigValue(id_val="decimals", value=1),
            models.DynamicConfigValue(
                id_val="thresholds",
                value={
                    "mode": "absolute",
                    "steps": [{"value": None, "color": worse}, {"value": 0, "color": better}],
                },
            ),
        ],
    )


def number(title: str, doc: str, expression: str, unit: str, thresholds: Any, mappings: list[Any] | None = None) -> Any:
    """A big number that is no KPI, coloured by thresholds."""
    panel = _stat(title, doc, unit).with_target(query(expression, legend=title, instant=True))
    panel = panel.thresholds(thresholds).color_mode(options.BigValueColorMode.BACKGROUND)
    return panel.mappings(mappings) if mappings else panel


def trend(kpi: Kpi) -> Any:
    """The value over time against that of the window before."""
    return (
        timeseries.Panel()
        .title(f"{kpi.title}, now and before")
        .description(kpi.doc)
        .datasource(datasource())
        .unit(unit_of(kpi))
        .no_value(NO_DATA)
        .line_width(3)
        .fill_opacity(8)
        .with_target(query(current(kpi), "A", "now"))
        .with_target(query(before(kpi), "B", "the window before"))
        .override_by_query(
            "B",
            [
                models.DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": GREY}),
                models.DynamicConfigValue(id_val="custom.lineStyle", value={"fill": "dash", "dash": [10, 10]}),
            ],
        )
        .override_by_query(
            "A", [models.DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": GOOD})]
        )
        .legend(common.VizLegendOptions().show_legend(show_legend=True).placement(options.LegendPlacement.BOTTOM))
    )


def ranking(kpi: Kpi, dimension: str, count: int = 10) -> Any:
    """The highest values of a dimension as bars (the lowest where lower is better)."""
    pick = f"bottomk({count}" if kpi.better == "lower" else f"topk({count}"
    order = "sort" if kpi.better == "lower" else "sort_desc"
    return (
        bargauge.Panel()
        .title(f"{kpi.title} by {dimension.replace('_', ' ')}")
        .description(kpi.doc)
        .datasource(datasource())
        .unit(unit_of(kpi))
        .no_value(NO_DATA)
        .orientation(options.VizOrientation.HORIZONTAL)
        .display_mode(options.BarGaugeDisplayMode.BASIC)
        .reduce_options(last())
        .thresholds(steps((None, GOOD)))
        .with_target(
            query(
                f"{order}({pick}, {current(kpi, dimension)}))", legend=f"{{{{{label_name(dimension)}}}}}", instant=True
            )
        )
    )


def states(title: str, doc: str, targets: list[Any]) -> Any:
    """What was in which state over time: 1 is bad."""
    return (
        statetimeline.Panel()
        .title(title)
        .description(doc)
        .datasource(datasource())
        .no_value(NO_DATA)
        .show_value(options.VisibilityMode.NEVER)
        .thresholds(steps((None, GOOD), (1, BAD)))
        .color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.THRESHOLDS))
        .mappings([texts({"0": ("ok", GOOD), "1": ("firing", BAD)})])
        .targets(targets)
    )


def texts(words: dict[str, tuple[str, str]]) -> Any:
    """Show numbers as words with colours."""
    return models.ValueMap(
        options={
            value: models.ValueMappingResult(text=text, color=color, index=index)
            for index, (value, (text, color)) in enumerate(words.items())
        }
    )


def steps(*pairs: tuple[float | None, str]) -> Any:
    """Return absolute thresholds; the first begins at None."""
    built = [models.Threshold(value=value, color=color) for value, color in pairs]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(built)


def last() -> Any:
    """Reduce to the last value; the library's default is an empty list, which shows nothing."""
    return common.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(values=False)


def unit_of(kpi: Kpi) -> str:
    """Return Grafana's unit for a KPI."""
    return _GRAFANA_UNIT[kpi.unit]


def _stat(title: str, doc: str, unit: str) -> Any:
    return (
        stat.Panel()
        .title(title)
        .description(doc)
        .datasource(datasource())
        .unit(unit)
        .no_value(NO_DATA)
        .graph_mode(options.BigValueGraphMode.NONE)
        .text_mode(options.BigValueTextMode.AUTO)
        .reduce_options(last())
    )
