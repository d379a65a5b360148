"""What is said of cells is said in order: a cell's update holds only what changed since the one before it."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import msgspec
import pytest

from agents.generations import state_names
from agents.kafka import AIOKafkaProducer
from agents.outlet import Outlet
from agents.pipeline import Pipeline
from schemas.frames import decode_frame
from schemas.settings import settings_from
from schemas.wire import CellsMessage
from tests.harness import PurePipeline
from tests.polling import until


class SlowProducer:
    """Takes no message until it is let; remembers the fences in the order in which they came through."""

    def __init__(self) -> None:
        self.free = asyncio.Event()
        self.asked = 0
        self.fences: list[int] = []

    async def send(self, _topic: str, payload: bytes, **_where: Any) -> asyncio.Future[None]:
        self.asked += 1
        if self.asked == 1:
            await self.free.wait()
        self.fences += {message.fence for message in msgspec.msgpack.decode(payload, type=list[CellsMessage])}
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


@pytest.mark.asyncio
async def test_an_emission_does_not_overtake_that_of_a_checkpoint() -> None:
    settings = settings_from({"kafka": {"partitions": 1}})
    pure = PurePipeline(settings, partitions=1, frame_events=1)
    pure.send(
        {"event_id": str(n), "event_type": "call.completed", "occurred_at": 1_700_000_000_000 + n, "account_id": "a"}
        for n in range(2)
    )
    slow = SlowProducer()
    producer = cast(AIOKafkaProducer, slow)

    async def celebrate(_moments: object) -> None: ...

    pipeline = Pipeline(settings, pure.plan, producer, Outlet(settings, producer, celebrate), state_names(settings))
    fold = pipeline.folds[0] = pure.new_fold(0)
    pure_frames = iter(pure.logs[0])

    def take_next() -> None:
        offset = fold.fence + 1
        fold.fold(offset, decode_frame(next(pure_frames)))

    take_next()
    checkpoint = asyncio.ensure_future(pipeline.checkpoint())

    async def waits() -> bool:
        return slow.asked == 1

    await until(waits)
    take_next()
    emission = asyncio.ensure_future(pipeline.emit())
    await asyncio.wait({emission}, timeout=0.05)  # time enough to overtake
    slow.free.set()
    await emission
    checkpoint.cancel()
    await asyncio.wait({checkpoint})
    assert slow.fences == [0, 1]
