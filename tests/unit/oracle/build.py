"""Short ways to write a history down and to ask for one number of it."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from tests.oracle import KpiValue, OracleSettings, contributions, kpis, whole_catalogue
from tests.oracle.events import instant_ms

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

UTC_SETTINGS = OracleSettings()
_ids = count(1)


def at(text: str) -> int:
    """UTC milliseconds of "2024-03-01 10:00", or of "2024-03-01" at midnight."""
    return instant_ms(f"{text}Z" if ":" in text else f"{text} 00:00Z")


def event(event_type: str, when: str | int, account_id: str = "a", **fields: Any) -> dict[str, Any]:
    """An event of one account with an id of its own; a deal event is of deal "d" if it does not say."""
    if event_type.startswith("deal."):
        fields.setdefault("deal_id", "d")
    body = {"event_id": f"e{next(_ids):06}", "event_type": event_type, "account_id": account_id}
    return {**body, "occurred_at": at(when) if isinstance(when, str) else when, **fields}


def ask(
    key: str, events: Iterable[Mapping[str, Any]], now: str | None = None, settings: OracleSettings = UTC_SETTINGS
) -> KpiValue:
    """One series (`kpi|window|dims`); the clock is `now`, else just after the latest event."""
    events = list(events)
    now_ms = at(now) if now else max(instant_ms(body["occurred_at"]) for body in events) + 1
    return kpis(events, settings, now_ms)[key]


def ask_all(
    key: str, events: Iterable[Mapping[str, Any]], now: str | None = None, settings: OracleSettings = UTC_SETTINGS
) -> KpiValue:
    """Like `ask`, of the whole catalogue."""
    events = list(events)
    now_ms = at(now) if now else max(instant_ms(body["occurred_at"]) for body in events) + 1
    return whole_catalogue(events, settings, now_ms)[key]


def totals(events: Iterable[Mapping[str, Any]], settings: OracleSettings = UTC_SETTINGS) -> dict[tuple[str, str], int]:
    """All-time sums by (measure, dims)."""
    sums: dict[tuple[str, str], int] = {}
    for measure, dims, _, delta in contributions(events, settings):
        sums[measure, dims] = sums.get((measure, dims), 0) + delta
    return sums
