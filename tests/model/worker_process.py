"""One process of the pipeline: the real one, whose frames, cells and sends pass through the model's hands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

from faust.types import TP

from agents.generations import StateNames
from agents.kafka import AIOKafkaProducer
from agents.outlet import Outlet
from agents.pipeline import Pipeline
from schemas.settings import Settings
from streams.plan import Plan
from streams.publication import Published
from tests.model.broker import Broker, Producer
from tests.model.clock import Loop

Acknowledged = Callable[[str, int, int], None]
"""Topic, partition, offset."""


class Event:
    """What Faust hands an agent, as far as it matters: it can be acknowledged."""

    def __init__(self, acknowledged: Acknowledged, where: TP, offset: int) -> None:
        self._acknowledged = acknowledged
        self._place = (where.topic, where.partition, offset)

    def ack(self) -> None:
        self._acknowledged(*self._place)


_Taking = Coroutine[Any, Any, int | None]


class WorkerProcess:
    """A worker with some of the partitions of log and cells topic.

    Args:
        settings: Everything that is set.
        plan: What is counted.
        names: Of the generation of state.
        broker: What it reads from and writes to.
        loop: What it runs on.
        acknowledged: Told of every message that is acknowledged.
    """

    def __init__(
        self,
        settings: Settings,
        plan: Plan,
        names: StateNames,
        broker: Broker,
        loop: Loop,
        acknowledged: Acknowledged,
    ) -> None:
        async def celebrate(_moments: object) -> None: ...

        self.producer = Producer(broker)
        client = cast(AIOKafkaProducer, self.producer)
        self.pipeline = Pipeline(settings, plan, client, Outlet(settings, client, celebrate), names)
        self.owned: set[int] = set()
        self._log, self._cells = settings.topics.log, names.cells
        self._changelogs = names.changelogs
        self._broker = broker
        self._loop = loop
        self._acknowledged = acknowledged
        self._positions: dict[TP, int] = {}
        self._meanwhile = 0
        self._checkpoint: asyncio.Task[None] | None = None
        self._tasks: list[asyncio.Task[Any]] = []

    def assign(self, owned: set[int], gained: set[int]) -> None:
        """Own these partitions from now on, as Faust's tables are told of it; read on where the state ends."""
        self.owned = set(owned)
        for table in self._changelogs:
            self._do(self.pipeline.reassign(table, owned, gained))
        self._positions = dict(self.pipeline.next_offsets())

    def fold(self, partition: int, frames: int) -> None:
        """Hand some messages of the log to the fold."""
        self._hand(TP(self._log, partition), frames, self.pipeline.take_frame)

    def take_cells(self, owner: int, messages: int) -> None:
        """Hand some messages of the cells topic to the rollup."""
        self._hand(TP(self._cells, owner), messages, self.pipeline.take_cells)

    def _hand(self, where: TP, messages: int, take: Callable[[int, int, bytes, Event], _Taking]) -> None:
        records = self._broker.at(*where).records
        for _ in range(messages):
            position = self._positions.get(where, len(records))
            if position >= len(records):
                return
            event = Event(self._acknowledged, where, position)
            value = records[position].value
            assert value is not None
            wanted = _result(take(where.partition, position, value, event))
            self._positions[where] = position + 1 if wanted is None else wanted

    def lose_place(self, topic_of_log: bool, partition: int, by: int) -> None:
        """Let the client jump, as Faust was seen to do after a recovery: ahead, or back."""
        where = TP(self._log if topic_of_log else self._cells, partition)
        if where in self._positions:
            self._positions[where] = max(0, self._positions[where] + by)

    def emit(self) -> None:
        """Begin an emission."""
        self._do(self.pipeline.emit())

    @property
    def is_checkpointing(self) -> bool:
        """Whether a checkpoint waits for acknowledgements."""
        return self._checkpoint is not None and not self._checkpoint.done()

    def checkpoint(self, meanwhile: int = 0) -> None:
        """Begin a checkpoint, unless one is under way; whenever it lets others, some messages of either topic come."""
        if not self.is_checkpointing:
            self._meanwhile = meanwhile
            self._checkpoint = self._loop.create_task(self._checkpoint_and_note())
            self._tasks.append(self._checkpoint)
            self._loop.settle()

    def lets_others(self, task: asyncio.Task[Any] | None) -> None:
        """Do what others do while a checkpoint lets them, if it is that of this worker."""
        if task is self._checkpoint:
            for partition in self.owned:
                self.fold(partition, self._meanwhile)
                self.take_cells(partition, self._meanwhile)

    async def _checkpoint_and_note(self) -> None:
        """Checkpoint; what was found at the recovery and had to be repaired is repaired then, and may be compacted."""
        owned = sorted(self.owned)
        await self.pipeline.checkpoint()
        for table, topic in self._changelogs.items():
            for partition in owned:
                changelog = self._broker.at(topic, partition)
                changelog.stable = max(changelog.stable, self.pipeline.changelog_end(table, partition))

    def publish(self, others: set[int]) -> list[Published]:
        """Return the values that are published now, but for those of some owners."""
        found: list[Published] = []

        async def collect() -> None:
            for global_only in (True, False):
                async for publication in self.pipeline.publishing.publications(others, global_only=global_only):
                    self.pipeline.outlet.published(publication)
                    found.extend(publication.values)

        self._do(collect())
        return found

    def _do(self, doing: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(doing)
        self._tasks.append(task)
        self._loop.settle()

    @property
    def failure(self) -> BaseException | None:
        """What went wrong, if anything did."""
        failed = (task.exception() for task in self._tasks if task.done() and not task.cancelled())
        return next((error for error in failed if error is not None), self.pipeline.failure)

    def die(self, survivors: int) -> None:
        """End at once; of what was sent to each partition, the first few get through."""
        for where in self.producer.queues:
            self.producer.deliver(where, survivors)
        self.producer.waiting.clear()
        for task in self._tasks:
            task.cancel()
        self._loop.settle()


def _result(work: _Taking) -> int | None:
    """Run to its end what waits for nobody."""
    while True:
        try:
            work.send(None)
        except StopIteration as done:
            result: int | None = done.value
            return result
