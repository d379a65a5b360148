"""Faust's Kafka driver, corrected where it loses messages or waits too long. Every private name it leans on is tested.

Source: faust-streaming 0.15.3, ``transport/drivers/aiokafka.py`` and ``transport/consumer.py``; ``mode/threads.py``.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator, Mapping
from functools import partial
from typing import Any, ClassVar, Protocol, cast

import aiokafka
import faust
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode.services import Service, WaitResults
from mode.threads import WorkerThread

from agents.fetch_wait import BUSY_MS, adapt_fetch_wait

_DRAIN_S = 0.02


class Positions(Protocol):
    """Knows where every partition is to be read on from."""

    def next_offsets(self) -> Mapping[TP, int]:
        """Return the offset after the last one taken, for every partition of log and cells topic owned here."""

    def revoke(self) -> None:
        """Take note that all partitions go, and that some come back when the group has shared them out."""


class _Thread(WorkerThread):
    """A thread that keeps no process from ending, and that is not waited for by blocking."""

    def __init__(self, service: Any, **kwargs: Any) -> None:
        super().__init__(service, **kwargs)
        self.daemon = True

    def stop(self) -> None:
        """Leave the waiting to :meth:`ConsumerThread.stop`."""


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """The consumer's thread; the broker may not sit on what it has for 1.5 s, which Faust has hard-coded."""

    Worker: type[WorkerThread] = _Thread

    async def stop(self) -> None:
        """Stop without blocking the loop, as Faust does: during a rebalance the thread waits for what runs there."""
        await super().stop()
        thread = self._thread
        while thread is not None and not thread.is_stopped.is_set():  # noqa: ASYNC110  an event of threads
            await asyncio.sleep(_DRAIN_S)

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = BUSY_MS
        return consumer

    async def _fetch_records(self, consumer: aiokafka.AIOKafkaConsumer, *args: Any, **kwargs: Any) -> Any:
        records = await super()._fetch_records(consumer, *args, **kwargs)
        adapt_fetch_wait(consumer, sum(map(len, records.values())))
        return records


@types.coroutine
def _resumed(work: Coroutine[Any, Any, Any], awaited: Any) -> Generator[Any, Any, Any]:
    """Go on with a coroutine that waits for something already."""
    while True:
        try:
            answer = yield awaited
        except BaseException as error:  # noqa: BLE001  whatever is thrown in is for the work to deal with
            go_on: Callable[[], Any] = partial(work.throw, error)
        else:
            go_on = partial(work.send, answer)
        try:
            awaited = go_on()
        except StopIteration as done:
            return done.value


class HandsOver(Service):
    """What a consumer hands messages over with."""

    async def wait_first(self, *coros: Any, **options: Any) -> WaitResults:
        """Hand a message over at once where there is room for it: Faust makes four tasks to wait for that."""
        if self.should_stop or not all(map(asyncio.iscoroutine, coros)):
            return await super().wait_first(*coros, **options)
        work, *others = coros
        awaited, waits = None, False
        try:
            awaited, waits = work.send(None), True
        except StopIteration as done:
            return WaitResults([work], [done.value], stopped=False)
        finally:
            if not waits:
                for other in others:
                    other.close()
        return await super().wait_first(asyncio.ensure_future(_resumed(work, awaited)), *others, **options)


class Consumer(HandsOver, driver.Consumer):
    """Reads on behind what is folded, not behind what is committed.

    Faust resumes partitions before it seeks, so messages that were fetched in between are lost; and a partition without
    a committed offset is not sought at all.
    """

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Say so before anything else: from now on somebody else may own them."""
        cast(App, self.app).positions.revoke()
        await super().on_partitions_revoked(revoked)

    async def perform_seek(self) -> None:
        """Seek every partition to the offset after the last one taken."""
        self.stop_flow()
        await asyncio.sleep(_DRAIN_S)
        await super().perform_seek()
        await self.seek_to(cast(App, self.app).positions.next_offsets())

    async def earliest_offsets(self, *partitions: TP) -> Mapping[TP, int]:
        """Say that changelogs begin where they end: their keeper reads them, and Faust shall find nothing left.

        Else it would read our own checkpoints since the last rebalance, of partitions that were kept, message by
        message, and fold nothing meanwhile.
        """
        ends: Mapping[TP, int] = await self.highwaters(*partitions)
        return ends

    async def seek_to(self, offsets: Mapping[TP, int]) -> None:
        """Seek partitions that are assigned, and let later offsets be committed."""
        assigned = self.assignment()
        wanted = {tp: offset for tp, offset in offsets.items() if tp in assigned}
        self._committed_offset.update(wanted)
        if wanted:
            await self._thread.seek_wait(wanted)


class Transport(driver.Transport):
    """The transport with our consumer."""

    Consumer: ClassVar[type[Consumer]] = Consumer


class App(faust.App):
    """A Faust app that reads on from where its state is.

    ``positions`` is set before it is started.
    """

    positions: Positions

    def _new_transport(self) -> Transport:
        return Transport(self.conf.broker_consumer, self)

    def _create_directories(self) -> None:
        """Make none: no table is kept on disk, and where a worker was started it need not be allowed to write."""
