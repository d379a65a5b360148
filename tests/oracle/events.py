"""Events as the oracle sees them: the JSON objects with their defaults applied, duplicates dropped, in one order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.oracle.settings import OracleSettings

# Events of one millisecond are told apart by their place in a life, then by event_id (kpis.md, 7): what leads
# to a sale stands before it, and what corrects a thing after it.
LIFE_CYCLE = {
    name: place
    for place, name in enumerate(
        (
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
    )
}

FIELD_OF_DIMENSION = {
    "rep": "rep_id",
    "team": "team_id",
    "region": "region",
    "source": "source",
    "channel": "channel",
    "product": "product",
}

Order = tuple[int, int, str]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Event:
    """One event; `said` holds the dimensions that it states itself, `order` its place among its account's events."""

    arrival: int
    event_id: str
    type: str
    at_ms: int
    account: str
    deal: str | None
    said: Mapping[str, str]
    body: Mapping[str, Any]
    order: Order

    @property
    def family(self) -> str:
        """lead, call, email, deal, web, spend, service or target."""
        return self.type.partition(".")[0]


def read(objects: Iterable[Mapping[str, Any]], settings: OracleSettings) -> list[Event]:
    """Give the events in order of arrival, each event_id once (the first to arrive)."""
    events: list[Event] = []
    seen: set[str] = set()
    for arrival, body in enumerate(objects):
        if settings.dedupe and body["event_id"] in seen:
            continue
        seen.add(body["event_id"])
        events.append(_event(arrival, body))
    return events


def _event(arrival: int, body: Mapping[str, Any]) -> Event:
    name = body["event_type"]
    at_ms = instant_ms(body["occurred_at"])
    return Event(
        arrival=arrival,
        event_id=body["event_id"],
        type=name,
        at_ms=at_ms,
        account=body.get("account_id") or "",
        deal=body["deal_id"] if name.startswith("deal.") else None,
        said={d: body[f] for d, f in FIELD_OF_DIMENSION.items() if body.get(f)},
        body=body,
        order=(at_ms, LIFE_CYCLE[name], body["event_id"]),
    )


def instant_ms(value: str | int) -> int:
    """An RFC 3339 date-time with offset, or an integer, as UTC epoch milliseconds; smaller parts are cut off."""
    if isinstance(value, int):
        return value
    return (datetime.fromisoformat(value.upper()) - _EPOCH) // _MILLISECOND
