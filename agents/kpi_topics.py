"""KPI values to the KPI topics: every change to one, the last value per series to the other (CloudEvents, binary).

Every owner of series has a partition of both topics, and a producer of its own, connected anew by whoever gets the
owner assigned. From its first value on, Kafka refuses what a former owner's producer still sends: a worker that was
frozen, or cut off with its last values on the way, cannot make versions fall.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final, NamedTuple

from agents.batches import Headers, send_batches
from agents.kafka import AIOKafkaProducer, ProducerFenced, producer
from agents.patience import patiently
from schemas.settings import Settings
from streams.publication import Publication, Published

EVENT_TYPE: Final = "salespulse.kpi.changed.v1"

_LOG: Final = logging.getLogger(__name__)
_RENEW_S: Final = 86_400.0
"""Kafka forgets an epoch that nobody asked for in a week (``transactional.id.expiration.ms``)."""


_Message = tuple[bytes, bytes, Headers]
"""A value as both topics get it: key, JSON and headers."""


class _Epoch(NamedTuple):
    """An owner's producer, in which assignment it was connected, when, and what it is about to send."""

    producer: AIOKafkaProducer
    assignment: int
    since_s: float
    sending: set[asyncio.Future[Any]]

    async def close(self) -> None:
        """Close the producer, once it has sent what it was given: one that is closed before would never answer."""
        if self.sending:
            await asyncio.wait(self.sending)
        await self.producer.stop()


class KpiTopics:
    """Sends publications to ``sales.kpi.updates.v1`` and ``sales.kpi.latest.v1``.

    Args:
        settings: Where Kafka is, names of the topics, and what the source is called.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topics = (settings.topics.updates, settings.topics.latest)
        self._epochs: dict[int, _Epoch] = {}
        self._assignment = 0
        self._owned: frozenset[int] = frozenset()
        self._turns: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._closing: set[asyncio.Task[None]] = set()
        self._same: Headers = [
            ("ce_specversion", b"1.0"),
            ("ce_type", EVENT_TYPE.encode()),
            ("ce_source", f"/salespulse/{settings.app.id}".encode()),
            ("content-type", b"application/json"),
        ]

    async def assign(self, owned: Collection[int], new: Collection[int]) -> None:
        """Take note of what this worker owns, and begin an epoch for the owners that are new.

        To be awaited before their state is read: one that comes late, held up by the network, then reads late as well.

        Raises:
            UnavailableError: Kafka does not answer.
        """
        self._assignment += 1
        self._owned = frozenset(owned)
        for owner in self._epochs.keys() - owned:
            self._end(owner)
        await asyncio.gather(*(self._begin(owner) for owner in owned if owner in new or owner not in self._epochs))

    def silent(self, owners: Iterable[int]) -> set[int]:
        """Return those of some owners that somebody else speaks for, until the next assignment."""
        return {owner for owner in owners if owner not in self._epochs}

    async def publish(self, publications: Iterable[Publication]) -> list[int]:
        """Send all values of some owners, each of which waits for its last ones; returns when all is acknowledged.

        Returns:
            Owners of which Kafka refused values, since somebody else has spoken for them. What they have to say next
            has to be complete.

        Raises:
            KafkaError: The broker refused a value for another reason.
            UnavailableError: Kafka does not answer.
        """
        by_owner = {publication.owner: publication for publication in publications}
        taken = await asyncio.gather(*(self._publish(publication) for publication in by_owner.values()))
        return [owner for owner, was_taken in zip(by_owner, taken, strict=True) if not was_taken]

    async def stop(self) -> None:
        """Close all producers, once what they were given is sent."""
        self._owned = frozenset()
        for owner in list(self._epochs):
            self._end(owner)
        await asyncio.gather(*self._closing)

    async def _publish(self, publication: Publication) -> bool:
        owner = publication.owner
        epoch = self._epochs.get(owner)
        if epoch is None:
            return False
        if time.monotonic() - epoch.since_s > _RENEW_S:
            await patiently(lambda: self._begin(owner))
            epoch = self._epochs.get(owner)
            if epoch is None:
                return False
        messages = [self._message(value) for value in publication.values]
        sending = asyncio.gather(*(self._send(epoch.producer, topic, owner, messages) for topic in self._topics))
        epoch.sending.add(sending)
        sending.add_done_callback(epoch.sending.discard)
        try:
            await sending
        except ProducerFenced:
            await self._refused(owner, epoch)
            return False
        return True

    async def _refused(self, owner: int, epoch: _Epoch) -> None:
        """Begin anew if the group gave the owner to us since, though it never told us that it was gone."""
        if self._epochs.get(owner) is not epoch:
            return
        self._end(owner)
        if epoch.assignment < self._assignment:
            await patiently(lambda: self._begin(owner))
        else:
            _LOG.warning("another worker publishes the KPIs of partition %d: this one waits to be assigned it", owner)

    async def _begin(self, owner: int) -> None:
        """Begin an epoch, if the owner is still ours: waiting for Kafka may outlast an assignment."""
        async with self._turns[owner]:
            self._end(owner)
            if owner not in self._owned:
                return
            name = f"{self._settings.app.id}-kpi-{owner}"
            assignment = self._assignment
            client = await producer(self._settings, client_id=name, fence=name)
            self._epochs[owner] = _Epoch(client, assignment, time.monotonic(), set())
            if owner not in self._owned:
                self._end(owner)

    def _end(self, owner: int) -> None:
        """Close an owner's producer, without waiting for a broker that may be away."""
        epoch = self._epochs.pop(owner, None)
        if epoch is not None:
            closing = asyncio.ensure_future(epoch.close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    @staticmethod
    async def _send(client: AIOKafkaProducer, topic: str, partition: int, messages: Sequence[_Message]) -> None:
        await asyncio.gather(*await send_batches(client, topic, partition, messages))

    def _message(self, value: Published) -> _Message:
        key, kpi = value.key.encode(), value.value
        headers = [
            *self._same,
            ("ce_id", f"{value.key}@{kpi.window_end}@{kpi.revision}".encode()),
            ("ce_subject", key),
            ("ce_time", kpi.emitted_at.encode()),
        ]
        return key, value.payload, headers
