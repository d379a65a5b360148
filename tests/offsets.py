"""Offsets of intake's group, set as an operator sets them."""

from __future__ import annotations

from collections.abc import Iterable

from agents.kafka import OffsetAndMetadata, TopicPartition, consumer
from agents.topics import intake_group
from schemas.settings import Settings


async def set_by_hand(settings: Settings, sources: Iterable[TopicPartition], offset: int) -> None:
    """Set the offsets of some source partitions as Kafka's own tools do, which leave no metadata; nobody may run."""
    partitions = list(sources)
    client = await consumer(settings, client_id="test", group_id=intake_group(settings), assignment=partitions)
    await client.commit({partition: OffsetAndMetadata(offset, "") for partition in partitions})
    await client.stop()
