"""KPI values to the KPI topics: every change to one, the last value per series to the other (CloudEvents, binary)."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple
from zlib import crc32

from agents.kafka import AIOKafkaProducer
from schemas.settings import Settings
from streams.publication import Publication, Published

EVENT_TYPE: Final = "salespulse.kpi.changed.v1"

Headers = list[tuple[str, bytes]]


class _Message(NamedTuple):
    """A value as both topics get it."""

    key: bytes
    payload: bytes
    headers: Headers


class KpiTopics:
    """Sends publications to ``sales.kpi.updates.v1`` and ``sales.kpi.latest.v1``.

    Args:
        settings: Names of the topics, and what the source is called.
        producer: Its own; a refused send stops the worker.
    """

    def __init__(self, settings: Settings, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._topics = (settings.topics.updates, settings.topics.latest)
        self._partitions = settings.kafka.partitions
        self._same: Headers = [
            ("ce_specversion", b"1.0"),
            ("ce_type", EVENT_TYPE.encode()),
            ("ce_source", f"/salespulse/{settings.app.id}".encode()),
            ("content-type", b"application/json"),
        ]
        # Batches take turns: of several that wait for room in a queue the client fails one long before its time is up.
        self._turns: defaultdict[tuple[str, int], asyncio.Lock] = defaultdict(asyncio.Lock)

    async def publish(self, publications: Iterable[Publication]) -> None:
        """Send all values of some owners, those of a partition together; returns when they are acknowledged.

        Raises:
            KafkaError: The broker refused one.
        """
        by_partition: dict[int, list[_Message]] = {}
        for publication in publications:
            for value in publication.values:
                key = value.key.encode()
                message = _Message(key, value.payload, self._headers(value, key))
                by_partition.setdefault(crc32(key) % self._partitions, []).append(message)
        sends = (
            self._send(topic, partition, messages)
            for topic in self._topics
            for partition, messages in by_partition.items()
        )
        await asyncio.gather(*sends)

    async def _send(self, topic: str, partition: int, messages: Sequence[_Message]) -> None:
        acknowledged: list[asyncio.Future[Any]] = []
        batch = self._producer.create_batch()
        for key, value, headers in messages:
            if batch.append(key=key, value=value, timestamp=None, headers=headers) is None:
                acknowledged.append(await self._hand_over(batch, topic, partition))
                batch = self._producer.create_batch()
                batch.append(key=key, value=value, timestamp=None, headers=headers)
        acknowledged.append(await self._hand_over(batch, topic, partition))
        await asyncio.gather(*acknowledged)

    async def _hand_over(self, batch: Any, topic: str, partition: int) -> asyncio.Future[Any]:
        async with self._turns[topic, partition]:
            future: asyncio.Future[Any] = await self._producer.send_batch(batch, topic, partition=partition)
            return future

    def _headers(self, value: Published, key: bytes) -> Headers:
        kpi = value.value
        return [
            *self._same,
            ("ce_id", f"{value.key}@{kpi.window_end}@{kpi.revision}".encode()),
            ("ce_subject", key),
            ("ce_time", kpi.emitted_at.encode()),
        ]
