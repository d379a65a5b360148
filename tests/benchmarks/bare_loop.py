"""The least that any Python program has to do: aiokafka, orjson, a dictionary. What it counts is gone when it ends.

`python -m tests.benchmarks.bare_loop SERVERS EVENTS NAME TOPIC...` counts events by type and by each of five
dimensions, and prints what it counted and how much CPU time that took, start-up apart.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

import orjson
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

DIMENSIONS: Final = ("rep_id", "team_id", "region", "source", "channel")

Counts = dict[tuple[str, str, str | None], int]
"""Event type, dimension and its value (neither for all events of the type) -> how many."""


async def count(servers: str, events: int, topics: list[str]) -> dict[str, Any]:
    """Read topics from their beginning until so many events have come."""
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, auto_offset_reset="earliest", enable_auto_commit=False)
    await consumer.start()
    try:
        numbers = {topic: await partitions_of(consumer, topic) for topic in topics}
        consumer.assign([TopicPartition(topic, number) for topic in topics for number in numbers[topic]])
        counts: Counts = {}
        read = 0
        began_s, cpu_s = time.perf_counter(), time.process_time()
        while read < events:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                count_records(records, counts)
                read += len(records)
        took_s, took_cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    finally:
        await consumer.stop()
    by_type = Counter({kind: number for (kind, dimension, _), number in counts.items() if not dimension})
    return {"events": read, "seconds": took_s, "cpu_s": took_cpu_s, "keys": len(counts), "by_type": by_type}


def count_records(records: Iterable[ConsumerRecord], counts: Counts) -> None:
    """Add the events of records to the counts."""
    for record in records:
        event = orjson.loads(record.value)
        kind = event["event_type"]
        key: tuple[str, str, str | None] = (kind, "", None)
        counts[key] = counts.get(key, 0) + 1
        for dimension in DIMENSIONS:
            value = event.get(dimension)
            if value is not None:
                key = (kind, dimension, value)
                counts[key] = counts.get(key, 0) + 1


async def partitions_of(consumer: AIOKafkaConsumer, topic: str) -> set[int]:
    """A client knows a topic's partitions once it has asked for them."""
    numbers: set[int] | None = consumer.partitions_for_topic(topic)
    if not numbers:
        await consumer._client.add_topic(topic)  # aiokafka has no public way for one without a group
        numbers = consumer.partitions_for_topic(topic)
    return numbers or set()


if __name__ == "__main__":
    print(json.dumps(asyncio.run(count(sys.argv[1], int(sys.argv[2]), sys.argv[4:]))))
