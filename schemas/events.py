"""Events in: all 32 types of the eight source topics, as frozen structs told apart by ``event_type``.

Types carry the limits, so that decoding one is checking it. Text that is empty counts as not stated; unknown fields are
ignored. Money is an integer of minor units of ``currency``; times are RFC 3339 with offset or integer UTC milliseconds.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal

import msgspec
from msgspec import Meta

MAX_AMOUNT: Final = 2**53
"""Largest integer that every JSON implementation keeps exactly."""
MAX_TEXT: Final = 256
MAX_ITEMS: Final = 1_000
FREE_TEXTS: Final = frozenset({"reason"})
"""Fields in words: they may have tabs and line breaks, other than identifiers and dimension values."""

Id = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT, description="An identifier; never empty.")]
Text = Annotated[str, Meta(max_length=MAX_TEXT)]
Stated = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)]
Minor = Annotated[int, Meta(ge=0, le=MAX_AMOUNT, description="Minor units of the currency.")]
Count = Annotated[int, Meta(ge=0, le=2**31)]
Number = Annotated[int, Meta(ge=0, le=MAX_AMOUNT)] | Annotated[float, Meta(ge=0, le=float(MAX_AMOUNT))]

Direction = Literal["inbound", "outbound"]
Outcome = Literal["connected", "no_answer", "busy", "voicemail", "failed"]
Purpose = Literal["sales", "price", "information", "support", "other"]
Category = Literal["marketing", "sales", "service", "retention"]
Period = Literal["day", "week", "month", "quarter", "year"]
GoalKind = Literal["number", "currency", "boolean", "tasks"]


class Item(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One product of a sale or return; ``amount`` and ``cost`` are those of the whole quantity."""

    product: Text | None = None
    quantity: Count = 1
    amount: Minor | None = None
    cost: Minor | None = None


class BaseEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="event_type"):
    """What every event has: who sent what when, and the dimensions it states.

    Args:
        event_id: Unique; an event that comes again under it counts once.
        occurred_at: Event time.
        currency: ISO 4217; None: the reporting currency of the settings.
    """

    event_id: Id
    occurred_at: str | int
    rep_id: Text | None = None
    team_id: Text | None = None
    region: Text | None = None
    source: Text | None = None
    channel: Text | None = None
    product: Text | None = None
    currency: Text | None = None
    nothing: ClassVar[None] = None


class AccountEvent(BaseEvent, frozen=True, kw_only=True, gc=False):
    """An event about a person or company: a customer, or one that may become one."""

    account_id: Id


class LeadEvent(AccountEvent, frozen=True, kw_only=True, gc=False):
    """An event of a lead; ``lead_id`` is the account's if not stated."""

    lead_id: Text | None = None
    stage: Text | None = None


class LeadCreated(LeadEvent, frozen=True, kw_only=True, gc=False, tag="lead.created"):
    """Somebody may want to buy."""


class LeadContacted(LeadEvent, frozen=True, kw_only=True, gc=False, tag="lead.contacted"):
    """A first word was had with a lead."""


class LeadStageChanged(LeadEvent, frozen=True, kw_only=True, gc=False, tag="lead.stage_changed"):
    """A lead moved to another stage."""

    to_stage: Stated
    from_stage: Text | None = None


class LeadQualified(LeadEvent, frozen=True, kw_only=True, gc=False, tag="lead.qualified"):
    """A lead became an opportunity."""


class LeadDisqualified(LeadEvent, frozen=True, kw_only=True, gc=False, tag="lead.disqualified"):
    """A lead was given up."""

    reason: Text | None = None


class CallCompleted(AccountEvent, frozen=True, kw_only=True, gc=False, tag="call.completed"):
    """A call ended, answered or not."""

    direction: Direction | None = None
    outcome: Outcome | None = None
    purpose: Purpose | None = None
    duration_s: Count | None = None
    call_id: Text | None = None


class EmailEvent(AccountEvent, frozen=True, kw_only=True, gc=False):
    """An event of one message; opens of one ``message_id`` count once."""

    message_id: Id
    campaign: Text | None = None


class EmailSent(EmailEvent, frozen=True, kw_only=True, gc=False, tag="email.sent"):
    """A message was sent."""


class EmailDelivered(EmailEvent, frozen=True, kw_only=True, gc=False, tag="email.delivered"):
    """A message arrived."""


class EmailOpened(EmailEvent, frozen=True, kw_only=True, gc=False, tag="email.opened"):
    """A message was opened, once more or for the first time."""


class EmailClicked(EmailEvent, frozen=True, kw_only=True, gc=False, tag="email.clicked"):
    """A link of a message was followed."""


class EmailReplied(EmailEvent, frozen=True, kw_only=True, gc=False, tag="email.replied"):
    """A message was answered."""


class WebVisit(AccountEvent, frozen=True, kw_only=True, gc=False, tag="web.visit"):
    """Somebody came to the web site; ``advertisement``: by way of one."""

    campaign: Text | None = None
    advertisement: bool | None = None


class WebFormSubmitted(AccountEvent, frozen=True, kw_only=True, gc=False, tag="web.form_submitted"):
    """A form was sent in."""


class WebCartCreated(AccountEvent, frozen=True, kw_only=True, gc=False, tag="web.cart_created"):
    """A cart got its first product."""

    cart_id: Text | None = None


class WebCartAbandoned(AccountEvent, frozen=True, kw_only=True, gc=False, tag="web.cart_abandoned"):
    """A cart was left standing."""

    cart_id: Text | None = None


