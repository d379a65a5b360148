"""Activity: calls, and what reps did."""

from __future__ import annotations

from typing import Final

from schemas.declare import Kpi, ratio, simple

_CALLS: Final = ("rep", "team", "direction")
_REPS: Final = ("rep", "team")
POINTS_FORMULA: Final = "calls + emails_sent + 2 * lead_stage_moves + 2 * deal_stage_moves + 10 * deals_won"
"""As it is without `kpi.points` in the settings."""

ACTIVITY: Final[tuple[Kpi, ...]] = (
    simple(
        "calls",
        34,
        "Calls",
        "calls",
        dimensions=_CALLS,
        source="D",
        doc="Calls completed.",
        example="Two outbound, one inbound: 3.",
    ),
    ratio(
        "connect_rate",
        34,
        "Connect rate",
        ("calls_connected", "calls"),
        dimensions=_CALLS,
        source="D",
        doc="Connected calls over completed calls.",
        example="One of three calls connected: 33.3 %.",
    ),
    simple(
        "talk_time",
        34,
        "Talk time",
        "talk_seconds",
        "seconds",
        dimensions=_CALLS,
        source="D",
        doc="Duration of connected calls.",
        example="Calls of 60 and 90 s, the second without an answer: 60 s.",
    ),
    simple(
        "activity",
        42,
        "Activity",
        "calls + emails_sent + lead_stage_moves + deal_stage_moves + deals_won",
        dimensions=_REPS,
        source="ClickUp",
        doc="Calls, e-mails sent, stage moves of leads and deals, and wins.",
        example="2 calls, 3 e-mails, 1 stage move and 1 win: 7.",
    ),
    simple(
        "points",
        42,
        "Points",
        POINTS_FORMULA,
        dimensions=_REPS,
        source="ClickUp",
        doc="Points for what a rep did, by `kpi.points` of the settings.",
        example="2 calls, 3 e-mails, 1 stage move and 1 win: 2 + 3 + 2 + 10 = 17.",
    ),
    simple(
        "points_per_rep",
        42,
        "Reps by points",
        POINTS_FORMULA,
        type="ranking",
        ranked=True,
        dimensions=("rep",),
        has_global=False,
        source="ClickUp",
        doc="Points of a rep, with the rank among all reps: the contest of the day, week or month.",
        example="17, 12 and 12 points rank 1, 2 and 2.",
    ),
)
"""Rows 34 and 42."""
