"""How long a broker may wait for something to answer a consumer's fetch with."""

from __future__ import annotations

from typing import Final

from agents.kafka import AIOKafkaConsumer

BUSY_MS: Final = 50
_QUIET_MS: Final = 250
_MANY_BYTES: Final = 64 * 1024


def adapt_fetch_wait(client: AIOKafkaConsumer, records: int, gather_ms: int = 0) -> None:
    """Let the broker wait longer while nothing comes in; it answers at once when something does.

    While something comes in it must not wait long: a partition whose records are being worked off is missing in the
    fetch that is sent meanwhile, and what it gets next waits for the end of that.

    Args:
        client: The consumer.
        records: How many its last poll brought.
        gather_ms: Let messages that keep coming gather at the broker for so long, where they are few. To gather them
            here is dearer, and later: the first one would be fetched alone, and the others wait until it is taken.
    """
    fetcher = client._fetcher
    if gather_ms and records:
        fetcher._fetch_max_wait_ms, fetcher._fetch_min_bytes = gather_ms, _MANY_BYTES
    else:
        fetcher._fetch_max_wait_ms, fetcher._fetch_min_bytes = BUSY_MS if records else _QUIET_MS, 1
