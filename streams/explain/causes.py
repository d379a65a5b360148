"""Which event types can be behind a fact, and which events have to be looked at to tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from schemas.facts import EVENT_FACTS, FACTS
from schemas.measures import Measure
from schemas.rows import EVENT_TYPES, KIND

_STAGE_EVENTS: Final = ("lead.created", "lead.stage_changed", "lead.qualified", "lead.disqualified", "deal.won")
_SALE_EVENTS: Final = ("deal.won", "deal.amended")
_MONEY_EVENTS: Final = (*_SALE_EVENTS, "deal.returned")
_STAY_EVENTS: Final = (*_MONEY_EVENTS, "service.churned")

CAUSES: Final[Mapping[str, tuple[str, ...]]] = {
    **{event_type: (event_type,) for event_type in EVENT_FACTS},
    "lead": ("lead.created",),
    "cohort_win": _SALE_EVENTS,
    "stage_entry": ("lead.created", "lead.stage_changed"),
    "stage_exit": _STAGE_EVENTS,
    "stuck_lead": _STAGE_EVENTS,
    "open_deal": tuple(name for name in EVENT_FACTS if name.startswith("deal.")),
    "sale": _SALE_EVENTS,
    "return": ("deal.returned",),
    "class_base": _MONEY_EVENTS,
    "loss": ("deal.lost",),
    "amendment": _SALE_EVENTS,
    "overdue": ("deal.invoice_overdue", "deal.invoice_paid"),
    "cycle": _SALE_EVENTS,
    "contact_to_sale": _SALE_EVENTS,
    "lead_to_sale": _SALE_EVENTS,
    "first_purchase": _SALE_EVENTS,
    "buyer": _SALE_EVENTS,
    "repeat_buyer": _SALE_EVENTS,
    "customer_money": _MONEY_EVENTS,
    "customer": _STAY_EVENTS,
    "customer_exit": _STAY_EVENTS,
    "standing": _MONEY_EVENTS,
    "first_open": ("email.opened",),
}
"""Fact -> the event types that can add to it or take from it, in order of event time."""

_HISTORY: Final = tuple(
    name for name in EVENT_TYPES if name.startswith(("lead.", "deal.")) or name == "service.churned"
)
_TALKS: Final = ("call.completed", "email.replied")


def event_types_of(measures: Iterable[Measure]) -> tuple[str, ...]:
    """Return the event types that measures are made of, each once."""
    return tuple(dict.fromkeys(name for measure in measures for name in CAUSES[measure.fact]))


def kinds_needed(measures: Iterable[Measure], dims: str) -> frozenset[int]:
    """Return the kinds of events that tell what measures of a series are made of; the others can be passed over.

    Under a dimension that is every event with an account: any of them may have stated its value. A fact that an
    account's history makes needs all that the history is made of.
    """
    measures = tuple(measures)
    facts = {measure.fact for measure in measures}
    names = {name for name in facts if name in EVENT_FACTS}
    # A measure of the user's own may be of some values of a dimension only.
    conditional = any(name not in FACTS[measure.fact].attributes for measure in measures for name in measure.where)
    if (dims or conditional) and facts != {"spend.recorded"}:
        names |= {name for name in EVENT_TYPES if name not in ("spend.recorded", "target.set")}
    if not facts <= EVENT_FACTS.keys() | {"first_open"}:
        names |= {*_HISTORY, *_TALKS}
    if "first_open" in facts:
        names.add("email.opened")
    return frozenset(KIND[name] for name in names)
