"""How long a broker may wait for something to answer a consumer's fetch with."""

from __future__ import annotations

from typing import Final

from agents.kafka import AIOKafkaConsumer

BUSY_MS: Final = 50
_QUIET_MS: Final = 250


def adapt_fetch_wait(client: AIOKafkaConsumer, records: int) -> None:
    """Let the broker wait longer while nothing comes in; it answers at once when something does.

    While something comes in it must not: a partition whose records are being worked off is missing in the fetch that is
    sent meanwhile, and what it gets next waits for the end of that.

    Args:
        client: The consumer.
        records: How many its last poll brought.
    """
    client._fetcher._fetch_max_wait_ms = BUSY_MS if records else _QUIET_MS
