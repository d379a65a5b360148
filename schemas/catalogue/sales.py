"""Sales: revenue, deals, growth, margin, rankings of reps, products, and how long a deal takes."""

from __future__ import annotations

from typing import Final

from schemas.declare import Kpi, durations, ratio, simple
from schemas.windows import EVENT_DIMENSIONS

REVENUE: Final = "won_amount - returned_amount"
MARGIN: Final = "won_amount - returned_amount - won_cost + returned_cost"
_PRODUCT: Final = ("product",)
_REP: Final = ("rep",)

SALES: Final[tuple[Kpi, ...]] = (
    simple(
        "revenue",
        1,
        "Revenue",
        REVENUE,
        "money",
        source="C1 D",
        doc="Amount of won deals less returns.",
        example="Deals of 150.00 and 250.00 won, 50.00 returned: 350.00.",
    ),
    simple(
        "deals_won",
        2,
        "Deals won",
        "deals_won",
        source="C1 P2 D",
        doc="Deals won; each counts once.",
        example="A deal won, and sent again by its system: 1.",
    ),
    simple(
        "revenue_growth",
        3,
        "Revenue growth",
        REVENUE,
        "ratio",
        type="derived",
        growth=True,
        source="P7 D",
        doc="Revenue over the previous window's, less one (mtd: month over month).",
        example="1,200.00 after 1,000.00: 0.2.",
    ),
    simple(
        "revenue_per_rep",
        6,
        "Reps by revenue",
        REVENUE,
        "money",
        type="ranking",
        ranked=True,
        dimensions=_REP,
        has_global=False,
        source="P2 D",
        doc="Revenue of a rep, with the rank among all reps.",
        example="300.00, 200.00, 200.00 and 100.00 rank 1, 2, 2 and 4.",
    ),
    simple(
        "deals_per_rep",
        6,
        "Reps by deals",
        "deals_won",
        type="ranking",
        ranked=True,
        dimensions=_REP,
        has_global=False,
        source="P2 D",
        doc="Deals won by a rep, with the rank among all reps.",
        example="5, 3 and 3 deals rank 1, 2 and 2.",
    ),
    simple(
        "product_revenue",
        7,
        "Revenue by product",
        REVENUE,
        "money",
        dimensions=_PRODUCT,
        source="C3",
        doc="Revenue of one product, returns taken off.",
        example="A sale of a desk (90.00) and a lamp (10.00): 90.00 for the desk.",
    ),
    simple(
        "product_units",
        7,
        "Units by product",
        "won_units",
        dimensions=_PRODUCT,
        source="C3",
        doc="Units sold of one product: quantities of the items, else one for a sale.",
        example="Items with 2 desks and 4 lamps: 2 desks.",
    ),
    *durations(
        "sales_cycle",
        19,
        "Sales cycle",
        EVENT_DIMENSIONS,
        "P3 C2",
        "time from a deal's creation to its win",
        "Deals of 10 and 30 days: 20 days, 1,728,000 s.",
    ),
    *durations(
        "first_contact_to_sale",
        20,
        "First contact to sale",
        EVENT_DIMENSIONS,
        "P3 D",
        "time from the first conversation to the first purchase",
        "A connected call on Monday, the purchase on Thursday at the same time: 259,200 s.",
    ),
    ratio(
        "win_rate",
        22,
        "Win rate",
        ("deals_won", "deals_won + deals_lost"),
        source="D",
        doc="Deals won over deals decided.",
        example="4,238 won and 2,473 lost: 63.15 %.",
    ),
    ratio(
        "average_ticket",
        23,
        "Average ticket",
        ("won_amount", "deals_won"),
        "money",
        source="R3 R4 U3",
        doc="Amount of won deals, before returns, over their number.",
        example="10,005,534 over 4,238 deals: 2,360.91.",
    ),
    simple(
        "gross_margin",
        25,
        "Gross margin",
        MARGIN,
        "money",
        source="U5 D",
        doc="Revenue less cost.",
        example="A deal of 100.00 that cost 60.00: 40.00.",
    ),
    ratio(
        "margin_ratio",
        25,
        "Margin",
        (MARGIN, REVENUE),
        source="U5 D",
        doc="Gross margin over revenue.",
        example="A margin of 40.00 on 100.00: 0.4.",
    ),
)
"""Rows 1 to 3, 6, 7, 19, 20, 22, 23 and 25."""
