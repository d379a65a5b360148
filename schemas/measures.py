"""Measures: the additive integers from which every KPI is computed, each declared over one sort of fact.

A *fact* is something that happened, dated, with the six event dimensions: an event as it came in (its name is the event
type), or what an account's history makes of it (``sale``, ``first_purchase``, ...; see :data:`FACTS`). A measure counts
facts of one name, or adds up one of their quantities, optionally only those with certain attributes. A new measure is
one line here; the groupings it is kept under follow from the KPIs that use it.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from schemas.facts import FACTS

COUNT: Final = "count"


Parts = Literal["count", "money"]
_PARTS: Final[dict[str, Parts]] = {
    COUNT: "count",
    "deals": "count",
    "amount": "money",
    "cost": "money",
    "revenue": "money",
}


class Measure(msgspec.Struct, frozen=True):
    """An additive integer per slice.

    Args:
        name: Its name, unique; KPI formulas use it.
        fact: The fact it is taken from, a key of :data:`FACTS`.
        quantity: ``count``, or which quantity of the fact is added up.
        where: Attribute -> allowed values; empty: all facts count.
        keyed_by: It is kept once for every value of this attribute, or for every size class (1 % wide) of this
            quantity, as ``name#value``: what percentiles, ABC classes and the weakest stage are found with.
        base_only: It is added under every value of a dimension to divide by, so it does not make a series exist.
    """

    name: str
    fact: str
    quantity: str = COUNT
    where: dict[str, tuple[str, ...]] = {}
    keyed_by: str = ""
    base_only: bool = False

    @property
    def per_window(self) -> bool:
        """Whether it is kept once for every window, as ``name@window``."""
        return FACTS[self.fact].per_window

    @property
    def is_level(self) -> bool:
        """Whether it says what is in a state, and not what happened."""
        return FACTS[self.fact].level

    @property
    def is_sized(self) -> bool:
        """Whether it is a histogram: kept by size classes of a quantity."""
        return self.keyed_by in FACTS[self.fact].quantities

    @property
    def parts(self) -> Parts | None:
        """What it is so many of: things that are counted, or money; None for durations and the like."""
        return _PARTS.get(self.quantity)


def _durations(name: str, fact: str) -> tuple[Measure, ...]:
    """Count, sum and histogram of a duration, for mean and percentiles."""
    return (
        Measure(f"{name}_count", fact),
        Measure(f"{name}_seconds", fact, "seconds"),
        Measure(f"{name}_histogram", fact, keyed_by="seconds"),
    )


_CONNECTED: Final[dict[str, tuple[str, ...]]] = {"outcome": ("connected",)}
_ONWARD: Final[dict[str, tuple[str, ...]]] = {"onward": ("yes",)}

MEASURES: Final[tuple[Measure, ...]] = (
    # Leads and their stages
    Measure("leads_created", "lead"),
    Measure("lead_created_seconds", "lead", "created_s"),
    Measure("leads_qualified", "lead.qualified"),
    Measure("cohort_won", "cohort_win"),
    Measure("lead_stage_moves", "lead.stage_changed"),
    Measure("stage_entries", "stage_entry"),
    Measure("stage_entries_of", "stage_entry", keyed_by="stage"),
    Measure("stage_onward", "stage_exit", where=_ONWARD),
    Measure("stage_onward_of", "stage_exit", where=_ONWARD, keyed_by="stage"),
    *_durations("stage_dwell", "stage_exit"),
    Measure("stuck_leads", "stuck_lead"),
    # Deals and sales
    Measure("open_deals", "open_deal"),
    Measure("open_amount", "open_deal", "amount"),
    Measure("deal_stage_moves", "deal.stage_changed"),
    Measure("quotes_sent", "deal.quote_sent"),
    Measure("quotes_accepted", "deal.quote_accepted"),
    Measure("deals_won", "sale"),
    Measure("won_amount", "sale", "amount"),
    Measure("won_cost", "sale", "cost"),
    Measure("won_units", "sale", "units"),
    Measure("deals_lost", "loss"),
    Measure("returns", "return"),
    Measure("returned_amount", "return", "amount"),
    Measure("returned_cost", "return", "cost"),
    Measure("amendments", "amendment"),
    Measure("due_amount", "deal.invoice_due", "amount"),
    Measure("overdue_amount", "overdue", "amount"),
    Measure("class_revenue_base", "class_base", "amount", base_only=True),
    Measure("class_deals_base", "class_base", "deals", base_only=True),
    *_durations("sales_cycle", "cycle"),
    *_durations("first_contact_to_sale", "contact_to_sale"),
    *_durations("time_to_convert", "lead_to_sale"),
    # Customers
    Measure("new_customers", "first_purchase"),
    Measure("first_purchase_seconds", "first_purchase", "purchased_s"),
    Measure("buyers", "buyer"),
    Measure("repeat_buyers", "repeat_buyer"),
    Measure("customer_revenue", "customer_money", "amount"),
    Measure("customer_cost", "customer_money", "cost"),
    Measure("customers", "customer"),
    Measure("staying_revenue", "customer", "revenue"),
    Measure("customer_exits", "customer_exit"),
    Measure("exit_revenue", "customer_exit", "revenue"),
    Measure("customer_lifetime_seconds", "customer_exit", "seconds"),
    Measure("ranked_customers", "standing", keyed_by="revenue"),
    Measure("ranked_revenue", "standing", "revenue", keyed_by="revenue"),
    Measure("ranked_amount", "standing", "amount", keyed_by="revenue"),
    Measure("ranked_deals", "standing", "deals", keyed_by="revenue"),
    # Conversations, the web, service and money spent
    Measure("emails_sent", "email.sent"),
    Measure("emails_delivered", "email.delivered"),
    Measure("emails_opened", "first_open"),
    Measure("calls", "call.completed"),
    Measure("calls_connected", "call.completed", where=_CONNECTED),
    Measure("talk_seconds", "call.completed", "duration_s", where=_CONNECTED),
    Measure(
        "price_inquiries", "call.completed", where={"direction": ("inbound",), "purpose": ("price", "information")}
    ),
    Measure("visits", "web.visit"),
    Measure("ad_visits", "web.visit", "advertisement"),
    Measure("forms_received", "web.form_submitted"),
    Measure("carts_created", "web.cart_created"),
    Measure("abandoned_carts", "web.cart_abandoned"),
    Measure("complaints", "service.complaint"),
    Measure("satisfaction_count", "service.satisfaction"),
    Measure("satisfaction_thousandths", "service.satisfaction", "score"),
    Measure("spend", "spend.recorded", "amount"),
    Measure("acquisition_spend", "spend.recorded", "amount", where={"category": ("marketing", "sales")}),
)
"""Every measure; a KPI names them in its formula."""
