"""A state as a version of the product stored it: all its topics and committed offsets in a file, and back on a broker.

`python -m tests.faults.stored` writes the file of the present version to `tests/faults/states`; each version that was
released keeps its own.
"""

from __future__ import annotations

import asyncio
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from agents.brokers import RedisServer, start_broker
from agents.kafka import OffsetAndMetadata, TopicPartition, consumer, producer
from agents.reading import committed_offsets, read_to_end
from agents.topics import create_topics, intake_group
from schemas.settings import Settings
from schemas.topics import TABLES, changelog_topic, generations_topic, state_group
from schemas.wire import STATE_VERSION
from tests.e2e.history import History, send
from tests.e2e.product import Installation, installed
from tests.e2e.surfaces import is_settled
from tests.polling import until

STATES: Final = Path(__file__).parent / "states"
HISTORY: Final = History(seed=28, count=600, days=20, hard=True)


class Stored(msgspec.Struct):
    """One stored state.

    Args:
        version: Of the state.
        prefix: Of all names.
        tables: Settings by which it was made.
        sent: How many messages of the history it holds.
        topics: Topic -> partition -> records, key and value.
        committed: Group, topic, partition, offset, metadata.
    """

    version: int
    prefix: str
    tables: dict[str, dict[str, Any]]
    sent: int
    topics: dict[str, list[list[tuple[bytes | None, bytes | None]]]]
    committed: list[tuple[str, str, int, int, str]]


def load(path: Path) -> Stored:
    """Read a file."""
    return msgspec.msgpack.decode(zlib.decompress(path.read_bytes()), type=Stored)


async def dump(settings: Settings, prefix: str, tables: dict[str, dict[str, Any]], sent: int) -> Stored:
    """Read everything off a broker."""
    topics: dict[str, list[list[tuple[bytes | None, bytes | None]]]] = {}
    for topic, count in _topics(settings):
        found: list[list[tuple[bytes | None, bytes | None]]] = [[] for _ in range(count)]
        async for batch in read_to_end(settings, [TopicPartition(topic, number) for number in range(count)]):
            for record in batch:
                assert record.offset == len(found[record.partition]), "offsets must be those of the file"
                found[record.partition].append((record.key, record.value))
        topics[topic] = found
    committed = []
    for group in (state_group(settings.app.id), intake_group(settings)):
        partitions = [TopicPartition(topic, number) for topic, count in _topics(settings) for number in range(count)]
        for where, kept in (await committed_offsets(settings, group, partitions)).items():
            committed.append((group, where.topic, where.partition, kept.offset, kept.metadata))
    return Stored(STATE_VERSION, prefix, tables, sent, topics, committed)


async def restore(settings: Settings, stored: Stored) -> None:
    """Put everything on a broker that has none of it."""
    await create_topics(settings)
    client = await producer(settings, client_id="restore")
    for topic, partitions in stored.topics.items():
        for partition, records in enumerate(partitions):
            for key, value in records:
                await client.send(topic, value, key, partition=partition)
    await client.stop()
    for group in {commit[0] for commit in stored.committed}:
        offsets = {
            TopicPartition(topic, partition): OffsetAndMetadata(offset, metadata)
            for name, topic, partition, offset, metadata in stored.committed
            if name == group
        }
        reader = await consumer(settings, client_id="restore", group_id=group, assignment=offsets)
        await reader.commit(offsets)
        await reader.stop()


def _topics(settings: Settings) -> Iterator[tuple[str, int]]:
    """Topics that hold state, and events, with their partition counts."""
    for topic in settings.topics.sources().values():
        yield topic, settings.kafka.source_partitions
    for topic in (settings.topics.log, settings.topics.cells):
        yield topic, settings.kafka.partitions
    for table in TABLES:
        yield changelog_topic(settings.app.id, table), settings.kafka.partitions
    yield generations_topic(settings.app.id), 1


async def _make(product: Installation, prefix: str, tables: dict[str, dict[str, Any]]) -> Stored:
    messages = list(HISTORY.messages())
    half = len(messages) // 2
    await create_topics(product.settings)
    worker = product.start("worker")
    await worker.until_ready()
    await send(product.settings, iter(messages[:half]))
    await until(lambda: is_settled(product.settings), deadline_s=60)
    worker.terminate()
    assert await worker.ends(deadline_s=20) == 0
    return await dump(product.settings, prefix, tables, half)


def main() -> None:
    """Write the file of the present version."""
    from tests.faults.conftest import SETTINGS  # noqa: PLC0415  the fixtures' settings, as they are now

    prefix = f"stored-v{STATE_VERSION}."
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        kafka, redis = asyncio.run(start_broker("kafka", directory / "kafka")), RedisServer(directory / "redis")
        try:
            asyncio.run(redis.start())
            with installed(directory / "product", kafka.bootstrap_servers, redis.url, prefix, SETTINGS) as product:
                stored = asyncio.run(_make(product, prefix, SETTINGS))
        finally:
            asyncio.run(redis.stop())
            asyncio.run(kafka.stop())
    STATES.mkdir(exist_ok=True)
    path = STATES / f"v{STATE_VERSION}.msgpack.zlib"
    path.write_bytes(zlib.compress(msgspec.msgpack.encode(stored), 9))
    print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
