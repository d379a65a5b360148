"""Measures: the additive integers from which every KPI is computed, each declared over one sort of fact.

A *fact* is something that happened, dated, with the six event dimensions: an event as it came in (its name is the event
type), or what an account's history makes of it (``sale``, ``first_purchase``, ...; see :data:`FACTS`). A measure counts
facts of one name, or adds up one of their quantities, optionally only those with certain attributes. A new measure is
one line here; the groupings it is kept under follow from the KPIs that use it.
"""

from __future__ import annotations

from typing import Final

import msgspec

from schemas.windows import WINDOWS

COUNT: Final = "count"


class FactType(msgspec.Struct, frozen=True):
    """What a fact carries besides its time and the six event dimensions.

    Args:
        attributes: Names of text attributes that a measure may filter on or be broken down by.
        quantities: Names of the integers it carries: minor units of the reporting currency, seconds, units.
        per_window: The fact exists once for every window (a buyer *of the last 7 days*).
        doc: When such a fact exists.
    """

    doc: str
    attributes: tuple[str, ...] = ()
    quantities: tuple[str, ...] = ()
    per_window: bool = False


FACTS: Final[dict[str, FactType]] = {
    "lead": FactType("A lead was created, once per lead_id."),
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
    "cycle": FactType("A deal was won that had been created before.", quantities=("seconds",)),
    "contact_to_sale": FactType("A customer's first purchase, after a first conversation.", quantities=("seconds",)),
    "lead_to_sale": FactType("A win converted a lead; dimensions are the lead's.", quantities=("seconds",)),
    "first_purchase": FactType("An account bought for the first time; dimensions are the customer's."),
    "buyer": FactType("A customer bought in the window.", per_window=True),
    "repeat_buyer": FactType("A customer bought at least twice in the window.", per_window=True),
    "first_open": FactType("A message was opened for the first time."),
    "call.completed": FactType(
        "A call ended.", attributes=("direction", "outcome", "purpose"), quantities=("duration_s",)
    ),
    "email.sent": FactType("An e-mail was sent."),
    "email.delivered": FactType("An e-mail was delivered."),
    "lead.qualified": FactType("A lead became an opportunity."),
    "deal.quote_sent": FactType("A quote was sent."),
    "deal.quote_accepted": FactType("A quote was accepted."),
}
"""The facts that measures are declared over."""


class Measure(msgspec.Struct, frozen=True):
    """An additive integer per slice.

    Args:
        name: Its name, unique; KPI formulas use it.
        fact: The fact it is taken from, a key of :data:`FACTS`.
        quantity: ``count``, or which quantity of the fact is added up.
        where: Attribute -> allowed values; empty: all facts count.
        histogram: Counts facts per logarithmic size class of the quantity (1 % wide), for percentiles.
        base_only: It is added under every value of a dimension to divide by, so it does not make a series exist.
    """

    name: str
    fact: str
    quantity: str = COUNT
    where: dict[str, tuple[str, ...]] = {}
    histogram: bool = False
    base_only: bool = False

    @property
    def per_window(self) -> bool:
        """Whether it is kept once for every window, as ``name@window``."""
        return FACTS[self.fact].per_window

    def stored_names(self) -> tuple[str, ...]:
        """The names under which cells keep it (of a histogram: the common beginning, before ``#``)."""
        return tuple(f"{self.name}@{window}" for window in WINDOWS) if self.per_window else (self.name,)


MEASURES: Final[tuple[Measure, ...]] = (
    Measure("leads_created", "lead"),
    Measure("leads_qualified", "lead.qualified"),
    Measure("deals_won", "sale"),
    Measure("won_amount", "sale", "amount"),
    Measure("won_cost", "sale", "cost"),
    Measure("won_units", "sale", "units"),
    Measure("deals_lost", "loss"),
    Measure("returns", "return"),
    Measure("returned_amount", "return", "amount"),
    Measure("returned_cost", "return", "cost"),
    Measure("class_revenue_base", "class_base", "amount", base_only=True),
    Measure("class_deals_base", "class_base", "deals", base_only=True),
    Measure("new_customers", "first_purchase"),
    Measure("buyers", "buyer"),
    Measure("repeat_buyers", "repeat_buyer"),
    Measure("sales_cycle_count", "cycle"),
    Measure("sales_cycle_seconds", "cycle", "seconds"),
    Measure("sales_cycle_histogram", "cycle", "seconds", histogram=True),
    Measure("first_contact_to_sale_count", "contact_to_sale"),
    Measure("first_contact_to_sale_seconds", "contact_to_sale", "seconds"),
    Measure("first_contact_to_sale_histogram", "contact_to_sale", "seconds", histogram=True),
    Measure("time_to_convert_count", "lead_to_sale"),
    Measure("time_to_convert_seconds", "lead_to_sale", "seconds"),
    Measure("time_to_convert_histogram", "lead_to_sale", "seconds", histogram=True),
    Measure("emails_sent", "email.sent"),
    Measure("emails_delivered", "email.delivered"),
    Measure("emails_opened", "first_open"),
    Measure("calls", "call.completed"),
    Measure("calls_connected", "call.completed", where={"outcome": ("connected",)}),
    Measure("talk_seconds", "call.completed", "duration_s", where={"outcome": ("connected",)}),
    Measure(
        "price_inquiries", "call.completed", where={"direction": ("inbound",), "purpose": ("price", "information")}
    ),
    Measure("quotes_sent", "deal.quote_sent"),
    Measure("quotes_accepted", "deal.quote_accepted"),
)
"""Every measure; a KPI names them in its formula."""
