"""Whether the topics that a command sends to exist, and how much they hold."""

from __future__ import annotations

from collections.abc import Iterable

from agents.kafka import admin
from agents.reading import end_offsets
from agents.topics import partitions_of
from schemas.errors import SalesPulseError
from schemas.settings import Settings


async def require_topics(settings: Settings, names: Iterable[str]) -> None:
    """Refuse to send to topics that do not exist: a broker may make them by itself, and wrongly.

    Raises:
        UnavailableError: Kafka does not answer.
        SalesPulseError: Some are missing; says how to make them.
    """
    async with admin(settings) as client:
        present = {topic["topic"] for topic in await client.describe_topics(None)}
    missing = sorted(set(names) - present)
    if missing:
        raise SalesPulseError(
            f"Kafka at {settings.kafka.bootstrap_servers} has no topic {', '.join(missing)}; "
            "make all that are needed with `salespulse topics create`"
        )


async def messages_held(settings: Settings, names: Iterable[str]) -> int:
    """How many messages topics have ever taken: the sum of the ends of their partitions."""
    partitions = await partitions_of(settings, names)
    return sum((await end_offsets(settings, partitions)).values()) if partitions else 0


async def cluster_id(settings: Settings) -> str:
    """The name a Kafka cluster gave itself; it stays when its addresses change. Raises UnavailableError."""
    async with admin(settings) as client:
        found = (await client.describe_cluster()).get("cluster_id")
    return str(found or settings.kafka.bootstrap_servers)
