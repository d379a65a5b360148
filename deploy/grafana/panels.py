"""Building blocks of the dashboards: queries by KPI, and panels that read well from far away."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from string import ascii_uppercase
from typing import Any, Final

from grafana_foundation_sdk.builders import bargauge, common, dashboard, stat, statetimeline, timeseries
from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models import dashboard as models

from deploy.grafana.queries import before, change, current, datasource, legend_of, query, unit_of
from schemas.catalogue import Kpi
from schemas.kpi_words import has_previous
from schemas.metric_names import label_name

COLUMNS: Final = 24
GOOD: Final = "#56B4E9"  # Okabe-Ito: sky and vermillion differ for everybody; green and red do not
BAD: Final = "#D55E00"
AMBER: Final = "#E69F00"
GREY: Final = "#8E8E8E"
NO_DATA: Final = "NO DATA"


def tile(kpi: Kpi) -> Any:
    """A big number, and its change against the window before with sign and colour."""
    better, worse = (BAD, GOOD) if kpi.better == "lower" else (GOOD, BAD)
    panel = (
        _stat(kpi.title, kpi.doc, unit_of(kpi))
        .with_target(query(current(kpi), "A", legend_of(kpi), instant=True))
        .color_mode(options.BigValueColorMode.VALUE)
        .thresholds(steps((None, GOOD)))
    )
    if kpi.lowest:  # which one it is matters as much
        panel = panel.text_mode(options.BigValueTextMode.VALUE_AND_NAME)
    if not has_previous(kpi) or kpi.lowest:
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
    if not has_previous(kpi):
        return lines(kpi.title, kpi.doc, unit_of(kpi), {legend_of(kpi): current(kpi)})
    panel = lines(
        f"{kpi.title}, now and before",
        kpi.doc,
        unit_of(kpi),
        {"now": current(kpi), "the window before": before(kpi)},
    )
    return (
        panel.fill_opacity(8)
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
    )


def lines(title: str, doc: str, unit: str, courses: Mapping[str, str]) -> Any:
    """Courses over time.

    Args:
        title: Of the panel.
        doc: What it shows.
        unit: Grafana's unit.
        courses: Legend -> query.
    """
    panel = (
        timeseries.Panel()
        .title(title)
        .description(doc)
        .datasource(datasource())
        .unit(unit)
        .no_value(NO_DATA)
        .line_width(3)
        .legend(common.VizLegendOptions().show_legend(show_legend=True).placement(options.LegendPlacement.BOTTOM))
    )
    for ref, (legend, expression) in zip(ascii_uppercase, courses.items(), strict=False):
        panel = panel.with_target(query(expression, ref, legend))
    return panel


def ranking(kpi: Kpi, dimension: str, filters: Collection[str] = (), count: int = 10) -> Any:
    """The highest values of a dimension as bars, also of what had better be low: they need to be looked at."""
    legend = f"{{{{{label_name(dimension)}}}}}" + (
        " ({{window}})" if kpi.goal else " ({{label}})" if kpi.lowest else ""
    )
    pick = f"bottomk({count}, {{}})" if kpi.lowest else f"topk({count}, {{}})"
    order = "sort({})" if kpi.lowest else "sort_desc({})"
    expression = order.format(pick.format(current(kpi, dimension, filters)))
    return bars(titled(kpi.title, dimension), kpi.doc, unit_of(kpi), {legend: expression})


def titled(title: str, dimension: str) -> str:
    """Return the title of a panel by a dimension, which some KPIs have in their name."""
    ending = f" by {dimension.replace('_', ' ')}"
    return title.removesuffix(ending) + ending


def bars(title: str, doc: str, unit: str, values: Mapping[str, str]) -> Any:
    """Values of this moment as bars, in the order of the queries.

    Args:
        title: Of the panel.
        doc: What it shows.
        unit: Grafana's unit.
        values: Legend -> query.
    """
    panel = (
        bargauge.Panel()
        .title(title)
        .description(doc)
        .datasource(datasource())
        .unit(unit)
        .no_value(NO_DATA)
        .orientation(options.VizOrientation.HORIZONTAL)
        .display_mode(options.BarGaugeDisplayMode.BASIC)
        .reduce_options(last())
        .thresholds(steps((None, GOOD)))
    )
    for ref, (legend, expression) in zip(ascii_uppercase, values.items(), strict=False):
        panel = panel.with_target(query(expression, ref, legend, instant=True))
    return panel


def states(title: str, doc: str, targets: list[Any], words: tuple[str, str] = ("ok", "firing")) -> Any:
    """What was in which state over time, and what 0 and 1 are called: 1 is bad."""
    return (
        statetimeline.Panel()
        .title(title)
        .description(doc)
        .datasource(datasource())
        .no_value(NO_DATA)
        .show_value(options.VisibilityMode.NEVER)
        .thresholds(steps((None, GOOD), (1, BAD)))
        .color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.THRESHOLDS))
        .mappings([texts({"0": (words[0], GOOD), "1": (words[1], BAD)})])
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
