"""Where the product meets Kafka and the clock: its doors, opened onto the broker and the clock of the model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

import pytest

from agents.kafka import OffsetAndMetadata, TopicPartition
from schemas.settings import Settings
from tests.model.broker import Broker, Producer, Record
from tests.model.clock import Clock
from tests.model.consumer import Committed, IntakeConsumer

_READ_AT_ONCE = 5


class Doors:
    """Functions that take the place of those of ``agents.reading``.

    Args:
        broker: What is behind them.
        clock: What the time is.
        sources: The partitions of the source topics.
        committed: Told of every commit of intake.
    """

    def __init__(self, broker: Broker, clock: Clock, sources: Iterable[TopicPartition], committed: Committed) -> None:
        self._broker = broker
        self._clock = clock
        self._sources = frozenset(sources)
        self._committed = committed
        self.producers: list[Producer] = []
        self.consumers: list[IntakeConsumer] = []

    def open(self, patch: pytest.MonkeyPatch) -> None:
        """Lead every module of the product here."""
        for module in ("agents.changelogs", "agents.recovery"):
            patch.setattr(f"{module}.begin_and_end_offsets", self.begin_and_end_offsets)
        patch.setattr("agents.recovery.end_offsets", self.end_offsets)
        for module in ("agents.changelogs", "agents.outlet"):
            patch.setattr(f"{module}.read_to_end", self.read_to_end)
        for module in ("agents.emission", "agents.pipeline"):
            patch.setattr(f"{module}.wall_ms", self._clock.wall_ms)
        patch.setattr("agents.intake.loop.time", self._clock)
        patch.setattr("agents.intake.loop.producer", self.producer)
        patch.setattr("agents.intake.loop.consumer", self.consumer)
        patch.setattr("agents.intake.loop.adapt_fetch_wait", lambda *_: None)  # nobody waits here
        patch.setattr("agents.intake.start.committed_offsets", self.committed_offsets)
        patch.setattr("agents.intake.coverage.generation_number", self.generation_number)

    async def begin_and_end_offsets(
        self, settings: Settings, where: Iterable[TopicPartition]
    ) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
        wanted = list(where)
        return dict.fromkeys(wanted, 0), await self.end_offsets(settings, wanted)

    async def end_offsets(self, _settings: Settings, where: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return {one: self._broker.partition(one).end for one in where}

    async def read_to_end(
        self,
        settings: Settings,
        where: Iterable[TopicPartition],
        *,
        ends: Mapping[TopicPartition, int] | None = None,
    ) -> AsyncIterator[list[Record]]:
        wanted = list(where)
        until = ends or await self.end_offsets(settings, wanted)
        for one in wanted:
            records = [record for record in self._broker.partition(one).records if record.offset < until[one]]
            for start in range(0, len(records), _READ_AT_ONCE):
                yield records[start : start + _READ_AT_ONCE]

    async def committed_offsets(
        self, _settings: Settings, _group: str, where: Iterable[TopicPartition]
    ) -> dict[TopicPartition, OffsetAndMetadata]:
        return {one: self._broker.committed[one] for one in where if one in self._broker.committed}

    async def generation_number(self, _settings: Settings) -> int:
        return 0

    async def producer(self, _settings: Settings, **_options: Any) -> Producer:
        self.producers.append(Producer(self._broker))
        return self.producers[-1]

    async def consumer(self, _settings: Settings, *_topics: str, listener: Any, **_options: Any) -> IntakeConsumer:
        for former in self.consumers:
            former.is_member = False
        found = IntakeConsumer(self._broker, self._sources, listener, self._committed)
        self.consumers.append(found)
        await listener.on_partitions_assigned(self._sources)
        return found
