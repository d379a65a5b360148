"""Many records for one partition, handed to a producer as batches: a future for each record is most of their cost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from agents.kafka import AIOKafkaProducer

Headers = list[tuple[str, bytes]]


async def send_batches(
    producer: AIOKafkaProducer, topic: str, partition: int, records: Iterable[tuple[bytes, bytes | None, Headers]]
) -> list[asyncio.Future[Any]]:
    """Hand over records in order, as many to a batch as have room.

    Args:
        producer: Any.
        topic: Where to.
        partition: Likewise.
        records: Key, value and headers of each; one that is larger than a batch has one to itself.

    Returns:
        What says of every batch that it is acknowledged, or why not.
    """
    acknowledged: list[asyncio.Future[Any]] = []
    batch = producer.create_batch()
    for key, value, headers in records:
        if batch.append(key=key, value=value, timestamp=None, headers=headers) is None:
            acknowledged.append(await producer.send_batch(batch, topic, partition=partition))
            batch = producer.create_batch()
            batch.append(key=key, value=value, timestamp=None, headers=headers)
    if batch.record_count():
        acknowledged.append(await producer.send_batch(batch, topic, partition=partition))
    return acknowledged
