"""Seventeen sorts of messages that cannot be counted, each with what must be said of it and how it can be mended."""

from __future__ import annotations

import json
import time
from typing import Any, NamedTuple

MAX_EVENT_BYTES = 262_144
HUGE_BYTES = 700_000


class Bad(NamedTuple):
    """One message that cannot be counted.

    Args:
        name: What it is called.
        value: Its bytes; None is a tombstone.
        reason: Of its dead letter.
        field: The field at fault; empty for the whole message.
        found: Part of what must be shown as found.
        allowed: Part of what must be shown as allowed.
        mended: What `dlq replay --set` makes of it; None: no field can mend it.
        topic: Key of its source topic.
    """

    name: str
    value: bytes | None
    reason: str
    field: str
    found: str
    allowed: str
    mended: str | None = None
    topic: str = "deals"


def won(name: str, amount: object = 100, **fields: object) -> dict[str, Any]:
    """A sale of its own account, deal and event, by rep r-1, a minute ago."""
    return {
        "event_id": f"e-{name}",
        "event_type": "deal.won",
        "occurred_at": time.time_ns() // 1_000_000 - 60_000,
        "account_id": f"a-{name}",
        "deal_id": f"d-{name}",
        "rep_id": "r-1",
        "amount": amount,
    } | fields


def written(event: object) -> bytes:
    return json.dumps(event).encode()


def seventeen() -> list[Bad]:
    """One of each sort. What can be mended is worth 100 minor units a sale when it is."""
    huge = written(won("huge_message", note="x" * HUGE_BYTES))
    without_deal = won("missing_field")
    del without_deal["deal_id"]
    call = won("wrong_enum", direction="sideways") | {"event_type": "call.completed"}
    year_ahead_ms = time.time_ns() // 1_000_000 + 365 * 86_400_000
    a_minute_ago = f"occurred_at={won('')['occurred_at']}"
    minor = "an integer of minor units from 0"
    return [
        Bad("broken", written(won("broken"))[:-9], "broken_json", "", "character", "one JSON object"),
        Bad("empty", b"", "empty", "", "0 bytes", "one JSON object"),
        Bad("tombstone", None, "tombstone", "", "no bytes", "one JSON object"),
        Bad("not_an_object", written([won("not_an_object")]), "not_an_object", "", "[{", "one JSON object"),
        Bad("wrong_type", written(won("wrong_type", [100])), "wrong_type", "amount", "[100]", minor, "amount=100"),
        Bad("missing_field", written(without_deal), "missing_field", "deal_id", "nothing", "text of 1", "deal_id=d-mf"),
        Bad("nan", written(won("nan", float("nan"))), "not_a_number", "amount", "NaN", minor, "amount=100"),
        Bad("negative", written(won("negative", -5)), "negative", "amount", "-5", minor, "amount=100"),
        Bad("huge_number", written(won("huge_number", 10**40)), "out_of_range", "amount", "10000", minor, "amount=100"),
        Bad("huge_message", huge, "too_large", "", f"{len(huge)} bytes", f"at most {MAX_EVENT_BYTES} bytes"),
        Bad(
            "unknown_type",
            written(won("unknown_type", event_type="deal.wonn")),
            "unknown_type",
            "event_type",
            "deal.wonn",
            "is deal.won meant?",
            "event_type=deal.won",
        ),
        Bad(
            "unknown_currency",
            written(won("unknown_currency", currency="EUR")),
            "unknown_currency",
            "currency",
            "EUR",
            "USD",
        ),
        Bad(
            "bad_date",
            written(won("bad_date", occurred_at="2024-02-30T10:00:00Z")),
            "bad_date",
            "occurred_at",
            "2024-02-30",
            "RFC 3339",
            a_minute_ago,
        ),
        Bad(
            "far_future",
            written(won("far_future", occurred_at=year_ahead_ms)),
            "future",
            "occurred_at",
            str(year_ahead_ms),
            "ahead of now",
            a_minute_ago,
        ),
        Bad(
            "empty_id",
            written(won("empty_id", event_id="")),
            "empty_id",
            "event_id",
            '""',
            "text of 1",
            "event_id=e-ei",
        ),
        Bad(
            "invalid_utf8",
            written(won("invalid_utf8", region="North")).replace(b"North", b"N\xffrth"),
            "invalid_utf8",
            "",
            "byte 0xff",
            "UTF-8",
        ),
        Bad(
            "wrong_enum",
            written(call),
            "wrong_value",
            "direction",
            "sideways",
            "inbound, outbound",
            "direction=inbound",
            "calls",
        ),
    ]
