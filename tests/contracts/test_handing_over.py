"""How Faust's consumer hands a message over: at once where there is room, else as Faust does it."""

from __future__ import annotations

import asyncio
import inspect

import pytest
from faust.transport import consumer as faust_consumer
from mode.utils.locks import Event

from agents.faust_driver import Consumer, HandsOver

pytestmark = pytest.mark.asyncio


@pytest.fixture
def service() -> HandsOver:
    return HandsOver()


@pytest.fixture
def suspended() -> asyncio.Event:
    return asyncio.Event()


async def test_faust_hands_messages_over_by_what_is_replaced() -> None:
    drain = "".join(inspect.getsource(faust_consumer.Consumer._drain_messages).split())
    assert "awaitself.wait_first(callback(message),self.suspend_flow.wait())" in drain
    assert Consumer.wait_first is HandsOver.wait_first


async def test_what_has_room_is_handed_over_without_giving_up_the_loop(
    service: HandsOver, suspended: asyncio.Event
) -> None:
    taken: list[str] = []

    async def take() -> str:
        taken.append("a message")
        return "done"

    handing_over = service.wait_first(take(), suspended.wait())
    with pytest.raises(StopIteration) as end:
        handing_over.send(None)
    assert end.value.value.results == ["done"]
    assert taken == ["a message"]
    assert len(asyncio.all_tasks()) == 1


async def test_what_has_no_room_is_waited_for(service: HandsOver, suspended: asyncio.Event) -> None:
    room = asyncio.Event()
    lock = asyncio.Lock()

    async def take() -> str:
        async with lock:
            await room.wait()
            await asyncio.sleep(0)
        return "done"

    handing_over = asyncio.ensure_future(service.wait_first(take(), suspended.wait()))
    await asyncio.sleep(0)
    assert lock.locked()
    room.set()
    assert (await handing_over).results == ["done"]
    assert not lock.locked()


async def test_it_is_given_up_when_the_flow_is_suspended(service: HandsOver, suspended: asyncio.Event) -> None:
    given_up = asyncio.Event()

    async def take() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            given_up.set()
            raise

    handing_over = asyncio.ensure_future(service.wait_first(take(), suspended.wait()))
    await asyncio.sleep(0)
    suspended.set()
    assert (await handing_over).stopped is False
    await given_up.wait()


@pytest.mark.parametrize("waits", [False, True])
async def test_what_fails_fails_for_who_handed_it_over(
    service: HandsOver, suspended: asyncio.Event, *, waits: bool
) -> None:
    async def take() -> None:
        if waits:
            await asyncio.sleep(0)
        raise ValueError("no message")

    with pytest.raises(ValueError, match="no message"):
        await service.wait_first(take(), suspended.wait())


async def test_an_event_is_waited_for_as_ever(service: HandsOver) -> None:
    resumed = Event()
    waiting = asyncio.ensure_future(service.wait(resumed))
    await asyncio.sleep(0)
    resumed.set()
    assert (await waiting).stopped is False


async def test_who_has_stopped_hands_nothing_over(service: HandsOver, suspended: asyncio.Event) -> None:
    async def take() -> None:
        await suspended.wait()

    await service.stop()
    assert (await service.wait_first(take(), suspended.wait())).stopped is True
