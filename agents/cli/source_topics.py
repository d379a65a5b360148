"""Whether the topics that a command sends to exist, and how much they hold."""

from __future__ import annotations

from collections.abc import Iterable

from agents.kafka import TopicPartition, admin, end_offsets
from schemas.errors import SalesPulseError
from schemas.settings import Settings


async def require_topics(settings: Settings, names: Iterable[str]) -> None:
    """Refuse to send to topics that do not exist: a broker may make them by itself, and wrongly.

    Raises:
        UnavailableError: Kafka does not answer.
        SalesPulseError: Some are missing; says how to make them.
    """
    async with admin(settings) as client:
        missing = sorted(set(names) - set(await client.list_topics()))
    if missing:
        raise SalesPulseError(
            f"Kafka at {settings.kafka.bootstrap_servers} has no topic {', '.join(missing)}; "
            "make all that are needed with `salespulse topics create`"
        )


async def messages_held(settings: Settings, names: Iterable[str]) -> int:
    """How many messages topics have ever taken: the sum of the ends of their partitions."""
    async with admin(settings) as client:
        described = await client.describe_topics(list(names))
    partitions = [
        TopicPartition(topic["topic"], partition["partition"])
        for topic in described
        for partition in topic["partitions"]
    ]
    return sum((await end_offsets(settings, partitions)).values())
