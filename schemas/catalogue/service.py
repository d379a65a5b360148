"""Service and quality: returns, amendments, complaints, satisfaction, payment."""

from __future__ import annotations

from typing import Final

from schemas.declare import Kpi, ratio, simple

_SERVICE: Final = ("product", "rep")

SERVICE: Final[tuple[Kpi, ...]] = (
    simple(
        "returns",
        38,
        "Returns",
        "returns",
        dimensions=_SERVICE,
        better="lower",
        source="D",
        doc="Returns, each in the window in which it occurred.",
        example="A deal of March of which a part comes back in May: 1 in May.",
    ),
    ratio(
        "return_rate",
        38,
        "Return rate",
        ("returns", "deals_won"),
        dimensions=_SERVICE,
        better="lower",
        source="D",
        doc="Returns over deals won, both in the window.",
        example="2 returns, 40 deals won: 5 %.",
    ),
    simple(
        "amendments",
        38,
        "Amendments",
        "amendments",
        dimensions=_SERVICE,
        better="lower",
        source="D",
        doc="Changes of deals, before or after the win, each in its own window.",
        example="A deal's price is corrected twice: 2.",
    ),
    simple(
        "complaints",
        38,
        "Complaints",
        "complaints",
        dimensions=_SERVICE,
        better="lower",
        source="D",
        doc="Complaints received.",
        example="Two complaints about one product: 2.",
    ),
    ratio(
        "satisfaction",
        39,
        "Satisfaction",
        ("satisfaction_thousandths", "satisfaction_count"),
        "score",
        dimensions=_SERVICE,
        source="D",
        doc="Mean score, brought to the scale of the settings.",
        example="8 of 10 and 5 of 5 on a scale of 5: 4.5.",
    ),
    simple(
        "satisfaction_count",
        39,
        "Scores received",
        "satisfaction_count",
        dimensions=_SERVICE,
        source="D",
        doc="Scores of satisfaction received.",
        example="Two scores: 2.",
    ),
    ratio(
        "non_payment_rate",
        40,
        "Non-payment",
        ("overdue_amount", "due_amount"),
        dimensions=("rep",),
        better="lower",
        source="D",
        doc="Amount overdue over amount due; paying takes it out again where it was counted.",
        example="1,000.00 due, 100.00 overdue and not paid: 10 %.",
    ),
)
"""Rows 38 to 40."""