class DealEvent(AccountEvent, frozen=True, kw_only=True, gc=False):
    """An event of a deal."""

    deal_id: Id


class DealCreated(DealEvent, frozen=True, kw_only=True, gc=False, tag="deal.created"):
    """A deal was opened, with what it may be worth."""

    amount: Minor | None = None
    cost: Minor | None = None
    stage: Text | None = None


class DealStageChanged(DealEvent, frozen=True, kw_only=True, gc=False, tag="deal.stage_changed"):
    """A deal moved to another stage."""

    to_stage: Stated
    from_stage: Text | None = None


class DealReassigned(DealEvent, frozen=True, kw_only=True, gc=False, tag="deal.reassigned"):
    """A deal went to another rep or team: the ``rep_id`` and ``team_id`` it states."""


class DealQuoteSent(DealEvent, frozen=True, kw_only=True, gc=False, tag="deal.quote_sent"):
    """A quote was sent."""


class DealQuoteAccepted(DealEvent, frozen=True, kw_only=True, gc=False, tag="deal.quote_accepted"):
    """A quote was accepted."""


class DealMoney(DealEvent, frozen=True, kw_only=True, gc=False):
    """A deal's money, as a whole or by product; what is missing is worked out from what is there."""

    amount: Minor | None = None
    cost: Minor | None = None
    items: Annotated[tuple[Item, ...], Meta(max_length=MAX_ITEMS)] | None = None


class DealWon(DealMoney, frozen=True, kw_only=True, gc=False, tag="deal.won"):
    """A sale."""


class DealLost(DealEvent, frozen=True, kw_only=True, gc=False, tag="deal.lost"):
    """A deal came to nothing."""

    reason: Text | None = None


class DealAmended(DealMoney, frozen=True, kw_only=True, gc=False, tag="deal.amended"):
    """A deal's amount, cost or items were corrected."""


class DealReturned(DealMoney, frozen=True, kw_only=True, gc=False, tag="deal.returned"):
    """A sale was returned, wholly or in part."""


class InvoiceDue(DealEvent, frozen=True, kw_only=True, gc=False, tag="deal.invoice_due"):
    """An invoice fell due."""

    amount: Minor
    invoice_id: Text | None = None


class InvoiceOverdue(DealEvent, frozen=True, kw_only=True, gc=False, tag="deal.invoice_overdue"):
    """An invoice was not paid in time."""

    amount: Minor
    invoice_id: Text | None = None


class InvoicePaid(DealEvent, frozen=True, kw_only=True, gc=False, tag="deal.invoice_paid"):
    """An invoice was paid."""

    invoice_id: Text | None = None


class SpendRecorded(BaseEvent, frozen=True, kw_only=True, gc=False, tag="spend.recorded"):
    """Money was spent to win or keep customers."""

    category: Category
    amount: Minor


class ServiceComplaint(AccountEvent, frozen=True, kw_only=True, gc=False, tag="service.complaint"):
    """A customer complained."""


class ServiceSatisfaction(AccountEvent, frozen=True, kw_only=True, gc=False, tag="service.satisfaction"):
    """A customer gave a score, from 0 to ``scale`` (None: that of the settings)."""

    score: Number
    scale: Number | None = None


class ServiceChurned(AccountEvent, frozen=True, kw_only=True, gc=False, tag="service.churned"):
    """A customer told that they leave."""

    reason: Text | None = None


class TargetSet(BaseEvent, frozen=True, kw_only=True, gc=False, tag="target.set"):
    """A goal was set, changed or, with ``withdrawn``, given up; the last event of an id holds.

    Args:
        target_id: The goal.
        kpi: Name of the KPI it is about; needed for ``number`` and ``currency``, unless withdrawn.
        dimensions: At most one dimension and its value; empty: the whole business.
        period: Over which the goal runs; needed unless withdrawn.
        start: A date or time in that period; None: that of ``occurred_at``.
        value: What is to be reached: minor units for ``currency``, else a number.
        kind: How it is measured.
        parent: Goal of which it is a part.
        done: For ``boolean`` whether it is reached, for ``tasks`` how many are.
        withdrawn: Whether the goal is given up.
    """

    target_id: Id
    kpi: Text | None = None
    dimensions: dict[Text, Text] | None = None
    period: Period | None = None
    start: str | int | None = None
    value: Number | None = None
    kind: GoalKind = "number"
    parent: Text | None = None
    done: bool | Count | None = None
    withdrawn: bool = False


Event = (
    LeadCreated
    | LeadContacted
    | LeadStageChanged
    | LeadQualified
    | LeadDisqualified
    | CallCompleted
    | EmailSent
    | EmailDelivered
    | EmailOpened
    | EmailClicked
    | EmailReplied
    | WebVisit
    | WebFormSubmitted
    | WebCartCreated
    | WebCartAbandoned
    | DealCreated
    | DealStageChanged
    | DealReassigned
    | DealQuoteSent
    | DealQuoteAccepted
    | DealWon
    | DealLost
    | DealAmended
    | DealReturned
    | InvoiceDue
    | InvoiceOverdue
    | InvoicePaid
    | SpendRecorded
    | ServiceComplaint
    | ServiceSatisfaction
    | ServiceChurned
    | TargetSet
)
"""Any event; ``event_type`` says which."""

EVENT_CLASSES: Final[dict[str, type[BaseEvent]]] = {str(kind.__struct_config__.tag): kind for kind in Event.__args__}
"""Event type -> its struct."""
