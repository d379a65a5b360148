"""What is sent goes out in the order in which it was taken, and counts as sent only when all of it is.

The producer waits where a batch has no room; meanwhile another task has something to send, that may be small enough.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from agents.emission import Emission, Emitter
from agents.kafka import AIOKafkaProducer
from agents.outlet import Outlet
from schemas.settings import settings_from
from schemas.wire import CellsMessage, CellUpdate, Win

_SMALL = 400
SETTINGS = settings_from({"kafka": {"partitions": 2}})


class Batch:
    """A batch that has room for one record."""

    def __init__(self) -> None:
        self.records: list[tuple[bytes, bytes]] = []

    def append(self, *, key: bytes, value: bytes, **_: Any) -> object | None:
        if self.records:
            return None
        self.records.append((value, key))
        return self

    def record_count(self) -> int:
        return len(self.records)


class FullProducer:
    """A producer with little room: what is large waits until it is `opened`. It acknowledges when it is `drained`."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.sent: list[tuple[int | None, bytes]] = []
        self._acknowledgements: list[asyncio.Future[None]] = []

    def create_batch(self) -> Batch:
        return Batch()

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> asyncio.Future[None]:
        (record,) = batch.records
        return await self.send(topic, *record, partition=partition)

    async def send(
        self, _topic: str, value: bytes, key: bytes | None = None, *, partition: int | None = None, **_: Any
    ) -> asyncio.Future[None]:
        if len(value) > _SMALL:
            await self.opened.wait()
        self.sent.append((partition, key or value))
        self._acknowledgements.append(asyncio.get_running_loop().create_future())
        return self._acknowledgements[-1]

    def drain(self) -> None:
        for future in self._acknowledgements:
            if not future.done():
                future.set_result(None)

    def as_producer(self) -> AIOKafkaProducer:
        return cast("AIOKafkaProducer", self)


def emission(fence: int, cells: int) -> Emission:
    """What one log partition has to say to two owners: so many cells to each."""
    updates = {f"rep={number}": [CellUpdate(0, 0, fence, {"calls": 1})] for number in range(cells)}
    return {owner: [CellsMessage(0, fence, None, 0, 0, None, updates)] for owner in (0, 1)}


def win(number: int, *, large: bool) -> Win:
    return Win(f"w{number}", 0, "a", "d" * (_SMALL if large else 1), (None,) * 6, 1)


async def until_idle() -> None:
    """Let every task go on as far as it can."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.asyncio
async def test_an_emission_does_not_overtake_the_one_before_it() -> None:
    producer, failures = FullProducer(), list[BaseException]()
    emitter = Emitter(SETTINGS, "cells", producer.as_producer(), failures.append)
    sending = [asyncio.create_task(emitter.send(emission(fence, cells))) for fence, cells in ((1, 50), (2, 1))]
    await until_idle()
    producer.opened.set()
    await asyncio.gather(*sending)
    sizes = [[len(value) > _SMALL for partition, value in producer.sent if partition == owner] for owner in (0, 1)]
    assert sizes == [[True, False]] * 2, "first the first one, which is the large one"
    producer.drain()
    await emitter.acknowledged()
    assert failures == []


@pytest.mark.asyncio
async def test_what_is_acknowledged_is_all_that_was_taken_before() -> None:
    producer = FullProducer()
    emitter = Emitter(SETTINGS, "cells", producer.as_producer(), lambda _: None)

    async def checkpoint() -> None:
        await emitter.send(emission(2, 1))
        await emitter.acknowledged()

    emitting = asyncio.create_task(emitter.send(emission(1, 50)))
    await until_idle()
    checkpointing = asyncio.create_task(checkpoint())
    await until_idle()
    producer.drain()
    await until_idle()
    assert not checkpointing.done()
    producer.opened.set()
    await emitting
    await until_idle()
    producer.drain()
    await checkpointing
    assert len(producer.sent) == 4


@pytest.mark.asyncio
async def test_moments_that_another_task_is_sending_are_flushed_as_well() -> None:
    async def celebrate(_: object) -> None:
        pass

    producer = FullProducer()
    outlet = Outlet(SETTINGS, producer.as_producer(), celebrate)
    outlet.won([win(0, large=False), win(1, large=True), win(2, large=False)])
    publishing = asyncio.create_task(outlet.send())
    await until_idle()
    flushing = asyncio.create_task(outlet.flush())
    await until_idle()
    producer.drain()
    await until_idle()
    assert not flushing.done(), "two of three are not sent yet"
    producer.opened.set()
    await publishing
    await until_idle()
    producer.drain()
    await flushing
    assert [key for _, key in producer.sent] == [b"deal_won/w0", b"deal_won/w1", b"deal_won/w2"]


@pytest.mark.asyncio
async def test_moments_whose_sending_is_cancelled_are_sent_by_the_next() -> None:
    async def celebrate(_: object) -> None:
        pass

    producer = FullProducer()
    outlet = Outlet(SETTINGS, producer.as_producer(), celebrate)
    outlet.won([win(0, large=False), win(1, large=True), win(2, large=False)])
    publishing = asyncio.create_task(outlet.send())
    await until_idle()
    publishing.cancel()
    await asyncio.gather(publishing, return_exceptions=True)
    producer.opened.set()
    await outlet.send()
    assert len({key for _, key in producer.sent}) == 3
