"""Where partitions begin and end, what groups have committed, and reading partitions to their end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Final

from agents.kafka import (
    AIOKafkaConsumer,
    ConsumerRecord,
    GroupCoordinatorNotAvailableError,
    NodeNotReadyError,
    OffsetAndMetadata,
    TopicPartition,
    admin,
    consumer,
)
from schemas.errors import UnavailableError
from schemas.settings import Settings

_STALL_TIMEOUT_S: Final = 30.0

Offsets = dict[TopicPartition, int]


async def end_offsets(settings: Settings, partitions: Iterable[TopicPartition]) -> Offsets:
    """Return the offset after the last committed record of every partition."""
    wanted = list(partitions)
    async with _reading(settings, "offsets", wanted) as reader:
        return dict(await reader.end_offsets(wanted))


async def begin_offsets(settings: Settings, partitions: Iterable[TopicPartition]) -> Offsets:
    """Return the first offset that every partition still has."""
    wanted = list(partitions)
    async with _reading(settings, "offsets", wanted) as reader:
        return dict(await reader.beginning_offsets(wanted))


async def begin_and_end_offsets(settings: Settings, partitions: Iterable[TopicPartition]) -> tuple[Offsets, Offsets]:
    """Return both of every partition, asked for by one client: to come up takes one longer than to answer."""
    wanted = list(partitions)
    async with _reading(settings, "offsets", wanted) as reader:
        return dict(await reader.beginning_offsets(wanted)), dict(await reader.end_offsets(wanted))


async def committed_offsets(
    settings: Settings, group_id: str, partitions: Iterable[TopicPartition]
) -> dict[TopicPartition, OffsetAndMetadata]:
    """Return what a group has committed, with its metadata; partitions without a commit are left out.

    Raises:
        UnavailableError: No broker answers, or the group's coordinator does not come up.
    """
    wanted = list(partitions)
    if not wanted:
        return {}
    async with admin(settings) as client:
        # A broker that never had a group first has to make the topic of their offsets; one that stood still is no
        # longer, and not yet again, the node that is asked.
        for _attempt in range(100):
            try:
                found = await client.list_consumer_group_offsets(group_id, partitions=wanted)
            except (GroupCoordinatorNotAvailableError, NodeNotReadyError):
                await asyncio.sleep(0.1)
            else:
                return {partition: kept for partition, kept in found.items() if kept.offset >= 0}
    raise UnavailableError(
        f"Kafka at {settings.kafka.bootstrap_servers} has no coordinator for group {group_id}; see the broker's log"
    )


async def read_to_end(
    settings: Settings,
    partitions: Iterable[TopicPartition],
    *,
    starts: Mapping[TopicPartition, int] | None = None,
    ends: Mapping[TopicPartition, int] | None = None,
) -> AsyncIterator[list[ConsumerRecord]]:
    """Read partitions up to the ends they have now, without a group.

    What matters is the position, not the records: a compacted topic or one with transactions ends in offsets that hold
    no record. Whole fetched batches are handed out, so records beyond the end may come along; and on Tansu, which calls
    the first record of the last batch the end, that batch comes whole.

    Args:
        settings: Where Kafka is.
        partitions: What to read.
        starts: First offset by partition; what is not named starts at its beginning.
        ends: Offset to read up to, by partition; None: the end at the time of the call.

    Yields:
        Records of one partition, in order.

    Raises:
        UnavailableError: No broker answers, or nothing came for half a minute.
    """
    wanted = list(partitions)
    if not wanted:
        return
    async with _reading(settings, "reader", wanted, max_partition_fetch_bytes=4 * 1024 * 1024) as reader:
        until = dict(ends) if ends is not None else dict(await reader.end_offsets(wanted))
        begins = await reader.beginning_offsets(wanted)
        for partition in wanted:
            reader.seek(partition, max(begins[partition], (starts or {}).get(partition, 0)))
        async for batch in _batches(settings, reader, until):
            yield batch


@contextlib.asynccontextmanager
async def _reading(
    settings: Settings, purpose: str, partitions: Iterable[TopicPartition], **options: Any
) -> AsyncIterator[AIOKafkaConsumer]:
    """Connect a consumer without a group for the length of a ``with`` block."""
    reader = await consumer(settings, client_id=f"{settings.app.id}-{purpose}", assignment=partitions, **options)
    try:
        yield reader
    finally:
        await reader.stop()


async def _batches(
    settings: Settings, reader: AIOKafkaConsumer, until: Mapping[TopicPartition, int]
) -> AsyncIterator[list[ConsumerRecord]]:
    loop = asyncio.get_running_loop()
    moved_at = loop.time()
    positions: dict[TopicPartition, int] = {}
    while True:
        before = dict(positions)
        for partition in until:
            positions[partition] = await reader.position(partition)
        open_ones = [partition for partition, end in until.items() if positions[partition] < end]
        if not open_ones:
            return
        if positions != before:
            moved_at = loop.time()
        elif loop.time() - moved_at > _STALL_TIMEOUT_S:
            raise UnavailableError(
                f"Kafka at {settings.kafka.bootstrap_servers} sent nothing of {open_ones[0].topic} for"
                f" {_STALL_TIMEOUT_S:.0f} s; see the broker's log"
            )
        for records in (await reader.getmany(*open_ones, timeout_ms=200)).values():
            yield records
