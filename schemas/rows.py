"""Rows and frames: events as they stand in the log, normalised, a thousand to a message.

A frame is one message of one log partition. Its sections say which offsets of which source partitions it covers for
that log partition, and its rows are the events among them, in the order in which they are to be folded.
"""

from __future__ import annotations

from typing import Final

import msgspec

Item = tuple[str | None, int, int | None, int | None]
"""Product, quantity, amount and cost (minor units of the reporting currency) of one item of a sale or return."""


class Row(msgspec.Struct, array_like=True, gc=False):
    """One normalised event.

    Args:
        section: Index of the frame's section that it comes from.
        offset: Its offset in that source partition.
        kind: Index into :data:`EVENT_TYPES`.
        at_ms: Event time, UTC milliseconds.
        event_hash: 8-byte hash of ``event_id``; what duplicates are recognised by.
        event_id: As it came; breaks the last ties of event time.
        account: ``account_id``, or for events without one a name that starts with NUL.
        rep: To ``product``: the dimensions the event states, None where it states none.
        ref: The lead, deal, message, cart, call or target it is about.
        amount: Minor units of the reporting currency.
        cost: Minor units of the reporting currency.
        label: First text of its type, see :data:`COLUMNS`.
        label2: Second text of its type.
        label3: Third text of its type.
        number: Integer of its type: seconds, thousandths of a score, 1 for an advertisement.
        items: Items of a sale or return.
        extra: What only targets have, as JSON.
        fields: Fields of the user's own, as far as the catalogue asks for them: name -> text or integer.
    """

    section: int
    offset: int
    kind: int
    at_ms: int
    event_hash: int
    event_id: str
    account: str
    rep: str | None
    team: str | None
    region: str | None
    source: str | None
    channel: str | None
    product: str | None
    ref: str | None = None
    amount: int | None = None
    cost: int | None = None
    label: str | None = None
    label2: str | None = None
    label3: str | None = None
    number: int | None = None
    items: tuple[Item, ...] | None = None
    extra: str | None = None
    fields: dict[str, str | int] | None = None


class Section(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """Source offsets ``[start, end)`` of one source partition that a frame covers for its log partition.

    ``start`` is where the last frame to that log partition ended. ``base`` marks the first section after a start
    without a committed offset: nothing before it is expected. ``epoch`` counts how often the topic was made anew.
    """

    topic: str
    partition: int
    epoch: int
    start: int
    end: int
    base: bool


class Frame(msgspec.Struct, array_like=True, gc=False):
    """One message of the log.

    Args:
        sections: What it covers; may be without rows, to move the coverage on.
        rows: The events, in the order of folding.
        produced_ms: When intake made it (wall clock; for latency figures only, the fold does not look at it).
        backlog: Source events known to be waiting behind it, for the quality of the values.
    """

    sections: tuple[Section, ...]
    rows: list[Row]
    produced_ms: int
    backlog: int


EVENT_TYPES: Final = (
    "lead.created",
    "lead.contacted",
    "lead.stage_changed",
    "lead.qualified",
    "lead.disqualified",
    "call.completed",
    "email.sent",
    "email.delivered",
    "email.opened",
    "email.clicked",
    "email.replied",
    "web.visit",
    "web.form_submitted",
    "web.cart_created",
    "web.cart_abandoned",
    "deal.created",
    "deal.stage_changed",
    "deal.reassigned",
    "deal.quote_sent",
    "deal.quote_accepted",
    "deal.won",
    "deal.lost",
    "deal.amended",
    "deal.returned",
    "deal.invoice_due",
    "deal.invoice_overdue",
    "deal.invoice_paid",
    "spend.recorded",
    "service.complaint",
    "service.satisfaction",
    "service.churned",
    "target.set",
)
"""All event types. The order is the life-cycle order that breaks ties of event time; the log stores the index, so new
types are added at the end with a place of their own in ``LIFE_CYCLE``."""

KIND: Final[dict[str, int]] = {name: index for index, name in enumerate(EVENT_TYPES)}
"""Event type -> its code in a row."""

LIFE_CYCLE: Final[tuple[int, ...]] = tuple(range(len(EVENT_TYPES)))
"""Rank of every kind among events of the same millisecond."""

COLUMNS: Final[dict[str, dict[str, str]]] = {
    "lead.created": {"ref": "lead_id", "label": "stage"},
    "lead.contacted": {"ref": "lead_id", "label": "stage"},
    "lead.stage_changed": {"ref": "lead_id", "label": "to_stage", "label2": "from_stage"},
    "lead.qualified": {"ref": "lead_id", "label": "stage"},
    "lead.disqualified": {"ref": "lead_id", "label": "stage", "label2": "reason"},
    "call.completed": {
        "ref": "call_id",
        "label": "direction",
        "label2": "outcome",
        "label3": "purpose",
        "number": "duration_s",
    },
    **{
        f"email.{verb}": {"ref": "message_id", "label": "campaign"}
        for verb in ("sent", "delivered", "opened", "clicked", "replied")
    },
    "web.visit": {"label": "campaign", "number": "advertisement"},
    "web.form_submitted": {},
    "web.cart_created": {"ref": "cart_id"},
    "web.cart_abandoned": {"ref": "cart_id"},
    "deal.created": {"ref": "deal_id", "amount": "amount", "cost": "cost", "label": "stage"},
    "deal.stage_changed": {"ref": "deal_id", "label": "to_stage", "label2": "from_stage"},
    "deal.reassigned": {"ref": "deal_id"},
    "deal.quote_sent": {"ref": "deal_id"},
    "deal.quote_accepted": {"ref": "deal_id"},
    "deal.won": {"ref": "deal_id", "amount": "amount", "cost": "cost", "items": "items"},
    "deal.lost": {"ref": "deal_id", "label": "reason"},
    "deal.amended": {"ref": "deal_id", "amount": "amount", "cost": "cost", "items": "items"},
    "deal.returned": {"ref": "deal_id", "amount": "amount", "cost": "cost", "items": "items"},
    "deal.invoice_due": {"ref": "deal_id", "amount": "amount", "label": "invoice_id"},
    "deal.invoice_overdue": {"ref": "deal_id", "amount": "amount", "label": "invoice_id"},
    "deal.invoice_paid": {"ref": "deal_id", "label": "invoice_id"},
    "spend.recorded": {"amount": "amount", "label": "category"},
    "service.complaint": {},
    "service.satisfaction": {"number": "score"},
    "service.churned": {"label": "reason"},
    "target.set": {"ref": "target_id"},
}
"""Event type -> column of a row -> JSON field it comes from."""
