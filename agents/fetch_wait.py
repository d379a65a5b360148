"""How long a broker may wait for something to answer a consumer's fetch with."""

from __future__ import annotations

from typing import Final

from agents.kafka import AIOKafkaConsumer

BUSY_MS: Final = 50
_QUIET_MS: Final = 250
_MANY_RECORDS: Final = 100


def adapt_fetch_wait(client: AIOKafkaConsumer, records: int) -> None:
    """Let the broker wait longer where little comes in: it answers at once when something does, so that costs nothing.

    Where much comes in it does: a partition whose records take long to work off is missing in the fetch that is sent
    meanwhile, and has to wait for its end.

    Args:
        client: The consumer.
        records: How many its last poll brought.
    """
    client._fetcher._fetch_max_wait_ms = BUSY_MS if records >= _MANY_RECORDS else _QUIET_MS
