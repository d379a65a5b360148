"""Cadences act at once when things are quiet, and not too often when they are busy."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from agents.cadence import every, metered, on_change, rest
from tests.model.clock import Clock, Loop

LONG_S = 3_600.0
DEADLINE_S = 10.0


class Acts:
    """Remembers when it was called; ``reached`` waits for so many calls."""

    def __init__(self, work_s: float = 0) -> None:
        self.times: list[float] = []
        self._called = asyncio.Condition()
        self._work_s = work_s

    async def __call__(self) -> None:
        started, until = time.monotonic(), time.thread_time() + self._work_s
        while time.thread_time() < until:
            pass
        async with self._called:
            self.times.append(started)
            self._called.notify_all()

    async def reached(self, calls: int) -> list[float]:
        async with asyncio.timeout(DEADLINE_S), self._called:
            await self._called.wait_for(lambda: len(self.times) >= calls)
        return self.times


@asynccontextmanager
async def running(loop: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(loop)
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@pytest.mark.asyncio
async def test_a_change_in_quiet_times_is_acted_on_at_once() -> None:
    changed, acts, started = asyncio.Event(), Acts(), time.monotonic()
    async with running(on_change(changed, acts, 0.5, LONG_S, 1)):
        changed.set()
        (first, *_) = await acts.reached(1)
    assert first - started < 0.5


@pytest.mark.asyncio
async def test_in_busy_times_an_interval_lies_between_two_acts() -> None:
    changed, acts = asyncio.Event(), Acts()
    async with running(on_change(changed, acts, 0.2, LONG_S, 1)):
        changed.set()
        await acts.reached(1)
        changed.set()
        first, second, *_ = await acts.reached(2)
    assert second - first >= 0.19


@pytest.mark.asyncio
async def test_changes_while_it_waits_are_acted_on_together() -> None:
    changed, acts = asyncio.Event(), Acts()
    async with running(on_change(changed, acts, 0.1, 0.4, 1)):
        for _ in range(3):
            changed.set()
            await acts.reached(1)
        await acts.reached(3)
    assert acts.times[2] - acts.times[1] >= 0.3, "the third came for want of changes"


@pytest.mark.asyncio
async def test_without_a_change_it_acts_after_the_idle_time() -> None:
    acts, started = Acts(), time.monotonic()
    async with running(on_change(asyncio.Event(), acts, 0, 0.1, 1)):
        (first, *_) = await acts.reached(1)
    assert first - started >= 0.09


@pytest.mark.asyncio
async def test_an_act_that_takes_long_is_rarer() -> None:
    changed, acts = asyncio.Event(), Acts(work_s=0.05)
    async with running(on_change(changed, acts, 0, LONG_S, 0.2)):
        changed.set()
        await acts.reached(1)
        changed.set()
        first, second, *_ = await acts.reached(2)
    assert second - first >= 0.24, "a fifth of the time at most"


@pytest.mark.asyncio
async def test_one_dear_act_among_cheap_ones_does_not_hold_up_the_next() -> None:
    changed, cheap, dear = asyncio.Event(), Acts(), Acts(work_s=0.2)

    async def act() -> None:
        await (dear if len(cheap.times) == 5 and not dear.times else cheap)()
        changed.set()

    async with running(on_change(changed, act, 0, LONG_S, 0.1)):
        changed.set()
        times = await cheap.reached(6)
    assert len(dear.times) == 1
    assert times[5] - dear.times[0] < 1.0, "by itself it would hold it up for two seconds"


@pytest.mark.asyncio
async def test_while_there_is_much_to_catch_up_with_acts_are_rarer() -> None:
    changed, acts = asyncio.Event(), Acts(work_s=0.05)
    async with running(on_change(changed, acts, 0, LONG_S, 0.5, lambda: True)):
        changed.set()
        await acts.reached(1)
        changed.set()
        first, second, *_ = await acts.reached(2)
    assert second - first >= 0.29, "a sixth of the time at most"


@pytest.mark.asyncio
async def test_what_comes_last_in_catching_up_is_part_of_the_act_that_ends_it() -> None:
    looks: list[float] = []

    def behind() -> bool:
        looks.append(time.monotonic())
        return len(looks) < 3

    acts = Acts()
    async with running(every(1.0, acts, behind)):
        (first, *_) = await acts.reached(1)
    assert len(looks) == 3
    assert 0.4 < first - looks[2] < 1.0, "it waits for what comes last, and not another interval"


@pytest.mark.asyncio
async def test_once_all_is_caught_up_with_an_act_is_not_waited_for() -> None:
    acts, much = Acts(), [True]
    async with running(every(DEADLINE_S / 2.5, acts, lambda: bool(much))):  # three times that is past the deadline
        much.clear()
        await acts.reached(1)


@pytest.mark.asyncio
async def test_every_acts_again_and_again() -> None:
    acts, started = Acts(), time.monotonic()
    async with running(every(0.05, acts)):
        third = (await acts.reached(3))[2]
    assert third - started >= 0.14


async def failing() -> None:
    raise RuntimeError("no")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "loop",
    [lambda act: every(0, act), lambda act: on_change(asyncio.Event(), act, 0, 0, 1)],
    ids=["every", "on_change"],
)
async def test_what_an_act_raises_ends_the_loop(
    loop: Callable[[Callable[[], Awaitable[None]]], Coroutine[Any, Any, None]],
) -> None:
    with pytest.raises(RuntimeError, match="no"):
        async with asyncio.timeout(DEADLINE_S):
            await loop(failing)


def _burn(cpu_s: float) -> None:
    until = time.thread_time() + cpu_s
    while time.thread_time() < until:
        pass


@pytest.mark.asyncio
async def test_what_others_do_while_an_act_waits_is_not_its_cpu_time() -> None:
    waits, others = asyncio.Event(), asyncio.Event()

    async def act() -> None:
        _burn(0.02)
        waits.set()
        await others.wait()
        _burn(0.02)

    async def other() -> None:
        await waits.wait()
        _burn(0.2)
        others.set()

    task = asyncio.create_task(other())
    spent = await metered(act())
    await task
    assert 0.04 <= spent < 0.2


@pytest.mark.asyncio
async def test_an_error_of_an_act_and_a_cancellation_go_through_it() -> None:
    cleaned: list[str] = []

    async def failing() -> None:
        await asyncio.sleep(0)
        raise LookupError("said")

    async def waiting() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append("done")

    with pytest.raises(LookupError, match="said"):
        await metered(failing())
    task = asyncio.ensure_future(_awaited(waiting()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cleaned == ["done"]


async def _awaited(work: Coroutine[Any, Any, None]) -> float:
    return await metered(work)


def test_after_an_act_others_have_twice_as_long_as_it_held_them_up() -> None:
    clock = Clock(0)
    loop = Loop(clock)
    loop.run_until_complete(rest(0.02))
    assert clock.monotonic() == pytest.approx(0.04)
    loop.shut()
