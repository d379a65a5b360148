"""The dashboards: the sales wall, and every KPI of the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.models import dashboard as models

from deploy.grafana.layout import Band, page, placed, values_variable
from deploy.grafana.panels import (
    AMBER,
    BAD,
    GOOD,
    GREY,
    NO_DATA,
    current,
    datasource,
    legend_of,
    number,
    query,
    ranking,
    states,
    steps,
    texts,
    tile,
    trend,
    unit_of,
)
from schemas.catalogue import Kpi
from schemas.metric_names import metric_name

TILES: Final = (
    "revenue",
    "deals_won",
    "win_rate",
    "average_ticket",
    "lead_conversion",
    "leads_created",
    "new_customers",
    "gross_margin",
)
"""What the wall shows first; eight are what one reads from far away."""
TRENDS: Final = ("revenue", "lead_conversion")
RANKINGS: Final = (("revenue", "rep"), ("product_revenue", "product"), ("source_conversion", "source"))
TOP_REPS: Final = ("revenue", "deals_won", "win_rate", "average_ticket")


def sales_wall(kpis: Sequence[Kpi]) -> Any:
    """Return the wall: tiles, freshness, alerts, trends, rankings, top reps, and each team's revenue."""
    named = {kpi.name: kpi for kpi in kpis}
    tiles = [(6, tile(named[name])) for name in TILES]
    bands: list[Band] = [
        (5, tiles[:4]),
        (5, tiles[4:]),
        (4, [(4, data_age()), (4, quality()), (16, alert_states())]),
        (8, [(12, trend(named[name])) for name in TRENDS]),
        (9, [(8, ranking(named[name], dimension)) for name, dimension in RANKINGS]),
        (9, [(24, top_reps([named[name] for name in TOP_REPS]))]),
        (5, [(24, team_revenue(named["revenue"]))]),
    ]
    doc = "Live sales, for a screen on the wall: add ?kiosk to the address."
    teams = values_variable("team", metric_name(named["revenue"], ("team",)))
    return page("sales-wall", "Sales wall", doc, placed(bands), [teams])


def every_kpi(kpis: Sequence[Kpi]) -> Any:
    """Return the dashboard that has each KPI of the catalogue, in its order."""
    return page("sales-kpis", "Every KPI", "The whole catalogue.", placed(kpi_band(kpi) for kpi in kpis))


def kpi_band(kpi: Kpi) -> Band:
    """Return number, course and highest values of one KPI; without a global series the values of each dimension."""
    if kpi.has_global:
        return 7, [(5, tile(kpi)), (11, trend(kpi)), (8, ranking(kpi, kpi.dimensions[0]))]
    width = 24 // len(kpi.dimensions)
    return 7, [(width, ranking(kpi, dimension)) for dimension in kpi.dimensions]


def data_age() -> Any:
    """How far the values lie behind the clock."""
    expression = "time() - min(salespulse_watermark_timestamp_seconds)"
    doc = "Age of the event time up to which all values are complete. History that is replayed is as old as it is."
    return number("Data age", doc, expression, "s", steps((None, GOOD), (30, AMBER), (120, BAD)))


def quality() -> Any:
    """Whether the values can be taken as they are."""
    weights = " + ".join(
        f'{weight} * max(salespulse_quality{{state="{state}"}})'
        for state, weight in (("partial", 1), ("catching_up", 2), ("stale", 4))
    )
    words = {"0": ("live", GOOD), "1": ("partial", AMBER), "2": ("catching up", AMBER), "3": ("catching up", AMBER)}
    words |= {str(code): ("STALE", BAD) for code in range(4, 8)}
    doc = "live: complete up to the data age. catching up: events wait. stale: nothing comes in or out."
    return number("Quality", doc, weights, "none", steps((None, GOOD), (1, AMBER), (4, BAD)), [texts(words)])


def alert_states() -> Any:
    """When conversion was below what was to be expected, overall and by slice."""
    everywhere = query("max without (instance, job) (salespulse_alert_firing)", "A", "conversion")
    slices = query("max by (source) (salespulse_alert_firing_by_source)", "B", "conversion, {{source}}")
    doc = "Conversion against the same window of the four weeks before; see the runbook."
    return states("Conversion alert", doc, [everywhere, slices])


def top_reps(kpis: Sequence[Kpi]) -> Any:
    """The ten reps with the highest first KPI, and their other figures."""
    panel = (
        table.Panel()
        .title("Top reps")
        .datasource(datasource())
        .no_value(NO_DATA)
        .sort_by([])
        .thresholds(steps((None, GREY)))
    )
    for ref, kpi in zip("ABCD", kpis, strict=True):
        values = f"sum by (rep) ({current(kpi, 'rep')})"
        top = f"topk(10, {values})" if ref == "A" else values
        panel = panel.with_target(query(top, ref, legend_of(kpi), table=True)).override_by_name(
            f"Value #{ref}",
            [
                models.DynamicConfigValue(id_val="displayName", value=kpi.title),
                models.DynamicConfigValue(id_val="unit", value=unit_of(kpi)),
            ],
        )
    return panel.transformations(
        [
            models.DataTransformerConfig(id_val="joinByField", options={"byField": "rep", "mode": "inner"}),
            models.DataTransformerConfig(
                id_val="filterFieldsByName", options={"include": {"pattern": "^(rep|Value.*)$"}}
            ),
            models.DataTransformerConfig(
                id_val="sortBy", options={"fields": {}, "sort": [{"field": "Value #A", "desc": True}]}
            ),
        ]
    )


def team_revenue(revenue: Kpi) -> Any:
    """Revenue of one team; Grafana repeats it for every team chosen."""
    metric = metric_name(revenue, ("team",))
    expression = f'max without (instance, job) ({metric}{{window="$window", team=~"$team"}}) > -Inf'
    panel = number("Revenue of $team", revenue.doc, expression, unit_of(revenue), steps((None, GOOD)))
    return panel.repeat("team").repeat_direction("h").max_per_row(8)
