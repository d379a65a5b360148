"""What any Python program takes from the producer's send to a count on a topic: aiokafka, orjson, a dictionary.

`python -m tests.benchmarks.bare_live SERVERS UPDATES PARTITIONS TOPIC...` counts events by type and by each of five
dimensions, and every 100 ms says the global counts on the topic UPDATES, as far as they are looked at. Nothing is
validated, deduplicated or kept. It prints `ready` when it reads, and goes on until it is killed.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import Final
from zlib import crc32

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from tests.benchmarks.bare_loop import Counts, count_records, partitions_of
from tests.benchmarks.tracked import COUNTS

_EVERY_S: Final = 0.1


async def run(servers: str, updates: str, partitions: int, topics: Sequence[str]) -> None:
    """Count what comes in, and say so."""
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, auto_offset_reset="earliest", enable_auto_commit=False)
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all")
    await consumer.start()
    await producer.start()
    numbers = {topic: await partitions_of(consumer, topic) for topic in topics}
    consumer.assign([TopicPartition(topic, number) for topic in topics for number in numbers[topic]])
    counts: Counts = {}
    print("ready", flush=True)
    await asyncio.gather(_count(consumer, counts), _emit(producer, updates, partitions, counts))


async def _count(consumer: AIOKafkaConsumer, counts: Counts) -> None:
    while True:
        for records in (await consumer.getmany(timeout_ms=200)).values():
            count_records(records, counts)


async def _emit(producer: AIOKafkaProducer, updates: str, partitions: int, counts: Counts) -> None:
    said: dict[str, int] = {}
    while True:
        await asyncio.sleep(_EVERY_S)
        for kind, count in COUNTS.items():
            number = counts.get((kind, "", None), 0)
            if said.get(kind) != number:
                said[kind] = number
                key = count.key.encode()
                await producer.send(updates, orjson.dumps({count.part: number}), key, crc32(key) % partitions)


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]))
