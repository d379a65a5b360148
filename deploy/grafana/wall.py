"""The wall: what one reads from far away, how fresh it is, who leads, and each team."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from deploy.grafana.health import alert_states, data_age, quality
from deploy.grafana.layout import Band, values_variable
from deploy.grafana.panels import GOOD, number, ranking, steps, tile, trend
from deploy.grafana.queries import known, unit_of
from deploy.grafana.tables import top
from schemas.areas import Board
from schemas.catalogue import Kpi
from schemas.metric_names import metric_name

TRENDS: Final = ("revenue", "lead_conversion")
RANKINGS: Final = (("revenue", "rep"), ("product_revenue", "product"), ("source_conversion", "source"))
TOP_REPS: Final = ("revenue", "deals_won", "win_rate", "average_ticket")


def wall(board: Board, named: Mapping[str, Kpi]) -> list[Band]:
    """Return the bands of the wall; eight tiles are what one reads from far away."""
    tiles = [(6, tile(named[name])) for name in board.highlights]
    return [
        (5, tiles[:4]),
        (5, tiles[4:]),
        (4, [(4, data_age()), (4, quality()), (16, alert_states())]),
        (8, [(12, trend(named[name])) for name in TRENDS]),
        (9, [(8, ranking(named[name], dimension)) for name, dimension in RANKINGS]),
        (9, [(24, top([named[name] for name in TOP_REPS], "rep", "Top reps"))]),
        (5, [(24, team_revenue(named["revenue"]))]),
    ]


def teams(named: Mapping[str, Kpi]) -> Any:
    """Every team, to repeat a panel for each."""
    return values_variable("team", metric_name(named["revenue"], ("team",)))


def team_revenue(revenue: Kpi) -> Any:
    """Revenue of one team; Grafana repeats it for every team chosen."""
    expression = known(metric_name(revenue, ("team",)), 'window="$window", team=~"$team"')
    panel = number("Revenue of $team", revenue.doc, expression, unit_of(revenue), steps((None, GOOD)))
    return panel.repeat("team").repeat_direction("h").max_per_row(8)
