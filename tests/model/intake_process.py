"""One process of intake: the real one, between a consumer and a producer of the model."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from agents.intake.loop import Intake
from agents.kafka import TopicPartition
from schemas.errors import SalesPulseError
from schemas.settings import Settings
from tests.model.broker import Producer
from tests.model.clock import Clock, Loop
from tests.model.consumer import IntakeConsumer
from tests.model.doors import Doors


class IntakeProcess:
    """An intake at work; alone in its group until another one starts.

    Args:
        settings: Everything that is set.
        doors: Where it gets its clients.
        loop: What it runs on.
        clock: Its time.
    """

    def __init__(self, settings: Settings, doors: Doors, loop: Loop, clock: Clock) -> None:
        self._loop = loop
        self._clock = clock
        self._intake = Intake(settings)
        self._commit_after_s = settings.intake.commit_interval / 1000
        self._task = loop.create_task(self._run())
        self._task.add_done_callback(lambda task: task.cancelled() or task.exception())  # looked at when it matters
        self._rebalance: asyncio.Task[None] | None = None
        loop.settle()
        self.producer: Producer = doors.producers[-1]
        self.consumer: IntakeConsumer = doors.consumers[-1]

    async def _run(self) -> None:
        await self._intake.start()
        await self._intake.run()

    @property
    def failure(self) -> BaseException | None:
        """Why it stopped; None while it runs."""
        return self._task.exception() if self._task.done() else None

    def read(self, messages: Mapping[TopicPartition, int], *, commits: bool) -> None:
        """Read on, if it is not waiting for an acknowledgement; commit afterwards, if it is time to."""
        self._loop.settle()  # it may be pausing between two frames
        if self.consumer.is_asking:
            if commits:
                self._clock.advance(self._commit_after_s)
            self.consumer.grant(messages)
            self._loop.settle()

    def rebalance(self) -> None:
        """Take its partitions away and give them back, as a group does when members come and go."""
        if self._rebalance is None or self._rebalance.done():
            self._rebalance = self._loop.create_task(self._hand_over())
            self._loop.settle()

    async def _hand_over(self) -> None:
        listener, partitions = self.consumer.listener, self.consumer.assignment()
        await listener.on_partitions_revoked(partitions)
        await listener.on_partitions_assigned(partitions)

    def die(self, survivors: set[int]) -> None:
        """End at once; of what was sent, some gets through."""
        self._task.cancel()
        if self._rebalance is not None:
            self._rebalance.cancel()
        self.producer.die(survivors)
        self._loop.settle()
        assert self._task.cancelled() or isinstance(self.failure, SalesPulseError | None)
