"""Customers: how many, how often they buy, what they are worth, and how long they stay."""

from __future__ import annotations

from typing import Final

from schemas.declare import Kpi, ratio, simple

_ORIGIN: Final = ("source", "channel")
_SOURCE: Final = ("source",)
NET: Final = "customer_revenue - customer_cost"

_BUYING: Final = (
    ratio(
        "purchase_frequency",
        24,
        "Purchase frequency",
        ("deals_won", "buyers"),
        "count",
        dimensions=("channel",),
        source="U4",
        doc="Deals won per customer who bought in the window.",
        example="6 deals of 4 customers: 1.5.",
    ),
    ratio(
        "repeat_customer_share",
        24,
        "Repeat customers",
        ("repeat_buyers", "buyers"),
        dimensions=("channel",),
        source="U4",
        doc="Customers with at least two purchases in the window over those with one.",
        example="1 of 4 buyers bought twice: 25 %.",
    ),
    simple(
        "active_customers",
        30,
        "Active customers",
        "buyers",
        type="level",
        source="D U",
        doc="Distinct customers who bought in the window.",
        example="Two customers, one of whom bought three times: 2.",
    ),
    simple(
        "new_customers",
        30,
        "New customers",
        "new_customers",
        source="D U",
        doc="Customers whose first purchase lies in the window.",
        example="A second purchase adds nothing: 1.",
    ),
)

_WORTH: Final = (
    ratio(
        "ltv",
        26,
        "Lifetime value",
        ("end(customer_revenue)", "end(new_customers)"),
        "money",
        type="cumulative",
        dimensions=_ORIGIN,
        source="R2 C7 P8",
        doc="Net revenue to date over all customers ever, at the window's end.",
        example="One customer's purchases of 150, 250, 450 and 350 BRL: 1,200.00 BRL.",
    ),
    ratio(
        "ltv_margin",
        26,
        "Lifetime margin",
        (f"end({NET})", "end(new_customers)"),
        "money",
        type="cumulative",
        dimensions=_ORIGIN,
        source="R2 C7 P8",
        doc="Net margin to date over all customers ever, at the window's end.",
        example="1,200.00 of revenue that cost 700.00, one customer: 500.00.",
    ),
    ratio(
        "ltv_predicted",
        26,
        "Predicted lifetime value",
        (
            f"mean_lifetime_s * end({NET})",
            "end_s * end(new_customers) - end(first_purchase_seconds)",
        ),
        "money",
        type="cumulative",
        dimensions=_ORIGIN,
        source="R2 C7 P8",
        doc="Margin to date times the mean lifetime of the settings, over the time since the first purchases.",
        example="A margin of 100.00 in 73 days, mean lifetime 730 days: 1,000.00.",
    ),
)

_STAYING: Final = (
    ratio(
        "churn_rate",
        31,
        "Churn",
        ("customer_exits", "start(customers)"),
        dimensions=_SOURCE,
        better="lower",
        source="P9 D",
        doc="Customers lost in the window (told, or silent beyond the churn horizon) over those at its start.",
        example="3 of 60 customers left: 5 %.",
    ),
    ratio(
        "retention_rate",
        31,
        "Retention",
        ("start(customers) - customer_exits", "start(customers)"),
        dimensions=_SOURCE,
        source="P9 D",
        doc="Customers at the window's start less those lost in it, over those at its start.",
        example="3 of 60 customers left: 95 %.",
    ),
    ratio(
        "revenue_churn_rate",
        31,
        "Revenue churn",
        ("exit_revenue", "start(staying_revenue)"),
        dimensions=_SOURCE,
        better="lower",
        source="P9 D",
        doc="As churn, each customer weighed with the net revenue to date.",
        example="Customers worth 100.00 of 1,000.00 left: 10 %.",
    ),
    ratio(
        "revenue_retention_rate",
        31,
        "Revenue retention",
        ("start(staying_revenue) - exit_revenue", "start(staying_revenue)"),
        dimensions=_SOURCE,
        source="P9 D",
        doc="As retention, each customer weighed with the net revenue to date.",
        example="Customers worth 100.00 of 1,000.00 left: 90 %.",
    ),
    ratio(
        "customer_lifetime",
        32,
        "Customer lifetime",
        ("customer_lifetime_seconds", "customer_exits"),
        "seconds",
        dimensions=_SOURCE,
        source="D",
        doc="Mean time from the purchase that began a stay to the churn that ended it, in the churn's window.",
        example="Bought on day 0 and told to leave on day 100: 8,640,000 s.",
    ),
)

CUSTOMERS: Final[tuple[Kpi, ...]] = (*_BUYING, *_WORTH, *_STAYING)
"""Rows 24, 26 and 30 to 32."""
