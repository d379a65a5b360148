"""Areas of selling, and the dashboards by audience that show them.

An area belongs to exactly one dashboard, so that a KPI that is new in the catalogue has its place by itself. Highlights
are what a dashboard begins with; they may be of another area.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

Area = Literal["sales", "activity", "funnel", "marketing", "customers", "service", "pipeline"]

AREAS: Final[Mapping[Area, str]] = {
    "sales": "Sales",
    "activity": "Activity",
    "funnel": "Funnel",
    "marketing": "Marketing and channels",
    "customers": "Customers and retention",
    "service": "Service and quality",
    "pipeline": "Pipeline and targets",
}
"""Area -> what people call it, in the order in which they are shown."""


class Board(NamedTuple):
    """A dashboard for one audience.

    Args:
        uid: Its stable identifier, and the name of its file.
        title: What people call it.
        doc: For whom it is, and what it answers.
        areas: All KPIs of these are on it.
        highlights: KPIs that it shows first, as big numbers.
        breakdowns: Dimensions by which its audience compares, the most important first.
        window: What is shown until another window is chosen.
    """

    uid: str
    title: str
    doc: str
    areas: tuple[Area, ...] = ()
    highlights: tuple[str, ...] = ()
    breakdowns: tuple[str, ...] = ()
    window: str = "24h"


BOARDS: Final = (
    Board(
        "sales-wall",
        "Sales wall",
        "Live sales, for a screen on the wall: add ?kiosk to the address.",
        highlights=(
            "revenue",
            "deals_won",
            "win_rate",
            "average_ticket",
            "lead_conversion",
            "leads_created",
            "new_customers",
            "gross_margin",
        ),
    ),
    Board(
        "sales-manager",
        "Sales manager",
        "Revenue, deals and margin, who makes them, and what the reps do for it.",
        areas=("sales", "activity"),
        highlights=("revenue", "revenue_growth", "deals_won", "win_rate", "average_ticket", "margin_ratio"),
        breakdowns=("rep", "team", "product"),
        window="mtd",
    ),
    Board(
        "sales-funnel",
        "Funnel",
        "From lead to quote: how many go on, how long it takes, and where they are stuck.",
        areas=("funnel",),
        highlights=("leads_created", "opportunities_created", "lead_conversion", "weakest_stage", "stuck_leads"),
        breakdowns=("stage", "rep", "source"),
        window="mtd",
    ),
    Board(
        "sales-marketing",
        "Marketing and channels",
        "Where leads and customers come from, what they cost, and what comes back.",
        areas=("marketing",),
        highlights=("leads_created", "new_customers", "cac", "ltv", "ltv_cac", "roi"),
        breakdowns=("source", "channel", "rep"),
        window="mtd",
    ),
    Board(
        "sales-customers",
        "Customers and retention",
        "How many customers buy, how often, what they are worth, and how long they stay.",
        areas=("customers",),
        highlights=(
            "active_customers",
            "new_customers",
            "retention_rate",
            "churn_rate",
            "ltv",
            "repeat_customer_share",
        ),
        breakdowns=("source", "channel"),
        window="mtd",
    ),
    Board(
        "sales-service",
        "Service and quality",
        "Returns, complaints, satisfaction and payment.",
        areas=("service",),
        highlights=("satisfaction", "complaints", "return_rate", "non_payment_rate"),
        breakdowns=("product", "rep"),
        window="mtd",
    ),
    Board(
        "sales-pipeline",
        "Pipeline and targets",
        "How far each target is, where it will end, and what is open to reach it with.",
        areas=("pipeline",),
        highlights=("open_pipeline", "open_deals", "revenue", "win_rate"),
        breakdowns=("stage", "rep", "team"),
        window="mtd",
    ),
    Board("system-health", "System health", "Whether the numbers can be trusted: lag, latency, dead letters, alerts."),
)
"""All dashboards, in the order of their links."""


def boards_of(name: str, area: Area) -> tuple[Board, ...]:
    """Return the dashboards a KPI of the catalogue is on: that of its area first, then those that highlight it."""
    shown = [board for board in BOARDS if area in board.areas or name in board.highlights]
    return tuple(sorted(shown, key=lambda board: area not in board.areas))
