"""Facts: what measures are declared over. Every event type is one; the others are what an account's history makes."""

from __future__ import annotations

from typing import Final

import msgspec

from schemas.rows import COLUMNS

ATTRIBUTE_COLUMNS: Final = ("label", "label2", "label3")
QUANTITY_COLUMNS: Final = ("amount", "cost", "number")


class FactType(msgspec.Struct, frozen=True):
    """What a fact carries besides its time and the six event dimensions.

    Args:
        doc: When such a fact exists.
        attributes: Names of text attributes that a measure may filter on or be broken down by.
        quantities: Names of the integers it carries: minor units of the reporting currency, seconds, units.
        per_window: The fact exists once for every window (a buyer *of the last 7 days*).
        level: It is an entry into a state (count 1) or the exit from it (count -1, perhaps in the future); a measure
            of it says how many, or how much, is in the state at the window's end. Its last quantity, ``entries``, is 1
            for an entry and 0 for an exit.
        maturing: It is dated back on purpose, so windows that are over go on growing; that is no restatement.
    """

    doc: str
    attributes: tuple[str, ...] = ()
    quantities: tuple[str, ...] = ()
    per_window: bool = False
    level: bool = False
    maturing: bool = False


def _event(event_type: str) -> FactType:
    """An event as it came in, with the fields that a row has columns for."""
    columns = COLUMNS[event_type]
    return FactType(
        f"An event {event_type} came in.",
        attributes=tuple(columns[column] for column in ATTRIBUTE_COLUMNS if column in columns),
        quantities=tuple(columns[column] for column in QUANTITY_COLUMNS if column in columns),
    )


EVENT_FACTS: Final[dict[str, FactType]] = {event_type: _event(event_type) for event_type in COLUMNS}
"""Every event type as a fact."""

DERIVED_FACTS: Final[dict[str, FactType]] = {
    "lead": FactType("A lead was created, once per lead_id.", quantities=("created_s",)),
    "cohort_win": FactType(
        "A win converted a lead: dated when the lead was created, with the lead's dimensions.", maturing=True
    ),
    "stage_entry": FactType("A lead entered a stage.", attributes=("stage",)),
    "stage_exit": FactType(
        "A lead left a stage; dimensions are those of the event that ended its stay.",
        attributes=("stage", "onward"),
        quantities=("seconds",),
    ),
    "stuck_lead": FactType(
        "A lead is longer in its stage than the limit; dimensions are those of its entry.",
        attributes=("stage",),
        quantities=("entries",),
        level=True,
    ),
    "open_deal": FactType(
        "A deal is open, in its stage and under the dimensions of its latest event.",
        attributes=("stage",),
        quantities=("amount", "entries"),
        level=True,
    ),
    "sale": FactType(
        "A deal was won: once, until it is lost again; restated by amendments.",
        attributes=("customer_class",),
        quantities=("amount", "cost", "units"),
    ),
    "return": FactType(
        "A sale was returned, wholly or in part.", attributes=("customer_class",), quantities=("amount", "cost")
    ),
    "class_base": FactType(
        "A sale or return, under every customer class: the denominator of class shares.",
        attributes=("customer_class",),
        quantities=("amount", "deals"),
    ),
    "loss": FactType("A deal was lost."),
    "amendment": FactType("A deal was amended, or won while it stood as won."),
    "overdue": FactType("An invoice is overdue, until it is paid.", quantities=("amount",)),
    "cycle": FactType("A deal was won that had been created before.", quantities=("seconds",)),
    "contact_to_sale": FactType("A customer's first purchase, after a first conversation.", quantities=("seconds",)),
    "lead_to_sale": FactType("A win converted a lead; dimensions are the lead's.", quantities=("seconds",)),
    "first_purchase": FactType(
        "An account bought for the first time; dimensions are the customer's.", quantities=("purchased_s",)
    ),
    "buyer": FactType("A customer bought in the window.", per_window=True),
    "repeat_buyer": FactType("A customer bought at least twice in the window.", per_window=True),
    "customer_money": FactType(
        "A sale, or a return as less than nothing; dimensions are the customer's.", quantities=("amount", "cost")
    ),
    "customer": FactType(
        "An account is a customer: from a purchase until told churn or the horizon after the last one.",
        quantities=("revenue", "entries"),
        level=True,
    ),
    "customer_exit": FactType("A customer left; dimensions are the customer's.", quantities=("seconds", "revenue")),
    "standing": FactType(
        "A customer with a net revenue above 0, globally.",
        quantities=("revenue", "amount", "deals", "entries"),
        level=True,
    ),
    "first_open": FactType("A message was opened for the first time."),
}
"""What an account's history makes of its events."""

FACTS: Final[dict[str, FactType]] = {**EVENT_FACTS, **DERIVED_FACTS}
"""The facts that measures are declared over."""
