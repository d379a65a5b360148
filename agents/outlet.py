"""What is told once: moments worth celebrating, and restatements of closed windows, each with an id as its key.

They come from messages of the cells topic, so they are acknowledged by Kafka before those are: a crash tells some of
them again, under the same ids.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import groupby, islice
from operator import attrgetter
from typing import Any, Final, NamedTuple

import msgspec

from agents.batches import send_batches
from agents.cadence import let_others
from agents.kafka import AIOKafkaProducer, TopicPartition
from agents.reading import read_to_end
from schemas.declare import Kpi
from schemas.moments import Moment
from schemas.restatements import Restatement
from schemas.settings import Settings
from schemas.wire import Win
from streams.moments import Moments, won
from streams.publication import Publication
from streams.rollup.goals import standing_goals

_AT_ONCE: Final = 500
"""Records handed to the producer in one act: some milliseconds."""
_encoder: Final = msgspec.json.Encoder()

Celebrate = Callable[[Sequence[bytes]], Awaitable[None]]


class _Pending(NamedTuple):
    """What is to be sent: where to, under which id, as which type of CloudEvent."""

    where: TopicPartition
    key: str
    event_type: str
    payload: bytes


class Outlet:
    """Sends moments and restatements.

    Args:
        settings: Names of the topics, and the reporting currency.
        producer: Its sends must be acknowledged by all replicas.
        celebrate: Told of the moments that are sent, for the wall.
        kpis: Those in force; the targets of those of which less is better are nothing to celebrate.
    """

    def __init__(
        self, settings: Settings, producer: AIOKafkaProducer, celebrate: Celebrate, kpis: Iterable[Kpi] = ()
    ) -> None:
        self._settings = settings
        self._moments_topic = TopicPartition(settings.topics.moments, 0)
        self._producer = producer
        self._celebrate = celebrate
        limits = (kpi for kpi in kpis if kpi.better == "lower")
        self._moments = Moments([name for kpi in limits for name, _ in standing_goals(kpi, settings.money.currency)])
        self._told: set[int] = set()
        self._pending: deque[_Pending] = deque()
        self._celebrations: list[bytes] = []
        self._in_flight: set[asyncio.Future[Any]] = set()
        self._turn = asyncio.Lock()

    async def restore(self) -> None:
        """Read which moments were told before; a former owner's as well.

        Raises:
            UnavailableError: Kafka does not answer.
        """
        async for batch in read_to_end(self._settings, [self._moments_topic]):
            for record in batch:
                self._know(record.key.decode())

    def won(self, wins: Iterable[Win]) -> None:
        """Take deals that were won."""
        for win in wins:
            self._tell(won(win, self._settings.money.currency))

    def published(self, publication: Publication) -> None:
        """Take what is worth celebrating among published values."""
        for moment in self._moments.of(publication):
            self._tell(moment)

    def restated(self, owner: int, restatements: Iterable[Restatement]) -> None:
        """Take restatements of closed windows of an owner's series; they go to its partition, in order."""
        where = TopicPartition(self._settings.topics.restatements, owner)
        for restatement in restatements:
            payload = _encoder.encode(restatement)
            self._pending.append(_Pending(where, restatement.id, "salespulse.kpi.restated.v1", payload))

    async def send(self) -> None:
        """Hand what is pending to the producer; what another task is handing over has been when this returns."""
        async with self._turn:
            while self._pending:
                (topic, partition), group = next(groupby(islice(self._pending, _AT_ONCE), attrgetter("where")))
                records = [
                    (each.key.encode(), each.payload, self._headers(each.key, each.event_type)) for each in group
                ]
                self._in_flight.update(await send_batches(self._producer, topic, partition, records))
                for _ in records:
                    self._pending.popleft()
                await let_others()
        celebrations, self._celebrations = self._celebrations, []
        if celebrations:
            await self._celebrate(celebrations)

    async def flush(self) -> None:
        """Send what is pending, and wait until everything is acknowledged.

        Raises:
            KafkaError: The broker refused one.
        """
        await self.send()
        sent, self._in_flight = self._in_flight, set()
        await asyncio.gather(*sent)

    def _know(self, moment_id: str) -> bool:
        """Remember a moment; False when it was known."""
        known = hash(moment_id)
        if known in self._told:
            return False
        self._told.add(known)
        self._moments.known(moment_id)
        return True

    def _tell(self, moment: Moment) -> None:
        if self._know(moment.id):
            payload = _encoder.encode(moment)
            self._pending.append(_Pending(self._moments_topic, moment.id, "salespulse.moment.v1", payload))
            self._celebrations.append(payload)

    def _headers(self, key: str, event_type: str) -> list[tuple[str, bytes]]:
        return [
            ("ce_specversion", b"1.0"),
            ("ce_type", event_type.encode()),
            ("ce_source", f"/salespulse/{self._settings.app.id}".encode()),
            ("ce_id", key.encode()),
            ("content-type", b"application/json"),
        ]
