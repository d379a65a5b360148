"""The KPI catalogue: one short declaration a KPI; API, metrics, dashboards and documents follow from it.

To add a KPI, add one entry to :data:`KPIS`. Its formula is a sum of measures of ``schemas/measures.py``, with ``+``,
``-`` and integer factors; a KPI with a ``denominator`` divides last and is unknown when that is 0 or negative.
The numbers (``row``) and letters (``source``) are those of the five sales-KPI lists the catalogue was made from:
R the Russian list, C the Chinese, P the Polish, U the Ukrainian, D the Dutch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from schemas.declare import Better, Kpi, KpiType, durations, ratio, simple
from schemas.windows import EVENT_DIMENSIONS

__all__ = ["KPIS", "Better", "Kpi", "KpiType", "in_force"]

_REVENUE = "won_amount - returned_amount"
_MARGIN = "won_amount - returned_amount - won_cost + returned_cost"
_CLASS = ("customer_class",)

KPIS: Final[tuple[Kpi, ...]] = (
    simple("revenue", 1, "Revenue", _REVENUE, "money", source="C1 D", doc="Amount of won deals less returns."),
    simple("deals_won", 2, "Deals won", "deals_won", source="C1 P2 D", doc="Deals won; each counts once."),
    Kpi(
        name="revenue_growth",
        title="Revenue growth",
        row=3,
        type="growth",
        unit="ratio",
        numerator=_REVENUE,
        source="P7 D",
        doc="Revenue over the previous window's, less one; unknown when that was not above 0.",
    ),
    simple(
        "product_revenue",
        7,
        "Revenue by product",
        _REVENUE,
        "money",
        dimensions=("product",),
        source="C3",
        doc="Revenue of one product, returns taken off.",
    ),
    simple(
        "product_units",
        7,
        "Units by product",
        "won_units",
        dimensions=("product",),
        source="C3",
        doc="Units sold of one product: quantities of the items, else one for a sale.",
    ),
    simple("leads_created", 8, "Leads", "leads_created", source="U1 P5", doc="Leads created; each counts once."),
    simple(
        "opportunities_created", 9, "Opportunities", "leads_qualified", source="P5", doc="Leads that were qualified."
    ),
    ratio(
        "lead_opportunity_ratio",
        10,
        "Leads to opportunities",
        ("leads_qualified", "leads_created"),
        source="P6",
        doc="Leads qualified over leads created, both in the window.",
    ),
    ratio(
        "lead_conversion",
        11,
        "Lead conversion",
        ("new_customers", "leads_created"),
        source="U2 P6",
        doc="First-time customers over leads created, both in the window.",
    ),
    ratio(
        "channel_conversion",
        13,
        "Conversion by channel",
        ("new_customers", "leads_created"),
        dimensions=("channel",),
        source="R1",
        doc="Lead conversion of one channel.",
    ),
    ratio(
        "source_conversion",
        14,
        "Conversion by source",
        ("new_customers", "leads_created"),
        dimensions=("source",),
        source="C4",
        doc="Lead conversion of one source.",
    ),
    *durations("sales_cycle", 19, "Sales cycle", EVENT_DIMENSIONS, "P3 C2", "time from a deal's creation to its win"),
    *durations(
        "first_contact_to_sale",
        20,
        "First contact to sale",
        EVENT_DIMENSIONS,
        "P3 D",
        "time from the first conversation to the first purchase",
    ),
    *durations(
        "time_to_convert", 21, "Time to convert", ("source", "channel"), "P6", "time from a lead's creation to its win"
    ),
    ratio(
        "win_rate",
        22,
        "Win rate",
        ("deals_won", "deals_won + deals_lost"),
        source="D",
        doc="Deals won over deals decided.",
    ),
    ratio(
        "average_ticket",
        23,
        "Average ticket",
        ("won_amount", "deals_won"),
        "money",
        source="R3 R4 U3",
        doc="Amount of won deals, before returns, over their number.",
    ),
    ratio(
        "purchase_frequency",
        24,
        "Purchase frequency",
        ("deals_won", "buyers"),
        "count",
        dimensions=("channel",),
        source="U4",
        doc="Deals won per customer who bought in the window.",
    ),
    ratio(
        "repeat_customer_share",
        24,
        "Repeat customers",
        ("repeat_buyers", "buyers"),
        dimensions=("channel",),
        source="U4",
        doc="Customers with at least two purchases in the window over those with one.",
    ),
    simple("gross_margin", 25, "Gross margin", _MARGIN, "money", source="U5 D", doc="Revenue less cost."),
    ratio("margin_ratio", 25, "Margin", (_MARGIN, _REVENUE), source="U5 D", doc="Gross margin over revenue."),
    simple(
        "new_vs_returning_revenue",
        29,
        "Revenue by customer class",
        _REVENUE,
        "money",
        dimensions=_CLASS,
        has_global=False,
        better="none",
        source="C5",
        doc="Revenue of first purchases (new) and of further ones (returning).",
    ),
    simple(
        "new_vs_returning_deals",
        29,
        "Deals by customer class",
        "deals_won",
        dimensions=_CLASS,
        has_global=False,
        better="none",
        source="C5",
        doc="Deals won with new and with returning customers.",
    ),
    ratio(
        "new_vs_returning_revenue_share",
        29,
        "Revenue share by customer class",
        (_REVENUE, "class_revenue_base"),
        dimensions=_CLASS,
        has_global=False,
        better="none",
        source="C5",
        doc="Share of the revenue of both classes.",
    ),
    ratio(
        "new_vs_returning_deals_share",
        29,
        "Deal share by customer class",
        ("deals_won", "class_deals_base"),
        dimensions=_CLASS,
        has_global=False,
        better="none",
        source="C5",
        doc="Share of the deals of both classes.",
    ),
    simple(
        "active_customers",
        30,
        "Active customers",
        "buyers",
        source="D U",
        doc="Distinct customers who bought in the window.",
    ),
    simple(
        "new_customers",
        30,
        "New customers",
        "new_customers",
        source="D U",
        doc="Customers whose first purchase lies in the window.",
    ),
    ratio(
        "email_open_rate",
        33,
        "E-mail open rate",
        ("emails_opened", "emails_delivered"),
        fallback_denominator="emails_sent",
        dimensions=("rep", "source"),
        source="P4",
        doc="Messages opened over those delivered; over those sent where deliveries are never told.",
    ),
    simple("calls", 34, "Calls", "calls", dimensions=("rep", "team", "direction"), source="D", doc="Calls completed."),
    ratio(
        "connect_rate",
        34,
        "Connect rate",
        ("calls_connected", "calls"),
        dimensions=("rep", "team", "direction"),
        source="D",
        doc="Connected calls over completed calls.",
    ),
    simple(
        "talk_time",
        34,
        "Talk time",
        "talk_seconds",
        "seconds",
        dimensions=("rep", "team", "direction"),
        source="D",
        doc="Duration of connected calls.",
    ),
    simple(
        "price_inquiries",
        35,
        "Price inquiries",
        "price_inquiries",
        dimensions=("channel", "rep"),
        source="D",
        doc="Inbound calls that ask for a price or for information.",
    ),
    simple(
        "quotes_sent", 36, "Quotes sent", "quotes_sent", dimensions=("rep", "product"), source="D", doc="Quotes sent."
    ),
    simple(
        "quotes_accepted",
        36,
        "Quotes accepted",
        "quotes_accepted",
        dimensions=("rep", "product"),
        source="D",
        doc="Quotes accepted.",
    ),
    ratio(
        "quote_acceptance",
        36,
        "Quote acceptance",
        ("quotes_accepted", "quotes_sent"),
        dimensions=("rep", "product"),
        source="D",
        doc="Quotes accepted over quotes sent, both in the window.",
    ),
)
"""Every KPI, in the order of the catalogue's rows."""


def in_force(include: Sequence[str]) -> tuple[Kpi, ...]:
    """Return the KPIs that ``catalogue.include`` of the settings asks for; all, where it names none."""
    return tuple(kpi for kpi in KPIS if not include or kpi.name in include)
