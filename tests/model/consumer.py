"""The consumer of an intake: reads what the model lets it read, commits if it is the group's member."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from types import SimpleNamespace
from typing import Any

from agents.kafka import CommitFailedError, OffsetAndMetadata, TopicPartition
from tests.model.broker import Broker, Record, appended

Committed = Callable[[Mapping[TopicPartition, OffsetAndMetadata]], None]


class IntakeConsumer:
    """The part of aiokafka's consumer that intake uses.

    Args:
        broker: What it reads from.
        sources: Its partitions.
        listener: Intake's own, told of rebalances.
        committed: Told of every commit.
    """

    def __init__(self, broker: Broker, sources: Iterable[TopicPartition], listener: Any, committed: Committed) -> None:
        self.is_member = True
        self.listener = listener
        self._fetcher = SimpleNamespace()  # where intake says how long the broker may wait: this one never does
        self._broker = broker
        self._sources = frozenset(sources)
        self._committed = committed
        self._positions: dict[TopicPartition, int] = {}
        self._granted: Mapping[TopicPartition, int] = {}
        self._asked: asyncio.Future[None] | None = None

    @property
    def is_asking(self) -> bool:
        """Whether intake waits for messages."""
        return self._asked is not None and not self._asked.done()

    def grant(self, messages: Mapping[TopicPartition, int]) -> None:
        """Let intake have so many messages of some partitions."""
        assert self._asked is not None
        self._granted = messages
        self._asked.set_result(None)

    def assignment(self) -> frozenset[TopicPartition]:
        return self._sources

    def seek(self, where: TopicPartition, offset: int) -> None:
        self._positions[where] = offset

    async def position(self, where: TopicPartition) -> int:
        return self._positions[where]

    async def getmany(self, *wanted: TopicPartition, **_limits: int) -> dict[TopicPartition, list[Record]]:
        self._asked = asyncio.get_running_loop().create_future()
        await self._asked
        found: dict[TopicPartition, list[Record]] = {}
        for where in wanted:
            records = appended(self._broker.partition(where), self._positions[where])[: self._granted.get(where, 0)]
            if records:
                found[where] = records
                self._positions[where] = records[-1].offset + 1
        return found

    async def beginning_offsets(self, wanted: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(wanted, 0)

    async def end_offsets(self, wanted: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return {where: self._broker.partition(where).end for where in wanted}

    def last_stable_offset(self, where: TopicPartition) -> int:
        return self._broker.partition(where).end

    def highwater(self, where: TopicPartition) -> int:
        return self._broker.partition(where).end

    async def commit(self, offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        if not self.is_member:
            raise CommitFailedError
        self._committed(offsets)
        self._broker.committed.update(offsets)

    async def stop(self) -> None:
        """Nothing to disconnect."""
