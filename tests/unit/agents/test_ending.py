"""Tasks end, also those that lose a cancellation."""

from __future__ import annotations

import asyncio

import pytest

from agents import ending
from agents.ending import end

pytestmark = pytest.mark.asyncio


async def test_a_task_that_loses_a_cancellation_ends_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "_AGAIN_S", 0.01)
    lost = asyncio.Event()

    async def go_on() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if lost.is_set():
                    raise
                lost.set()

    task = asyncio.create_task(go_on())
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await end(task)
    assert lost.is_set()
    assert task.cancelled()


async def test_what_it_failed_with_is_not_raised() -> None:
    async def fail() -> None:
        raise ValueError("no")

    task = asyncio.create_task(fail())
    await asyncio.sleep(0)
    await end(task)
    assert isinstance(task.exception(), ValueError)


async def test_who_is_cancelled_while_it_ends_a_task_waits_for_it() -> None:
    closed, cleared = asyncio.Event(), asyncio.Event()

    async def clear_up() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            try:
                await closed.wait()
            except asyncio.CancelledError:
                await asyncio.sleep(0)
                cleared.set()
                raise

    task = asyncio.create_task(clear_up())
    await asyncio.sleep(0)
    ends = asyncio.create_task(end(task))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    ends.cancel()
    await asyncio.wait({ends})
    assert cleared.is_set()
    assert task.done()
